// Serial lines as objects.
//
// Rules:
// - READABLE while bytes wait, WRITABLE while a write can take any. What comes in while the ring
//   is full is lost, as on any serial line.
#pragma once

#include "object/object.h"

enum : u32 { SERIAL_RING = 4096 };

struct serial {
    struct object base;
    u32 line;                        // constant: number of the port
    struct lock ring_lock;           // rank LOCK_DRIVER
    u32 head GUARDED_BY(&ring_lock); // bytes ever received
    u32 tail GUARDED_BY(&ring_lock); // bytes ever read
    u8 *ring;
};

// Boot: NOT_SUPPORTED when the machine has no such line; NO_RESOURCES.
status_t serial_create(u32 line, struct serial **out);
