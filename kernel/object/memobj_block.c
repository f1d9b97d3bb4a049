// Memory objects over a block range: a page that is being read has its slot marked, without the
// object's lock; others wait for it.
#include "object/block.h"
#include "object/memobj.h"
#include "object/namespace.h"

// Marks the slot; SHOULD_WAIT when somebody was quicker.
static status_t fill_begin(struct memobj *memobj, u64 index, struct page *page) {
    status_t status = OK;
    lock_acquire(&memobj->lock);
    void **slot = nullptr;
    if (object_is_dead(&memobj->base))
        status = ERR_DEAD;
    else
        slot = page_tree_make(&memobj->pages, index, &memobj->base.ns->ledger);
    if (status == OK && !slot)
        status = ERR_NO_RESOURCES;
    else if (status == OK && *slot)
        status = ERR_SHOULD_WAIT;
    else if (status == OK)
        *slot = page_tree_filling(page);
    lock_release(&memobj->lock);
    return status;
}

// The slot becomes the page, or empty again; then the caller puts the page.
static status_t fill_end(struct memobj *memobj, u64 index, struct page *page, status_t status) {
    lock_acquire(&memobj->lock);
    if (object_is_dead(&memobj->base)) status = ERR_DEAD;
    void **slot = page_tree_find(&memobj->pages, index);
    *slot = status == OK ? page : nullptr;
    memobj->resident += status == OK;
    waitq_wake_all(&memobj->waiters, OK);
    lock_release(&memobj->lock);
    return status;
}

status_t memobj_fill_block(struct memobj *memobj, u64 index) {
    struct page *page = page_alloc(&memobj->base.ns->ledger, PAGE_DIRTY);
    if (!page) return ERR_NO_RESOURCES;
    status_t status = fill_begin(memobj, index, page);
    if (status == OK) {
        u64 offset = memobj->block_offset + index * PAGE_SIZE;
        status = fill_end(memobj, index, page, block_read_page(memobj->block, offset, page));
        if (status == OK) return OK;
    }
    page_put(page);
    return status == ERR_SHOULD_WAIT ? OK : status;
}
