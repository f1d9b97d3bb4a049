// Memory objects. A page gets into the tree once, under the lock, if the object is alive and large
// enough then; a page is made or read without the lock, and lost if somebody was quicker.
// Lock: memobj->lock. Death and resize: first no page can get in any more (dead flag, size), then
// all mappings lose theirs, then the tree does.
#include "object/memobj.h"

#include "object/aspace.h"
#include "device/block.h"
#include "object/namespace.h"
#include "sched/thread.h"

// Nobody knows the object yet.
static status_t create(struct namespace *ns, u64 size_pages,
                       struct memobj **out) NO_THREAD_SAFETY_ANALYSIS {
    struct memobj *memobj = object_alloc(ns, OBJ_MEMOBJ, sizeof(*memobj));
    if (!memobj) return ERR_NO_RESOURCES;
    lock_init(&memobj->lock, LOCK_MEMORY);
    list_init(&memobj->mappings);
    waitq_init(&memobj->waiters);
    memobj->size_pages = size_pages;
    *out = memobj;
    return OK;
}

status_t memobj_create(struct namespace *ns, u64 size_pages, struct memobj **out) {
    status_t status = create(ns, size_pages, out);
    if (status == OK) object_publish(&(*out)->base);
    return status;
}

status_t memobj_create_block(struct namespace *ns, struct block *block, u64 offset, u64 size_pages,
                             struct memobj **out) {
    if (offset > block->size_bytes || size_pages > (block->size_bytes - offset) >> PAGE_SHIFT)
        return ERR_OUT_OF_RANGE;
    status_t status = create(ns, size_pages, out);
    if (status != OK) return status;
    object_get(&block->base);
    (*out)->block = block;
    (*out)->block_offset = offset;
    object_publish(&(*out)->base);
    return OK;
}

// Enters a page that the caller holds a reference to, and gives that away. OK also when there is
// one already, then *lost is the page to be put.
static status_t enter_page(struct memobj *memobj, u64 index, struct page **lost)
    REQUIRES(&memobj -> lock) {
    if (object_is_dead(&memobj->base)) return ERR_DEAD;
    if (index >= memobj->size_pages) return ERR_OUT_OF_RANGE;
    void **slot = page_tree_make(&memobj->pages, index, &memobj->base.ns->ledger);
    if (!slot) return ERR_NO_RESOURCES;
    if (*slot) return OK;
    *slot = *lost;
    *lost = nullptr;
    memobj->resident++;
    return OK;
}

status_t memobj_create_boot(struct namespace *ns, u64 paddr, u64 size_pages, struct memobj **out) {
    struct memobj *memobj;
    status_t status = memobj_create(ns, size_pages, &memobj);
    for (u64 i = 0; status == OK && i < size_pages; i++) {
        struct page *page = page_from_paddr(paddr + i * PAGE_SIZE);
        // One reference more than there will ever be puts for: it is never free.
        *page = (struct page){.payer = &ns->ledger, .refs = 2};
        lock_acquire(&memobj->lock);
        status = enter_page(memobj, i, &page);
        lock_release(&memobj->lock);
        if (status != OK) object_put(&memobj->base);
    }
    if (status == OK) *out = memobj;
    return status;
}

// ---- pages ----

u32 memobj_find_pages(struct memobj *memobj, u64 index, u32 count, u64 without,
                      struct page **pages) {
    u32 found = 0;
    void **slot = nullptr;
    lock_acquire(&memobj->lock);
    for (u32 i = 0; i < count; i++, index++) {
        bool is_same_node = i > 0 && memobj->pages.depth > 0 && index % PAGE_TREE_SLOTS != 0;
        slot = is_same_node ? slot + (slot != nullptr) : page_tree_find(&memobj->pages, index);
        bool is_wanted = slot && !(without >> i & 1) && index < memobj->size_pages;
        pages[i] = is_wanted ? page_tree_page(slot) : nullptr;
        if (pages[i]) page_get(pages[i]);
        found += pages[i] != nullptr;
    }
    lock_release(&memobj->lock);
    return found;
}

struct page *memobj_find_page(struct memobj *memobj, u64 index) {
    struct page *page;
    (void)memobj_find_pages(memobj, index, 1, 0, &page);
    return page;
}

static status_t fill_zero(struct memobj *memobj, u64 index) {
    struct page *page = page_alloc(&memobj->base.ns->ledger, 0);
    if (!page) return ERR_NO_RESOURCES;
    lock_acquire(&memobj->lock);
    status_t status = enter_page(memobj, index, &page);
    lock_release(&memobj->lock);
    if (page) page_put(page);
    return status;
}

// The page, or nullptr and why: OK means that it is to be filled.
static status_t look_locked(struct memobj *memobj, u64 index, struct page **page, bool *is_filling)
    REQUIRES(&memobj -> lock) {
    *page = nullptr;
    *is_filling = false;
    if (object_is_dead(&memobj->base)) return ERR_DEAD;
    if (index >= memobj->size_pages) return ERR_OUT_OF_RANGE;
    void **slot = page_tree_find(&memobj->pages, index);
    *page = slot ? page_tree_page(slot) : nullptr;
    *is_filling = !*page && slot && *slot;
    if (*page) page_get(*page);
    return OK;
}

