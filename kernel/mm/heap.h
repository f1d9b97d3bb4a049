// The kernel heap: small structures, on a namespace's account.
//
// Rules:
// - Each ledger has slabs of its own: what a namespace used comes back to the last page when it
//   dies, and nobody's fragments hold up anybody else's page.
// - Memory is zeroed when it is given out. Sizes up to HEAP_MAX.
#pragma once

#include "mm/ledger.h"

enum : usize { HEAP_MAX = PAGE_SIZE };

// At the start of a page of slots.
struct slab {
    struct list link;
    struct ledger *payer;
    void *free_first; // a free slot's first word leads to the next
    u32 class_index;
    u32 used;
    u32 fresh; // slots never given out start here
    u32 slots;
};

// nullptr when the ledger refuses. Slots are 64-aligned; beyond the largest class (1984 bytes): a whole page.
void *heap_alloc(struct ledger *payer, usize size);
// nullptr is allowed.
void heap_free(void *memory);
