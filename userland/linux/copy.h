// Linux memory: the only way to it.
// Rules:
// - a linux_ptr is what a program claims; nothing but these functions looks behind it;
// - a range is checked against the split first, faults on the way give -EFAULT (what was copied
//   until then is copied);
// - a page may have to be fetched from a disk or be paid for: never call with a mutex held;
// - the memory is that of the address space bound to the calling thread.
#pragma once

#include "lib/types.h"

typedef struct {
    u64 address;
} linux_ptr;

static inline linux_ptr linux_pointer(u64 address) { return (linux_ptr){address}; }

static inline linux_ptr linux_offset(linux_ptr pointer, u64 offset) {
    return (linux_ptr){pointer.address + offset};
}

static inline bool linux_is_null(linux_ptr pointer) { return pointer.address == 0; }

// 0 or -EFAULT.
[[nodiscard]] int copy_from_linux(void *target, linux_ptr source, usize size);
[[nodiscard]] int copy_to_linux(linux_ptr target, const void *source, usize size);
[[nodiscard]] int clear_linux(linux_ptr target, usize size);

// Copies a string with its final zero. Returns its length, -EFAULT, or -ENAMETOOLONG when it does
// not fit into `size` bytes.
[[nodiscard]] i64 copy_string_from_linux(char *target, linux_ptr source, usize size);

// 32 bits at an aligned address, in one access; 0 or a negative error.
[[nodiscard]] int load_linux_u32(linux_ptr source, u32 *value);
