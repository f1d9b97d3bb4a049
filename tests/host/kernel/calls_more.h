// What test_model.py and test_root_rule.py need beside system calls.
#pragma once
#include "abi/types.h"
#include "kernel/handlers.h"

// Makes an object of a type, charged to the namespace of a handle of the current process, whatever
// the machine has: devices too. The handle has all rights; 0 when it can't be made.
handle_t object_make(u32 type, handle_t ns);
// What a handle of the current process is, as the kernel keeps it.
struct handle_facts {
    u64 koid;
    u64 revoker_koid; // 0: none
    u32 type, rights, user;
};
struct handle_facts handle_look(handle_t handle);
