// Just enough of kernel/arch/arch.h for the generated decoding.
#pragma once
#include "lib/types.h"

struct syscall_args {
    u64 arg[6];
    u64 number;
    i64 status;
    u64 out[3];
};
typedef void (*syscall_entry_t)(struct syscall_args *args);
extern const syscall_entry_t syscall_table[];
extern const u64 syscall_count;
void syscall_unknown(struct syscall_args *args);
