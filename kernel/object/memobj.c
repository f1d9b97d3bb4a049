// Memory objects. A page gets into the tree once, under the lock, if the object is alive and large
// enough then; a page is made or read without the lock, and lost if somebody was quicker.
// Lock: memobj->lock. Death and resize: first no page can get in any more (dead flag, size), then
// all mappings lose theirs, then the tree does.
#include "object/memobj.h"

#include "object/aspace.h"
#include "device/block.h"
#include "mm/relief.h"
#include "object/namespace.h"
#include "sched/thread.h"

status_t memobj_create_block(struct namespace *ns, struct block *block, u64 offset, u64 size_pages,
                             struct memobj **out) NO_THREAD_SAFETY_ANALYSIS { // nobody knows it yet
    if (block &&
        (offset > block->size_bytes || size_pages > (block->size_bytes - offset) >> PAGE_SHIFT))
        return ERR_OUT_OF_RANGE;
    struct memobj *memobj = object_alloc(ns, OBJ_MEMOBJ, sizeof(*memobj));
    if (!memobj) return ERR_NO_RESOURCES;
    lock_init(&memobj->lock, LOCK_MEMORY);
    list_init(&memobj->mappings);
    list_init(&memobj->cache_link);
    waitq_init(&memobj->waiters);
    memobj->size_pages = size_pages;
    if (block) object_get(&block->base);
    memobj->block = block;
    memobj->block_offset = offset;
    object_publish(&memobj->base);
    *out = memobj;
    return OK;
}

status_t memobj_create_boot(struct namespace *ns, u64 paddr, u64 size_pages, struct memobj **out) {
    status_t status = memobj_create(ns, size_pages, out);
    for (u64 i = 0; status == OK && i < size_pages; i++) {
        struct page *page = page_from_paddr(paddr + i * PAGE_SIZE);
        // One reference more than there will ever be puts for: it is never free.
        *page = (struct page){.payer = &ns->ledger, .refs = 2};
        lock_acquire(&(*out)->lock);
        void **slot = page_tree_make(&(*out)->pages, i, &ns->ledger);
        if (slot) *slot = page;
        memobj_count(*out, 1);
        lock_release(&(*out)->lock);
        if (!slot) status = ERR_NO_RESOURCES; // at boot this ends in a panic
    }
    return status;
}

// ---- pages ----

void memobj_count(struct memobj *memobj, i64 pages) {
    bool was_empty = memobj->resident == 0;
    memobj->resident += (u64)pages;
    if (!memobj->block || pages == 0) return;
    struct ledger *payer = &memobj->base.ns->ledger;
    ledger_cached_add(payer, pages);
    if (was_empty == (memobj->resident == 0)) return;
    lock_acquire(&payer->lock);
    if (was_empty)
        list_insert_tail(&payer->caches, &memobj->cache_link);
    else
        list_remove(&memobj->cache_link);
    lock_release(&payer->lock);
}

u32 memobj_find_pages(struct memobj *memobj, u64 index, u32 count, struct page **pages) {
    u32 found = 0;
    void **slot = nullptr;
    lock_acquire(&memobj->lock);
    for (u32 i = 0; i < count; i++, index++) {
        bool is_same_node = i > 0 && memobj->pages.depth > 0 && index % PAGE_TREE_SLOTS != 0;
        slot = !is_same_node ? page_tree_find(&memobj->pages, index) : slot ? slot + 1 : nullptr;
        pages[i] = slot && index < memobj->size_pages ? page_tree_page(slot) : nullptr;
        if (pages[i]) page_get(pages[i]);
        found += pages[i] != nullptr;
    }
    lock_release(&memobj->lock);
    return found;
}

struct page *memobj_find_page(struct memobj *memobj, u64 index) {
    struct page *page;
    (void)memobj_find_pages(memobj, index, 1, &page);
    return page;
}

