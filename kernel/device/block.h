// Block ranges: a part of a disk.
//
// Rules:
// - A request and the pages in it live until the disk is done with them, whatever becomes of the
//   thread that waits: the request holds a reference to each page and to the block object.
// - Whoever transfers has had its turn (turns.h).
#pragma once

#include "drivers/blockdev.h"
#include "mm/page.h"
#include "object/object.h"

struct memobj;

struct block {
    struct object base;
    struct blockdev *dev; // constant; nullptr never
    u64 offset_bytes;     // constant, page-aligned
    u64 size_bytes;       // constant, whole pages
};

// A range of a disk, within [0, its end). OUT_OF_RANGE, NO_RESOURCES.
status_t block_create(struct namespace *ns, struct blockdev *dev, u64 offset_bytes, u64 size_bytes,
                      struct block **out);

struct block_io {
    enum block_operation operation;
    u32 count;           // pages
    u64 offset;          // in the range, whole pages
    struct page **pages; // referenced while it lasts
    // If not nullptr: pages of it that are being read, from `first` on. It is told of the end once,
    // memobj_filled(), be it from the disk's interrupt: nobody else has to wait for this thread.
    struct memobj *memobj;
    u64 first;
};
// Does it, and waits; consumes the turn. IO_ERROR, DEAD (the waiting thread is being killed; it goes
// on by itself, but the object's pages are not read), OUT_OF_RANGE, NO_RESOURCES.
status_t block_transfer(struct block *block, const struct block_io *io);
