// Network cards: whole Ethernet frames out and in.
//
// Rules:
// - Frames are copied, into and out of the card's own buffers; nothing of the caller's is kept.
// - Nothing waits: SHOULD_WAIT, and later a call of `ready`.
// - `ready` is called from an interrupt, with no driver's lock held. It may be called when there is
//   nothing; after a SHOULD_WAIT it never fails to come.
// - A frame is its destination, source, type and data, without preamble and checksum.
#pragma once

#include "lib/lock.h"
#include "lib/types.h"

enum : u32 { NETDEV_FRAME_MIN = 14, NETDEV_FRAME_MAX = 1514, NETDEV_MAC_SIZE = 6 };

// What `ready` says.
enum : u32 { NETDEV_READABLE = 1 << 0, NETDEV_WRITABLE = 1 << 1 };

struct netdev;

// What a driver implements; called with the card's lock held.
struct netdev_driver {
    status_t (*send)(struct netdev *card, const void *frame, u32 size);
    status_t (*receive)(struct netdev *card, void *buffer, u32 *size);
};

struct netdev {
    struct lock lock; // rank LOCK_DRIVER; the driver's too
    // set at creation, then constant:
    const struct netdev_driver *driver;
    u8 mac[NETDEV_MAC_SIZE];
    // under lock:
    void (*ready)(void *argument, u32 events) GUARDED_BY(&lock);
    void *ready_argument GUARDED_BY(&lock);
};

// One frame of NETDEV_FRAME_MIN to NETDEV_FRAME_MAX bytes. OUT_OF_RANGE: another size.
// SHOULD_WAIT: no free buffer. IO_ERROR: the card has failed.
status_t netdev_send(struct netdev *card, const void *frame, usize size);
// Copies the oldest received frame; `buffer` holds NETDEV_FRAME_MAX bytes. SHOULD_WAIT: none.
// IO_ERROR: the card has failed.
status_t netdev_receive(struct netdev *card, void *buffer, usize *size);
// Sets who is told; nullptr for nobody. A call of the one before may still be under way.
void netdev_ready_set(struct netdev *card, void (*ready)(void *argument, u32 events),
                      void *argument);

// The card found at boot with this number; nullptr when there are not so many.
struct netdev *netdev_get(u32 index);

// For drivers. LIMIT when there are too many.
status_t netdev_register(struct netdev *card, const struct netdev_driver *driver,
                         const u8 mac[NETDEV_MAC_SIZE]);
void netdev_notify(struct netdev *card, u32 events) EXCLUDES(&card->lock);
