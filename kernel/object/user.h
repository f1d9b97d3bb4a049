// User memory, for system calls.
//
// Rules:
// - No locks held: touching user memory may fault pages in, and so block.
// - Errors are BAD_POINTER, also for a page that could not be paid or read.
#pragma once

#include "abi/errors.h"
#include "abi/types.h"
#include "arch/arch.h"

// Whether [address, address + size) can be user memory: not in the first page, below the end. Of
// an empty range nobody looks at the address.
static inline bool user_range_ok(u64 address, u64 size) {
    enum : u64 { SIZE = ARCH_USER_END - CL_LINUX_BASE };
    return size == 0 || (size <= SIZE && address - CL_LINUX_BASE <= SIZE - size);
}
// Copies from and to a range that the decoding has checked.
ALWAYS_INLINE status_t user_copy_in(void *to, u64 address, u64 size) {
    return size == 0 ? OK : arch_copy_from_user(to, address, size);
}
ALWAYS_INLINE status_t user_copy_out(u64 address, const void *from, u64 size) {
    return size == 0 ? OK : arch_copy_to_user(address, from, size);
}
// Makes sure that the range can be written, without changing what is there. Preemptible.
status_t user_probe_write(u64 address, u64 size);