// The slot of a page that may be there: its page if it is, or a new one in an object that is not
// read from a block range. DEAD, OUT_OF_RANGE, NO_RESOURCES.
static status_t slot_locked(struct memobj *memobj, u64 index, void ***slot)
    REQUIRES(&memobj->lock) {
    struct ledger *payer = &memobj->base.ns->ledger;
    if (object_is_dead(&memobj->base)) return ERR_DEAD;
    if (index >= memobj->size_pages) return ERR_OUT_OF_RANGE;
    *slot = page_tree_make(&memobj->pages, index, payer);
    if (!*slot) return ERR_NO_RESOURCES;
    if (**slot || memobj->block) return OK;
    **slot = page_alloc(payer, 0);
    if (!**slot) return ERR_NO_RESOURCES;
    memobj_count(memobj, 1);
    return OK;
}

status_t memobj_get_page(struct memobj *memobj, u64 index, struct page **out) {
    for (u32 tries = 0;;) {
        void **slot;
        lock_acquire(&memobj->lock);
        status_t status = slot_locked(memobj, index, &slot);
        *out = status == OK ? page_tree_page(slot) : nullptr;
        if (*out) page_get(*out);
        if (status == OK && !*out && *slot) {
            status = waitq_block(&memobj->waiters, &memobj->lock, CL_DEADLINE_NEVER, 0);
        } else {
            lock_release(&memobj->lock);
            if (status == OK && !*out) status = memobj_fill_block(memobj, index);
        }
        bool is_relieved = status == ERR_NO_RESOURCES && tries++ < RELIEF_TRIES &&
                           relief_for(&memobj->base.ns->ledger, RELIEF_PAGES);
        if (!is_relieved && (status != OK || *out)) return status;
    }
}

// ---- mappings ----

status_t memobj_attach(struct mapping *mapping) {
    struct memobj *memobj = mapping->object;
    u64 pages = (mapping->end - mapping->start) >> PAGE_SHIFT;
    u64 first = mapping->offset >> PAGE_SHIFT;
    lock_acquire(&memobj->lock);
    bool is_inside = first <= memobj->size_pages && pages <= memobj->size_pages - first;
    status_t status = is_inside ? OK : ERR_OUT_OF_RANGE;
    if (object_is_dead(&memobj->base)) status = ERR_DEAD;
    if (status == OK) {
        mapping->resizes_seen = memobj->resizes;
        list_insert_tail(&memobj->mappings, &mapping->object_link);
        memobj->mapping_count++;
    }
    lock_release(&memobj->lock);
    return status;
}

void memobj_attach_part(struct mapping *part, const struct mapping *whole) {
    struct memobj *memobj = part->object;
    lock_acquire(&memobj->lock);
    part->resizes_seen = whole->resizes_seen;
    // Before the whole, which a walk through the list may have passed already.
    list_insert_head(&memobj->mappings, &part->object_link);
    memobj->mapping_count++;
    lock_release(&memobj->lock);
}

static void detach_locked(struct memobj *memobj, struct mapping *mapping) REQUIRES(&memobj->lock) {
    memobj->mapping_count -= !list_empty(&mapping->object_link);
    list_remove(&mapping->object_link);
}

void memobj_detach(struct mapping *mapping) {
    struct memobj *memobj = mapping->object;
    lock_acquire(&memobj->lock);
    detach_locked(memobj, mapping);
    lock_release(&memobj->lock);
}

void memobj_mark_cut(struct mapping *mapping, u32 resizes) {
    struct memobj *memobj = mapping->object;
    lock_acquire(&memobj->lock);
    mapping->resizes_seen = resizes;
    list_remove(&mapping->object_link);
    list_insert_tail(&memobj->mappings, &mapping->object_link);
    lock_release(&memobj->lock);
}

