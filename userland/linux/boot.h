// What main.c needs of the rest: before the freeze, and after it.
#pragma once

#include "abi/types.h"
#include "lib/types.h"

struct boot {
    u64 stack; // that the clone starts on
};

extern const char user_copy_start[];
extern const char user_copy_end[];
extern const char user_copy_fault[];

void clone_start(void);

// Prepares what every container has. 0, or a negative Linux error.
int boot_prepare(struct boot *boot);
// A container's life, from its start message on.
[[noreturn]] void boot_run(handle_t bootstrap);
