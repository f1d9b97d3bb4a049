// A second process that runs a function of this same program: for tests that need two.
//
// Rules:
// - The twin has its own copy of the program's memory as it is at the call; nothing is shared.
// - It starts at `entry` on a stack of its own, and must not return from it.
#pragma once
#include "cloister.h"

typedef void twin_entry(handle_t bootstrap, uint64_t argument);

// Consumes `bootstrap` on success (0: none). `ns` pays; needs CREATE.
status_t twin_start(handle_t ns, twin_entry *entry, handle_t bootstrap, uint64_t argument,
                    handle_t *process);
