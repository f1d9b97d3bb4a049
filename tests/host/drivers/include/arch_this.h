// The architecture that the drivers see in host tests: "RAM" is one array, physical addresses are
// offsets into it.
#ifndef ARCH_THIS_H
#define ARCH_THIS_H

#include "lib/types.h"

enum { MAX_CPUS = 1 };
enum : u64 { MODEL_RAM_PAGES = 256 };

struct arch_pmap {
    u64 unused;
};

extern u8 model_ram[MODEL_RAM_PAGES * PAGE_SIZE];

static inline void *arch_direct(u64 paddr) { return model_ram + paddr; }

static inline u64 arch_paddr(const void *pointer) { return (u64)((const u8 *)pointer - model_ram); }

#endif
