// Page tables: many entries at once, table by table.
#include "abi/errors.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/page.h"
#include "paging.h"

status_t arch_pmap_map_window(struct arch_pmap *pmap, u64 va, u32 count, struct page **pages,
                              u32 map_flags) {
    u64 *entry = pmap_entry_make(pmap, va);
    if (entry == nullptr) return ERR_NO_RESOURCES;
    u64 flags = pmap_entry_flags(map_flags);
    for (u32 i = 0; i < count; i++) {
        if (!pages[i] || entry[i] != 0) continue;
        __atomic_store_n(&entry[i], page_paddr(pages[i]) | flags, __ATOMIC_RELAXED);
        pages[i] = nullptr;
    }
    return OK;
}

// The same page, no longer writable.
static u64 entry_share(struct arch_pmap_copy *copy, u64 *from, u64 va) {
    u64 entry = *from & ~PTE_WRITE;
    page_get(page_from_paddr(entry & PTE_ADDRESS));
    if (copy->gather && *from != entry) {
        __atomic_store_n(from, entry, __ATOMIC_RELAXED);
        pmap_gather_span(copy->gather, va);
    }
    return entry;
}

// A copy of the page; 0: it can't be paid.
static u64 entry_duplicate(const struct arch_pmap_copy *copy, u64 entry) {
    struct page *page = page_alloc(copy->payer, PAGE_DIRTY);
    if (!page) return 0;
    page_copy(page_address(page), table_of(entry));
    return page_paddr(page) | pmap_entry_flags(copy->map_flags);
}

// Entries of one table, from the one at *va on; `end` is not beyond the table.
static status_t table_copy(struct arch_pmap_copy *copy, u64 *from, u64 *va, u64 end) {
    const u64 *last = from + ((end - *va) >> PAGE_SHIFT);
    u64 *to = nullptr;
    u64 *first = from;
    u64 start = *va;
    for (from = pmap_entry_next(from, last); from < last; from = pmap_entry_next(from + 1, last)) {
        *va = start + (u64)(from - first) * PAGE_SIZE;
        if (copy->count == copy->limit) return OK;
        if (!to) to = pmap_entry_make(copy->to, start);
        if (!to) return ERR_NO_RESOURCES;
        u64 entry = copy->payer ? entry_duplicate(copy, *from) : entry_share(copy, from, *va);
        if (entry == 0) return ERR_NO_RESOURCES;
        DASSERT(to[from - first] == 0);
        __atomic_store_n(&to[from - first], entry, __ATOMIC_RELAXED);
        copy->count++;
    }
    *va = end;
    return OK;
}

status_t arch_pmap_copy(struct arch_pmap_copy *copy, u64 *va, u64 end) {
    status_t status = OK;
    copy->count = copy->walked = 0;
    while (status == OK && *va < end && copy->count < copy->limit && copy->walked++ < WALK_MAX) {
        u64 *from = pmap_entry_find(copy->from, va);
        if (!from) continue;
        u64 table_end = min(end, align_down(*va, MIB(2)) + MIB(2));
        copy->walked += ((table_end - *va) >> PAGE_SHIFT) / WALK_ENTRIES;
        status = table_copy(copy, from, va, table_end);
    }
    *va = min(*va, end);
    return status;
}
