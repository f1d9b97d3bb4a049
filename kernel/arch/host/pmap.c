// Page tables: a sorted array of entries for each address space; "tables" are taken
// and paid like real ones. Its mutex stands for the hardware, which looks at any time.
#include "abi/errors.h"
#include "host.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/page.h"
#include "os.h"
#include "tlb.h"

// ---- sorted arrays ----

static u64 map_lower(const struct host_map *map, u64 va) {
    u64 low = 0, high = map->count;
    while (low < high) {
        u64 middle = (low + high) / 2;
        if (map->entries[middle].va < va)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct host_map_entry *map_find(const struct host_map *map, u64 va) {
    u64 at = map_lower(map, va);
    return at < map->count && map->entries[at].va == va ? &map->entries[at] : nullptr;
}

static void map_add(struct host_map *map, u64 va, u64 paddr, u32 flags) {
    u64 at = map_lower(map, va);
    if (map->count == map->capacity) {
        map->capacity = max(2 * map->capacity, 16ul);
        map->entries = host_os_resize(map->entries, map->capacity * sizeof(map->entries[0]));
    }
    __builtin_memmove(&map->entries[at + 1], &map->entries[at],
                      (map->count - at) * sizeof(map->entries[0]));
    map->entries[at] = (struct host_map_entry){va, paddr, flags};
    map->count++;
}

static void map_remove(struct host_map *map, u64 at, u64 count) {
    if (count == 0) return;
    __builtin_memmove(&map->entries[at], &map->entries[at + count],
                      (map->count - at - count) * sizeof(map->entries[0]));
    map->count -= count;
}

// ---- pmaps ----

static bool table_add(struct arch_pmap *pmap, u64 va) {
    struct page *page = page_alloc(pmap->payer, PAGE_KERNEL);
    if (page) map_add(&pmap->tables, va, page_paddr(page), 0);
    return page;
}

status_t arch_pmap_init(struct arch_pmap *pmap, struct arch_pmap *process, struct ledger *payer) {
    *pmap = (struct arch_pmap){.payer = payer, .process = process};
    if (!table_add(pmap, ~0ul)) return ERR_NO_RESOURCES;
    pmap->mutex = host_mutex_create();
    return OK;
}

void arch_pmap_destroy(struct arch_pmap *pmap) {
    ASSERT(pmap->pages.count == 0);
    tlb_leave(pmap);
    for (u64 i = 0; i < pmap->tables.count; i++)
        page_put_zeroed(page_from_paddr(pmap->tables.entries[i].paddr));
    host_os_free(pmap->tables.entries);
    host_os_free(pmap->pages.entries);
    host_mutex_destroy(pmap->mutex);
}

static bool table_make(struct arch_pmap *pmap, u64 va) {
    DASSERT(va < ARCH_USER_END && (va >= ARCH_USER_SPLIT) == (pmap->process == nullptr));
    u64 table = align_down(va, MIB(2));
    if (map_find(&pmap->tables, table)) return true;
    return table_add(pmap, table);
}

static status_t map_locked(struct arch_pmap *pmap, u64 va, u64 paddr, u32 map_flags) {
    if (!table_make(pmap, va)) return ERR_NO_RESOURCES;
    struct host_map_entry *entry = map_find(&pmap->pages, va);
    ASSERT(!entry || entry->paddr == paddr);
    if (entry)
        entry->flags = map_flags;
    else
        map_add(&pmap->pages, va, paddr, map_flags);
    return OK;
}

status_t arch_pmap_map(struct arch_pmap *pmap, u64 va, u64 paddr, u32 map_flags) {
    host_mutex_lock(pmap->mutex);
    status_t status = map_locked(pmap, va, paddr, map_flags);
    host_mutex_unlock(pmap->mutex);
    if (status == OK) tlb_flush_own(pmap, va);
    return status;
}

status_t arch_pmap_reserve(struct arch_pmap *pmap, u64 va, u64 count) {
    bool is_paid = true;
    host_mutex_lock(pmap->mutex);
    for (u64 end = va + count * PAGE_SIZE; va < end && is_paid;
         va = align_down(va, MIB(2)) + MIB(2))
        is_paid = table_make(pmap, va);
    host_mutex_unlock(pmap->mutex);
    return is_paid ? OK : ERR_NO_RESOURCES;
}

bool arch_pmap_query(struct arch_pmap *pmap, u64 va, u64 *paddr, u32 *map_flags) {
    host_mutex_lock(pmap->mutex);
    const struct host_map_entry *entry = map_find(&pmap->pages, va);
    if (entry) {
        *paddr = entry->paddr;
        *map_flags = entry->flags;
    }
    host_mutex_unlock(pmap->mutex);
    return entry != nullptr;
}

u64 arch_pmap_next(struct arch_pmap *pmap, u64 va, u64 end) {
    host_mutex_lock(pmap->mutex);
    u64 at = map_lower(&pmap->pages, va);
    u64 next = at < pmap->pages.count ? min(pmap->pages.entries[at].va, end) : end;
    host_mutex_unlock(pmap->mutex);
    return next;
}

status_t arch_pmap_map_window(struct arch_pmap *pmap, u64 va, u32 count, struct page **pages,
                              u32 map_flags) {
    status_t status = OK;
    host_mutex_lock(pmap->mutex);
    if (!table_make(pmap, va)) status = ERR_NO_RESOURCES;
    for (u32 i = 0; i < count && status == OK; i++) {
        if (!pages[i] || map_find(&pmap->pages, va + i * PAGE_SIZE)) continue;
        map_add(&pmap->pages, va + i * PAGE_SIZE, page_paddr(pages[i]), map_flags);
        pages[i] = nullptr;
    }
    host_mutex_unlock(pmap->mutex);
    return status;
}

static void gather_span(struct arch_gather *gather, u64 va) {
    gather->start = min(gather->start, va);
    gather->end = max(gather->end, va + PAGE_SIZE);
}

static bool entry_copy(struct arch_pmap_copy *copy, const struct host_map_entry *entry) {
    if (!copy->payer) {
        page_get(page_from_paddr(entry->paddr));
        map_add(&copy->to->pages, entry->va, entry->paddr, entry->flags & ~ARCH_MAP_WRITE);
        return true;
    }
    struct page *page = page_alloc(copy->payer, PAGE_DIRTY);
    if (!page) return false;
    page_copy(page_address(page), arch_direct(entry->paddr));
    map_add(&copy->to->pages, entry->va, page_paddr(page), copy->map_flags);
    return true;
}

static status_t copy_locked(struct arch_pmap_copy *copy, u64 *va, u64 end) {
    struct host_map *from = &copy->from->pages;
    for (u64 i = map_lower(from, *va); i < from->count && from->entries[i].va < end; i++) {
        struct host_map_entry *entry = &from->entries[i];
        *va = entry->va;
        if (copy->count == copy->limit) return OK;
        if (!table_make(copy->to, *va)) return ERR_NO_RESOURCES;
        ASSERT(!map_find(&copy->to->pages, *va));
        if (!entry_copy(copy, entry)) return ERR_NO_RESOURCES;
        copy->count++;
        if (copy->gather && entry->flags & ARCH_MAP_WRITE) {
            entry->flags &= ~ARCH_MAP_WRITE;
            gather_span(copy->gather, *va);
        }
    }
    *va = end;
    return OK;
}

status_t arch_pmap_copy(struct arch_pmap_copy *copy, u64 *va, u64 end) {
    copy->count = 0;
    host_mutex_lock(copy->from->mutex);
    host_mutex_lock(copy->to->mutex);
    status_t status = copy_locked(copy, va, end);
    host_mutex_unlock(copy->to->mutex);
    host_mutex_unlock(copy->from->mutex);
    return status;
}

u64 arch_pmap_unmap(struct arch_pmap *pmap, u64 va, u64 end, struct arch_gather *gather) {
    host_mutex_lock(pmap->mutex);
    struct host_map *pages = &pmap->pages;
    u64 first = map_lower(pages, va);
    u64 next = first;
    for (; next < pages->count && pages->entries[next].va < end; next++) {
        const struct host_map_entry *entry = &pages->entries[next];
        if (gather->count == ARCH_GATHER_PAGES) {
            end = entry->va;
            break;
        }
        gather->paddr[gather->count] = entry->paddr;
        gather->va[gather->count++] = entry->va;
        gather_span(gather, entry->va);
    }
    map_remove(pages, first, next - first);
    host_mutex_unlock(pmap->mutex);
    return end;
}

void arch_pmap_protect(struct arch_pmap *pmap, u64 va, u64 end, u32 map_flags,
                       struct arch_gather *gather) {
    host_mutex_lock(pmap->mutex);
    struct host_map *pages = &pmap->pages;
    for (u64 i = map_lower(pages, va); i < pages->count && pages->entries[i].va < end; i++) {
        struct host_map_entry *entry = &pages->entries[i];
        if ((entry->flags & map_flags) == entry->flags) continue;
        entry->flags &= map_flags;
        gather_span(gather, entry->va);
    }
    host_mutex_unlock(pmap->mutex);
}

u64 host_pmap_pages(const struct arch_pmap *pmap) { return pmap->pages.count; }
