// Memory objects over a block range. Pages that are being read have their slots marked, without
// the object's lock; others wait for them. One request reads what is missing around the page that
// is wanted, in an aligned window: the same that a page fault then enters at once.
#include "device/block.h"
#include "device/turns.h"
#include "object/memobj.h"
#include "object/namespace.h"

struct fill {
    u64 first; // index
    u32 count;
    struct page *pages[BLOCK_REQUEST_PAGES_MAX];
};

static bool is_missing(struct memobj *memobj, u64 index) REQUIRES(&memobj->lock) {
    void **slot = page_tree_find(&memobj->pages, index);
    return index < memobj->size_pages && !(slot && *slot);
}

// Marks one slot; false when that can't be paid.
static bool fill_add(struct memobj *memobj, struct fill *fill) REQUIRES(&memobj->lock) {
    struct ledger *payer = &memobj->base.ns->ledger;
    void **slot = page_tree_make(&memobj->pages, fill->first + fill->count, payer);
    struct page *page = slot ? page_alloc(payer, PAGE_DIRTY) : nullptr;
    if (!page) return false;
    *slot = page_tree_filling(page);
    fill->pages[fill->count++] = page;
    return true;
}

// Marks missing pages around `index`, `most` at the most (a power of two). None, and OK: somebody
// was quicker.
static status_t fill_begin(struct memobj *memobj, u64 index, u32 most, struct fill *fill) {
    u64 low = align_down(index, most);
    status_t status = OK;
    *fill = (struct fill){.first = index};
    lock_acquire(&memobj->lock);
    if (object_is_dead(&memobj->base)) {
        status = ERR_DEAD;
    } else if (is_missing(memobj, index)) {
        while (fill->first > low && is_missing(memobj, fill->first - 1))
            fill->first--;
        while (fill->first + fill->count < low + most &&
               is_missing(memobj, fill->first + fill->count) && fill_add(memobj, fill))
            continue;
        status = fill->count == 0 ? ERR_NO_RESOURCES : OK;
    }
    lock_release(&memobj->lock);
    return status;
}

void memobj_filled(struct memobj *memobj, u64 first, struct page **pages, u32 count,
                   status_t status) {
    lock_acquire(&memobj->lock);
    if (object_is_dead(&memobj->base)) status = ERR_DEAD;
    for (u32 i = 0; i < count; i++) {
        void **slot = page_tree_find(&memobj->pages, first + i);
        *slot = status == OK ? pages[i] : nullptr;
    }
    memobj_count(memobj, status == OK ? count : 0);
    waitq_wake_all(&memobj->waiters, OK);
    lock_release(&memobj->lock);
    for (u32 i = 0; status != OK && i < count; i++)
        page_put(pages[i]);
}

static status_t fill_window(struct memobj *memobj, u64 index, u32 most) {
    struct fill fill;
    struct turn turn;
    // Before anything is marked: others may want these pages and need not wait for this turn.
    status_t status = turn_begin(BLOCK_READ, &turn);
    if (status != OK) return status;
    status = fill_begin(memobj, index, most, &fill);
    turn_end(BLOCK_READ, &turn, fill.count);
    if (status != OK || fill.count == 0) return status;
    struct block_io io = {
        .operation = BLOCK_READ,
        .count = fill.count,
        .offset = memobj->block_offset + fill.first * PAGE_SIZE,
        .pages = fill.pages,
        .memobj = memobj,
        .first = fill.first,
    };
    return block_transfer(memobj->block, &io);
}

status_t memobj_fill_block(struct memobj *memobj, u64 index) {
    status_t status = fill_window(memobj, index, BLOCK_REQUEST_PAGES_MAX);
    // A neighbour may be at fault.
    return status == ERR_IO_ERROR ? fill_window(memobj, index, 1) : status;
}
