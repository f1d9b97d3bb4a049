// A message from the kernel: the start-up message of init.
#ifndef OBJECT_CHANNEL_BOOT_H
#define OBJECT_CHANNEL_BOOT_H

#include "object/channel.h"

// Queues a one-way message at `end`: bytes (up to a page) and new handles to the objects, with
// these rights. NO_RESOURCES.
status_t channel_post_kernel(struct channel *end, const void *bytes, u32 size,
                             struct object *const *objects, const u32 *rights, u32 count);

#endif