// A mapping that shows what is gone: anything of a dead object, or something beyond the end. Those
// that were cut already are at the tail.
static struct mapping *uncut_locked(struct memobj *memobj) REQUIRES(&memobj->lock) {
    struct mapping *mapping;
    list_for_each(mapping, &memobj->mappings, object_link) {
        if (object_is_dead(&memobj->base) || mapping->resizes_seen != memobj->resizes)
            return mapping;
    }
    return nullptr;
}

// Cuts the mappings of one address space. True when none is left to be cut.
static bool cut_mappings_some(struct memobj *memobj) {
    lock_acquire(&memobj->lock);
    struct mapping *mapping = uncut_locked(memobj);
    struct aspace *aspace = mapping ? mapping->aspace : nullptr;
    if (aspace && !object_tryget(&aspace->base)) {
        // It is being freed, by whoever gets a processor for that when: nobody sees anything in it.
        detach_locked(memobj, mapping);
        aspace = nullptr;
    }
    u64 size = memobj->size_pages << PAGE_SHIFT;
    u32 resizes = memobj->resizes;
    lock_release(&memobj->lock);
    if (aspace) {
        aspace_cut_object(aspace, memobj, size, resizes);
        object_put(&aspace->base);
    }
    return !mapping;
}

// True when none is left at `from` or above.
static bool cut_pages_some(struct memobj *memobj, u64 from) {
    lock_acquire(&memobj->lock);
    u32 count = page_tree_cut(&memobj->pages, from, PAGE_TREE_END, CUT_ALL);
    memobj_count(memobj, -(i64)count);
    lock_release(&memobj->lock);
    return count == 0;
}

// ---- resize ----

static status_t resize_begin(struct memobj *memobj, u64 size_pages) {
    for (;;) {
        lock_acquire(&memobj->lock);
        if (object_is_dead(&memobj->base) || !memobj->is_resizing) break;
        status_t status = waitq_block(&memobj->waiters, &memobj->lock, CL_DEADLINE_NEVER, 0);
        if (status != OK) return status;
    }
    status_t status = object_is_dead(&memobj->base) ? ERR_DEAD : OK;
    if (status == OK) {
        memobj->is_resizing = true;
        memobj->resizes++;
        memobj->size_pages = size_pages;
    }
    lock_release(&memobj->lock);
    return status;
}

status_t sys_memobj_resize(struct memobj *memobj, u64 size) {
    if (memobj->block) return ERR_NOT_SUPPORTED;
    status_t status = resize_begin(memobj, size >> PAGE_SHIFT);
    if (status != OK) return status;
    while (!cut_mappings_some(memobj))
        sched_preempt_point();
    while (!cut_pages_some(memobj, size >> PAGE_SHIFT))
        sched_preempt_point();
    lock_acquire(&memobj->lock);
    memobj->is_resizing = false;
    waitq_wake_all(&memobj->waiters, OK);
    lock_release(&memobj->lock);
    return OK;
}

// ---- as an object ----

static void memobj_kill(struct object *object) {
    struct memobj *memobj = (struct memobj *)object;
    lock_acquire(&memobj->lock);
    waitq_wake_all(&memobj->waiters, ERR_DEAD);
    lock_release(&memobj->lock);
    while (!cut_mappings_some(memobj) || !cut_pages_some(memobj, 0))
        sched_preempt_point();
}

static void memobj_free(struct object *object) {
    struct memobj *memobj = (struct memobj *)object;
    while (!cut_pages_some(memobj, 0))
        sched_preempt_point();
    if (memobj->block) object_put(&memobj->block->base);
}

static void memobj_describe(struct object *object, u64 detail[4]) {
    struct memobj *memobj = (struct memobj *)object;
    lock_acquire(&memobj->lock);
    detail[0] = memobj->size_pages << PAGE_SHIFT;
    detail[1] = memobj->resident;
    lock_release(&memobj->lock);
}

const struct object_ops memobj_object_ops = {
    .kill = memobj_kill,
    .free = memobj_free,
    .describe = memobj_describe,
};
