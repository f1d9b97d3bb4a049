// Just enough of kernel/syscall/syscall.h for the generated decoding.
#pragma once
#include "kernel/handlers.h"

static inline bool user_range_ok(u64 address, u64 size) {
    if (size == 0) return true;
    return address >= CL_LINUX_BASE && size <= CL_PROCESS_LIMIT &&
           address <= CL_PROCESS_LIMIT - size;
}
status_t arch_copy_from_user(void *to, u64 address, usize size);
status_t user_copy_out(u64 address, const void *from, usize size);
status_t user_probe_write(u64 address, usize size);
status_t name_path_copy_in(struct name_path *path, u64 address, usize size);
