// User memory, for system calls.
//
// Rules:
// - No locks held: touching user memory may fault pages in, and so block.
// - Errors are BAD_POINTER, also for a page that could not be paid or read.
#ifndef OBJECT_USER_H
#define OBJECT_USER_H

#include "lib/types.h"

// Whether [address, address + size) can be user memory: not in the first page, below the end. Of
// an empty range nobody looks at the address.
bool user_range_ok(u64 address, u64 size);
// Range check and copy.
status_t user_copy_in(void *to, u64 address, u64 size);
status_t user_copy_out(u64 address, const void *from, u64 size);
// Makes sure that the range can be written, without changing what is there. Preemptible.
status_t user_probe_write(u64 address, u64 size);

#endif
