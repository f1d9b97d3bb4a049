// Network cards as objects: whole raw frames.
//
// Rules:
// - READABLE and WRITABLE are hints that a receive or send checks; after SHOULD_WAIT the signal is
//   set again by the card.
#pragma once

#include "drivers/netdev.h"
#include "object/object.h"

struct nic {
    struct object base;
    struct netdev *card; // constant
};

// Boot: NO_RESOURCES.
status_t nic_create(struct netdev *card, struct nic **out);
