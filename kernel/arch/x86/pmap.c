// Page tables of user address spaces.
//
// A process pmap has one top-level table with slot 255 filled. A restricted pmap has two, `top`
// (with the process's slot 255) and `top_restricted` (without); slots 0-254 are the same in both,
// so everything below them is shared. The owner's lock serializes changes; CPUs walk the tables
// at any time. Tables are freed only by arch_pmap_destroy.
#include "abi/errors.h"
#include "cpu.h"
#include "lib/print.h"
#include "mm/page.h"
#include "paging.h"
#include "sched/thread.h"

enum { PROCESS_SLOT = 255 };

static void table_free(u64 paddr) { page_put_zeroed(page_from_paddr(paddr)); }

// The process's slot 255 gets its table at once: restricted pmaps copy the entry.
status_t arch_pmap_init(struct arch_pmap *pmap, struct arch_pmap *process, struct ledger *payer) {
    *pmap = (struct arch_pmap){.payer = payer, .process = process ? process : pmap};
    pmap->top = mmu_table_alloc(payer);
    u64 second = pmap->top ? mmu_table_alloc(payer) : 0;
    if (second == 0) {
        if (pmap->top) table_free(pmap->top);
        return ERR_NO_RESOURCES;
    }
    u64 slot = second | PTE_TABLE;
    mmu_copy_kernel_slots(table_of(pmap->top));
    if (process) {
        pmap->top_restricted = second;
        mmu_copy_kernel_slots(table_of(second));
        slot = table_of(process->top)[PROCESS_SLOT];
    }
    table_of(pmap->top)[PROCESS_SLOT] = slot;
    return OK;
}

// Frees the tables below *entry, which is one of a table of level `level`, and empties it: tables
// are zeros when they go back. The pages' own entries were emptied when they were unmapped.
static void tables_free(u64 *entry, u32 level) {
    u64 *table = table_of(*entry);
    const u64 *last = level > 1 ? table + TABLE_ENTRIES : table;
    while ((table = pmap_entry_next(table, last)) < last)
        tables_free(table, level - 1);
    table_free(*entry & PTE_ADDRESS);
    *entry = 0;
    if (level > 1) sched_preempt_point();
}

static void top_free(u64 top) {
    mmu_clear_kernel_slots(table_of(top));
    table_of(top)[PROCESS_SLOT] = 0;
    table_free(top);
}

void arch_pmap_destroy(struct arch_pmap *pmap) {
    shootdown_leave(pmap);
    u64 *top = table_of(pmap->top);
    u64 *slot = top;
    const u64 *last = top + (pmap->top_restricted ? PROCESS_SLOT : PROCESS_SLOT + 1);
    while ((slot = pmap_entry_next(slot, last)) < last) {
        tables_free(slot, 3);
        if (pmap->top_restricted) table_of(pmap->top_restricted)[slot - top] = 0;
    }
    top_free(pmap->top);
    if (pmap->top_restricted) top_free(pmap->top_restricted);
}

u64 *pmap_entry_make(struct arch_pmap *pmap, u64 va) {
    DASSERT(va < ARCH_USER_END && (va >= ARCH_USER_SPLIT) == (pmap->top_restricted == 0));
    u64 *twin = pmap->top_restricted ? table_of(pmap->top_restricted) : nullptr;
    return table_entry_make(table_of(pmap->top), twin, va, 0, pmap->payer);
}

u64 *pmap_entry_find(struct arch_pmap *pmap, u64 *va) {
    u64 *table = table_of(pmap->top);
    for (u32 level = 3; level > 0; level--) {
        u64 entry = table[table_index(*va, level)];
        if (entry == 0) {
            u64 span = 1ul << (PAGE_SHIFT + 9 * level);
            *va = align_down(*va, span) + span;
            return nullptr;
        }
        table = table_of(entry);
    }
    return &table[table_index(*va, 0)];
}

u64 pmap_entry_flags(u32 map_flags) {
    u64 flags = map_flags ? PTE_LEAF | PTE_USER : PTE_HIDDEN | PTE_USER;
    if (map_flags & ARCH_MAP_WRITE) flags |= PTE_WRITE;
    if (!(map_flags & ARCH_MAP_EXECUTE)) flags |= PTE_NX;
    if (map_flags & ARCH_MAP_UNCACHED) flags |= PTE_CACHE_DISABLE | PTE_WRITE_THROUGH;
    return flags;
}

