// Page tables: many entries at once, table by table.
#include "abi/errors.h"
#include "lib/print.h"
#include "mm/page.h"
#include "paging.h"

status_t arch_pmap_map_window(struct arch_pmap *pmap, u64 va, u32 count, const u64 *paddr,
                              u32 map_flags, u64 *entered) {
    u64 *entry = pmap_entry_make(pmap, va);
    *entered = 0;
    if (entry == nullptr) return ERR_NO_RESOURCES;
    u64 flags = pmap_entry_flags(map_flags);
    for (u32 i = 0; i < count; i++) {
        if (paddr[i] == ARCH_NO_PAGE || entry[i] != 0) continue;
        __atomic_store_n(&entry[i], paddr[i] | flags, __ATOMIC_RELAXED);
        *entered |= 1ul << i;
    }
    return OK;
}

u64 arch_pmap_query_window(struct arch_pmap *pmap, u64 va, u32 count) {
    u64 *entry = pmap_entry_find(pmap, &va);
    u64 entered = 0;
    for (u32 i = 0; entry && i < count; i++)
        entered |= (u64)(entry[i] != 0) << i;
    return entered;
}

// Copies one entry that is not empty.
static void entry_copy(struct arch_pmap_copy *copy, u64 *from, u64 *to, u64 va) {
    u64 entry = *from;
    page_get(page_from_paddr(entry & PTE_ADDRESS));
    DASSERT(*to == 0);
    __atomic_store_n(to, entry & ~PTE_WRITE, __ATOMIC_RELAXED);
    copy->count++;
    if (copy->gather && entry & PTE_WRITE) {
        __atomic_store_n(from, entry & ~PTE_WRITE, __ATOMIC_RELAXED);
        pmap_gather_span(copy->gather, va);
    }
}

// Entries of one table: `from` leads to that of *va.
static status_t table_copy(struct arch_pmap_copy *copy, u64 *from, u64 *va, u64 end) {
    u64 *to = nullptr;
    for (; *va < end; *va += PAGE_SIZE, from++) {
        if (*from == 0)
            to = to ? to + 1 : nullptr;
        else if (copy->count == copy->limit)
            return OK;
        else if (!to && !(to = pmap_entry_make(copy->to, *va)))
            return ERR_NO_RESOURCES;
        else
            entry_copy(copy, from, to++, *va);
    }
    return OK;
}

status_t arch_pmap_copy(struct arch_pmap_copy *copy, u64 *va, u64 end) {
    status_t status = OK;
    copy->count = 0;
    while (status == OK && *va < end && copy->count < copy->limit) {
        u64 *from = pmap_entry_find(copy->from, va);
        if (from) status = table_copy(copy, from, va, min(end, align_down(*va, MIB(2)) + MIB(2)));
    }
    *va = min(*va, end);
    return status;
}
