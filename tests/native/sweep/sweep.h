// The sweep: every system call with every wrong argument, one wrong at a time.
//
// Rules:
// - What is called must fail in its decoding, so that nothing changes and no handler runs (but the
//   few that read bytes themselves).
// - Objects are made once, before the first check, and are all that the process's table holds.
#pragma once
#include "abi/types.h"

enum { SWEEP_HANDLES = 4096 };

// objects.c

void sweep_objects_make(void);
// A handle with all rights; 0 when there is none of this type.
handle_t sweep_object(uint32_t type);
// The first type of a mask of which there is an object.
handle_t sweep_object_of(uint32_t types);
// A handle whose object is gone; one that has been revoked.
handle_t sweep_dead(void);
handle_t sweep_revoked(void);
// Whether a value below SWEEP_HANDLES is in the table.
bool sweep_is_live(uint32_t handle);

// memory.c

void sweep_memory_make(void);
// A page of its own for each argument, that can be read and written.
uint64_t sweep_page(uint32_t arg);
uint64_t sweep_read_only(void);
uint64_t sweep_unmapped(void);
