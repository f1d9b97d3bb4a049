// Disks: what the kernel asks of any block driver.
//
// Rules:
// - A request belongs to the disk from a successful blockdev_submit() until its done() is called,
//   which happens exactly once. The pages in it must stay in place as long.
// - done() is called from an interrupt, or from the blockdev_submit() of another CPU when the disk
//   fails; no driver's lock is held. It may submit again.
// - Requests may be carried out in any order. A flush makes durable the writes that were done
//   before it was submitted.
#pragma once

#include "lib/list.h"
#include "lib/lock.h"
#include "lib/types.h"

enum : u32 { BLOCK_SECTOR_SIZE = 512, BLOCK_PAGE_SECTORS = 8, BLOCK_REQUEST_PAGES_MAX = 16 };

enum block_operation : u32 { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH };

struct block_request {
    struct list node; // the disk's
    enum block_operation operation;
    u32 sector_count; // for a flush 0; else as many pages as they need
    u64 sector;
    u64 pages[BLOCK_REQUEST_PAGES_MAX]; // physical addresses; data start at the first byte
    // OK or IO_ERROR. What a failed read has left in the pages is undefined.
    void (*done)(struct block_request *request, status_t status);
};

enum : u32 { BLOCKDEV_READ_ONLY = 1 << 0 };

struct blockdev;

// What a driver implements; called with the disk's lock held.
struct blockdev_driver {
    // Hands one request to the device. SHOULD_WAIT: full, later.
    status_t (*start)(struct blockdev *disk, struct block_request *request);
    // After one or more successful start().
    void (*kick)(struct blockdev *disk);
};

struct blockdev {
    struct lock lock; // rank LOCK_DRIVER; the driver's too
    // set at creation, then constant:
    const struct blockdev_driver *driver;
    u64 sectors;
    u32 flags;
    // under lock:
    struct list waiting GUARDED_BY(&lock); // requests that the device had no room for
    bool failed GUARDED_BY(&lock);         // for good
};

// OUT_OF_RANGE: beyond the disk's end. INVALID_ARGUMENT: no or too many sectors, a page address
// that is not aligned. ACCESS_DENIED: a write to a read-only disk. IO_ERROR: the disk has failed.
// After these, done() is not called.
status_t blockdev_submit(struct blockdev *disk, struct block_request *request);

// The disk found at boot with this number; nullptr when there are not so many.
struct blockdev *blockdev_get(u32 index);

// For drivers. Registers a disk; LIMIT when there are too many.
status_t blockdev_register(struct blockdev *disk, const struct blockdev_driver *driver, u64 sectors,
                           u32 flags);
// Hands waiting requests to the device while it takes them.
void blockdev_pump_locked(struct blockdev *disk) REQUIRES(&disk->lock);
