// Page-table entries (Intel SDM volume 3, 4.5).
#pragma once

#include "cpu.h"

enum : u64 {
    PTE_PRESENT = 1 << 0,
    PTE_WRITE = 1 << 1,
    PTE_USER = 1 << 2,
    PTE_WRITE_THROUGH = 1 << 3,
    PTE_CACHE_DISABLE = 1 << 4,
    PTE_ACCESSED = 1 << 5,
    PTE_DIRTY = 1 << 6,
    PTE_LARGE = 1 << 7,
    PTE_GLOBAL = 1 << 8,
    PTE_NX = 1ul << 63,
    PTE_ADDRESS = 0x000ffffffffff000,
    // Table entries leave the rights to the leaves. Accessed and dirty are set from the start:
    // nobody reads them, and the CPU need not write them.
    PTE_TABLE = PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED,
    PTE_LEAF = PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY,
    PTE_LEAF_KERNEL = PTE_LEAF | PTE_GLOBAL,
    PTE_HIDDEN = PTE_LEAF & ~PTE_PRESENT, // entered without rights: never 0
};

enum { TABLE_ENTRIES = 512 };
// How many entries cost as much to look through as a hole to pass; and how much is enough for a step.
enum { WALK_ENTRIES = 64, WALK_MAX = 64 * TABLE_ENTRIES / WALK_ENTRIES };

// Index of `va` in a table of this level: 3 is the top, 0 holds pages of 4 KiB.
static inline u32 table_index(u64 va, u32 level) {
    return va >> (PAGE_SHIFT + 9 * level) & (TABLE_ENTRIES - 1);
}

static inline u64 *table_of(u64 entry) { return arch_direct(entry & PTE_ADDRESS); }

// The entry for `va` at `level`, with the tables above it, paid by `payer`; nullptr: they can't. A new
// entry of the top-level table also goes to its twin (nullptr: none).
ALWAYS_INLINE u64 *table_entry_make(u64 *table, u64 *twin, u64 va, u32 level,
                                    struct ledger *payer) {
    for (u32 at = 3; at > level; at--) {
        u64 *entry = &table[table_index(va, at)];
        if (unlikely(*entry == 0)) {
            u64 page = mmu_table_alloc(payer);
            if (page == 0) return nullptr;
            *entry = page | PTE_TABLE;
            if (at == 3 && twin) twin[table_index(va, 3)] = *entry;
        }
        table = table_of(*entry);
    }
    return &table[table_index(va, level)];
}

// The leaf entry for `va`, its tables made where they are missing; nullptr: none left to be had.
u64 *pmap_entry_make(struct arch_pmap *pmap, u64 va);
// The leaf entry for *va, or nullptr; then *va has moved to where the next table may begin.
u64 *pmap_entry_find(struct arch_pmap *pmap, u64 *va);
u64 pmap_entry_flags(u32 map_flags);

// The next entry before `last` that is not empty, or `last`; eight at a time, most are.
static inline u64 *pmap_entry_next(u64 *entry, const u64 *last) {
    while (entry + 8 <= last &&
           !(entry[0] | entry[1] | entry[2] | entry[3] | entry[4] | entry[5] | entry[6] | entry[7]))
        entry += 8;
    while (entry < last && *entry == 0)
        entry++;
    return entry;
}

static inline void pmap_gather_span(struct arch_gather *gather, u64 va) {
    gather->start = min(gather->start, va);
    gather->end = max(gather->end, va + PAGE_SIZE);
}