status_t memobj_get_page(struct memobj *memobj, u64 index, struct page **out) {
    for (;;) {
        bool is_filling;
        lock_acquire(&memobj->lock);
        status_t status = look_locked(memobj, index, out, &is_filling);
        if (is_filling) {
            status = waitq_block(&memobj->waiters, &memobj->lock, CL_DEADLINE_NEVER, 0);
        } else {
            lock_release(&memobj->lock);
            if (status == OK && !*out)
                status =
                    memobj->block ? memobj_fill_block(memobj, index) : fill_zero(memobj, index);
        }
        if (status != OK || *out) return status;
    }
}

status_t memobj_write_kernel(struct memobj *memobj, u64 offset, const void *bytes, usize size) {
    const u8 *from = bytes;
    while (size > 0) {
        u64 in_page = offset & PAGE_MASK;
        usize part = min(size, PAGE_SIZE - in_page);
        struct page *page;
        status_t status = memobj_get_page(memobj, offset >> PAGE_SHIFT, &page);
        if (status != OK) return status;
        memcpy((u8 *)page_address(page) + in_page, from, part);
        page_put(page);
        offset += part;
        from += part;
        size -= part;
    }
    return OK;
}

// ---- mappings ----

status_t memobj_attach(struct mapping *mapping) {
    struct memobj *memobj = mapping->object;
    u64 pages = (mapping->end - mapping->start) >> PAGE_SHIFT;
    u64 first = mapping->offset >> PAGE_SHIFT;
    status_t status = OK;
    lock_acquire(&memobj->lock);
    if (object_is_dead(&memobj->base)) {
        status = ERR_DEAD;
    } else if (first > memobj->size_pages || pages > memobj->size_pages - first) {
        status = ERR_OUT_OF_RANGE;
    } else {
        mapping->resizes_seen = memobj->resizes;
        list_insert_tail(&memobj->mappings, &mapping->object_link);
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
    lock_release(&memobj->lock);
}

void memobj_detach(struct mapping *mapping) {
    struct memobj *memobj = mapping->object;
    lock_acquire(&memobj->lock);
    list_remove(&mapping->object_link);
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

// The address space of one mapping, referenced. nullptr: it is being freed and detaches just now.
static struct aspace *mapping_aspace(const struct mapping *mapping) {
    return object_tryget(&mapping->aspace->base) ? mapping->aspace : nullptr;
}

// True when no mapping is left.
static bool unmap_some(struct memobj *memobj) {
    lock_acquire(&memobj->lock);
    struct mapping *first = list_first(&memobj->mappings, struct mapping, object_link);
    struct aspace *aspace = first ? mapping_aspace(first) : nullptr;
    lock_release(&memobj->lock);
    if (aspace) {
        aspace_drop_object(aspace, memobj);
        object_put(&aspace->base);
    }
    return !first;
}

// The next mapping that has not been cut yet; those that have are at the tail.
static struct mapping *uncut_locked(struct memobj *memobj) REQUIRES(&memobj -> lock) {
    struct mapping *mapping;
    list_for_each(mapping, &memobj->mappings, object_link) {
        if (mapping->resizes_seen != memobj->resizes) return mapping;
    }
    return nullptr;
}

// Takes the pages beyond the end out of all mappings.
static void cut_mappings(struct memobj *memobj, u64 size_pages) {
    for (;;) {
        lock_acquire(&memobj->lock);
        struct mapping *mapping = uncut_locked(memobj);
        struct aspace *aspace = mapping ? mapping_aspace(mapping) : nullptr;
        u32 resizes = memobj->resizes;
        lock_release(&memobj->lock);
        if (!mapping) return;
        if (aspace) {
            aspace_cut_object(aspace, memobj, size_pages, resizes);
            object_put(&aspace->base);
        }
        sched_preempt_point();
    }
}

static bool cut_pages_some(struct memobj *memobj, u64 from) {
    struct page_batch batch = {};
    lock_acquire(&memobj->lock);
    bool is_done = page_tree_cut(&memobj->pages, from, &batch);
    memobj->resident -= batch.count;
    lock_release(&memobj->lock);
    page_batch_put(&batch);
    return is_done;
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

status_t memobj_resize(struct memobj *memobj, u64 size_pages) {
    if (memobj->block) return ERR_NOT_SUPPORTED;
    status_t status = resize_begin(memobj, size_pages);
    if (status != OK) return status;
    cut_mappings(memobj, size_pages);
    while (!cut_pages_some(memobj, size_pages))
        sched_preempt_point();
    lock_acquire(&memobj->lock);
    memobj->is_resizing = false;
    waitq_wake_all(&memobj->waiters, OK);
    lock_release(&memobj->lock);
    return OK;
}

// ---- as an object ----

static bool memobj_kill(struct object *object) {
    struct memobj *memobj = (struct memobj *)object;
    lock_acquire(&memobj->lock);
    waitq_wake_all(&memobj->waiters, ERR_DEAD);
    lock_release(&memobj->lock);
    return unmap_some(memobj) && cut_pages_some(memobj, 0);
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
