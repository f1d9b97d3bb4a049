// The vDSO: a page that is mapped into every Linux process, beside its stack, so that it reads the time
// without a system call (userland/vdso). One memory object for the whole container.
#pragma once

#include "lib/types.h"

struct memory;

// Generated: the shared object's bytes, and where in it the clock's numbers are.
extern const u8 vdso_image[];
extern const u32 vdso_bytes;
extern const u32 vdso_clock_offset;

// Maps it at this address, where nothing is. The address, or 0: the program goes without.
u64 vdso_map(struct memory *memory, u64 address);