status_t arch_pmap_map(struct arch_pmap *pmap, u64 va, u64 paddr, u32 map_flags) {
    u64 *entry = pmap_entry_make(pmap, va);
    if (entry == nullptr) return ERR_NO_RESOURCES;
    DASSERT(*entry == 0 || (*entry & PTE_ADDRESS) == paddr);
    u64 old = *entry;
    __atomic_store_n(entry, paddr | pmap_entry_flags(map_flags), __ATOMIC_RELAXED);
    // More rights need no shoot-down (a CPU that faults on what it remembers asks again), but
    // this CPU would fault for nothing.
    if (old & PTE_PRESENT) tlb_flush_page(va);
    return 0;
}

status_t arch_pmap_reserve(struct arch_pmap *pmap, u64 va, u64 count) {
    u64 end = va + count * PAGE_SIZE;
    for (; va < end; va = align_down(va, MIB(2)) + MIB(2)) {
        if (pmap_entry_make(pmap, va) == nullptr) return ERR_NO_RESOURCES;
    }
    return 0;
}

bool arch_pmap_query(struct arch_pmap *pmap, u64 va, u64 *paddr, u32 *map_flags) {
    u64 *entry = pmap_entry_find(pmap, &va);
    if (entry == nullptr || *entry == 0) return false;
    *paddr = *entry & PTE_ADDRESS;
    *map_flags = 0;
    if (*entry & PTE_PRESENT)
        *map_flags = ARCH_MAP_READ | (*entry & PTE_WRITE ? ARCH_MAP_WRITE : 0) |
                     (*entry & PTE_NX ? 0 : ARCH_MAP_EXECUTE) |
                     (*entry & PTE_CACHE_DISABLE ? ARCH_MAP_UNCACHED : 0);
    return true;
}

u64 arch_pmap_next(struct arch_pmap *pmap, u64 va, u64 end) {
    while (va < end) {
        u64 *entry = pmap_entry_find(pmap, &va);
        if (entry == nullptr) continue;
        u64 table_end = min(end, align_down(va, MIB(2)) + MIB(2));
        const u64 *last = entry + ((table_end - va) >> PAGE_SHIFT);
        entry = pmap_entry_next(entry, last);
        va = table_end - (u64)(last - entry) * PAGE_SIZE;
        if (entry < last) break;
    }
    return min(va, end);
}

// Replaces each entry of [va, end) by what `keep` of it leaves, with `set` added; one that
// becomes 0 goes to the gather. Returns where to go on when the gather has enough, else `end`.
static u64 entries_change(struct arch_pmap *pmap, u64 va, u64 end, u64 keep, u64 set,
                          struct arch_gather *gather) {
    while (va < end) {
        if (keep == 0 && gather->walked >= WALK_MAX) return va;
        gather->walked++;
        u64 *entry = pmap_entry_find(pmap, &va);
        if (entry == nullptr) continue;
        u64 table_end = min(end, align_down(va, MIB(2)) + MIB(2));
        const u64 *last = entry + ((table_end - va) >> PAGE_SHIFT);
        gather->walked += (u32)(last - entry) / WALK_ENTRIES;
        for (; (entry = pmap_entry_next(entry, last)) < last; entry++) {
            u64 old = *entry;
            u64 changed = (old & keep) | set;
            va = table_end - (u64)(last - entry) * PAGE_SIZE;
            if (changed == old) continue;
            if (keep == 0 && gather->count == ARCH_GATHER_PAGES) return va;
            __atomic_store_n(entry, changed, __ATOMIC_RELAXED);
            pmap_gather_span(gather, va);
            if (keep == 0) {
                gather->paddr[gather->count] = old & PTE_ADDRESS;
                gather->va[gather->count++] = va;
            }
        }
        va = table_end;
    }
    return end;
}

u64 arch_pmap_unmap(struct arch_pmap *pmap, u64 va, u64 end, struct arch_gather *gather) {
    return entries_change(pmap, va, end, 0, 0, gather);
}

void arch_pmap_protect(struct arch_pmap *pmap, u64 va, u64 end, u32 map_flags,
                       struct arch_gather *gather) {
    u64 flags = pmap_entry_flags(map_flags);
    u64 keep = map_flags ? flags | ~PTE_WRITE : ~PTE_PRESENT;
    entries_change(pmap, va, end, keep, map_flags ? flags & PTE_NX : 0, gather);
}

void arch_gather_flush(struct arch_gather *gather) {
    if (gather->start >= gather->end) return;
    // The change of the entries must be seen before the list of CPUs is read (pmap_load does it
    // the other way round).
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    shootdown_range(__atomic_load_n(&gather->pmap->cpus, __ATOMIC_RELAXED), gather->start,
                    gather->end);
    gather->start = ~0ul;
    gather->end = 0;
}
