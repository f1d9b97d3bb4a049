// Giving back the pages of a block range. A hand goes round the object, by segments. The pages of the
// segment at the hand that only the object has go. Then those of the next one are taken out of all
// address spaces; they stay in the object, and who uses one again before the hand comes there has it
// back for a small fault, and keeps it. Who is within its reservation is left as many as that has room
// for: mapped pages of images count there, though somebody else pays for them.
// Address spaces are locked against the order, and so only if that needs no waiting: what is missed
// is there the next time.
#include "object/aspace.h"
#include "object/namespace.h"
#include "sched/thread.h"

enum : u64 { SEGMENT_PAGES = 512 };
enum : u32 { MAPPINGS_AT_ONCE = 8 }; // between preemption points

static u64 segment_give(struct memobj *memobj, u64 first) {
    u32 count;
    u64 given = 0;
    do {
        lock_acquire(&memobj->lock);
        count = page_tree_cut(&memobj->pages, first, first + SEGMENT_PAGES, CUT_UNSHARED);
        memobj_count(memobj, -(i64)count);
        lock_release(&memobj->lock);
        given += count;
        sched_preempt_point();
    } while (count == CUT_PAGES);
    return given;
}

static void gathered_put(struct arch_gather *gather) {
    arch_gather_flush(gather);
    while (gather->count > 0)
        page_put(page_from_paddr(gather->paddr[--gather->count]));
    gather->walked = 0;
}

// How many mapped pages a namespace keeps: as many as its reservation has room for beside what it
// uses, each time the hand comes round. `within` is whose reservation that is.
static i64 spare_left(struct ledger *within, const struct memobj *memobj) REQUIRES(&memobj->lock) {
    u64 round = memobj->base.koid << 24 ^ memobj->round;
    if (__atomic_exchange_n(&within->spared_round, round, __ATOMIC_RELAXED) != round)
        __atomic_store_n(&within->spared_pages, 0, __ATOMIC_RELAXED);
    return ledger_reserve_left(within) - __atomic_load_n(&within->spared_pages, __ATOMIC_RELAXED);
}

// The addresses where a mapping shows a segment; start ≥ end: nowhere.
static void segment_find(const struct mapping *mapping, u64 first, u64 *start, u64 *end) {
    u64 begin = max(first << PAGE_SHIFT, mapping->offset);
    u64 size = mapping->end - mapping->start;
    u64 past = min((first + SEGMENT_PAGES) << PAGE_SHIFT, mapping->offset + size);
    *start = mapping->start + (begin - mapping->offset);
    *end = begin < past ? mapping->start + (past - mapping->offset) : 0;
}

// Takes the object's pages of a segment, and no private copies, out of a mapping, but for so many that
// are spared. Returns how many those are.
static i64 mapping_take(struct memobj *memobj, struct aspace *aspace, const struct mapping *mapping,
                        u64 first, i64 spared_most) REQUIRES(&memobj->lock, &aspace->lock) {
    struct arch_gather gather;
    u64 va, end, paddr;
    u32 rights;
    i64 spared = 0;
    segment_find(mapping, first, &va, &end);
    arch_gather_init(&gather, &aspace->pmap);
    for (; va < end && (va = arch_pmap_next(&aspace->pmap, va, end)) < end; va += PAGE_SIZE) {
        u64 index = (mapping->offset + (va - mapping->start)) >> PAGE_SHIFT;
        void **slot = page_tree_find(&memobj->pages, index);
        bool is_entered = arch_pmap_query(&aspace->pmap, va, &paddr, &rights);
        if (!slot || !is_entered || *slot != page_from_paddr(paddr)) continue;
        if (spared < spared_most) {
            spared++;
            continue;
        }
        (void)arch_pmap_unmap(&aspace->pmap, va, va + PAGE_SIZE, &gather);
        if (gather.count == ARCH_GATHER_PAGES) gathered_put(&gather);
    }
    gathered_put(&gather);
    return spared;
}

// The mappings come round: those looked at go to the end of the list.
static void mappings_take(struct memobj *memobj, u64 first, u32 count, const void *asker)
    REQUIRES(&memobj->lock) {
    for (u32 i = 0; i < count && !list_empty(&memobj->mappings); i++) {
        struct mapping *mapping = list_first(&memobj->mappings, struct mapping, object_link);
        list_remove(&mapping->object_link);
        list_insert_tail(&memobj->mappings, &mapping->object_link);
        // It keeps its address space from being freed as long as our lock keeps it on the list.
        struct aspace *aspace = mapping->aspace;
        struct ledger *ledger = &aspace->base.ns->ledger;
        struct ledger *within = ledger == asker ? nullptr : ledger_within(ledger, nullptr);
        if (!lock_try(&aspace->lock)) continue;
        i64 spared_most = within ? spare_left(within, memobj) : 0;
        i64 spared = mapping_take(memobj, aspace, mapping, first, spared_most);
        lock_release(&aspace->lock);
        if (within) __atomic_fetch_add(&within->spared_pages, spared, __ATOMIC_RELAXED);
    }
}

// How many pages are there, and whether others have some of them.
static u64 segment_look(struct memobj *memobj, u64 first, bool *is_shared) REQUIRES(&memobj->lock) {
    u64 seen = 0;
    *is_shared = false;
    for (u64 index = page_tree_next(&memobj->pages, first); index < first + SEGMENT_PAGES;
         index = page_tree_next(&memobj->pages, index + 1), seen++) {
        const struct page *page = page_tree_page(page_tree_find(&memobj->pages, index));
        *is_shared |= page && page_refs(page) > 1;
    }
    return seen;
}

// The hand goes on to the next segment with pages.
static u64 hand_move(struct memobj *memobj, struct memobj_eviction *eviction)
    REQUIRES(&memobj->lock) {
    u64 next = page_tree_next(&memobj->pages, memobj->hand + SEGMENT_PAGES);
    eviction->came_round = next == PAGE_TREE_END;
    if (eviction->came_round) {
        memobj->round++;
        next = page_tree_next(&memobj->pages, 0);
    }
    memobj->hand = next == PAGE_TREE_END ? 0 : align_down(next, SEGMENT_PAGES);
    return memobj->hand;
}

void memobj_evict(struct memobj *memobj, struct memobj_eviction *eviction) {
    bool is_shared;
    lock_acquire(&memobj->lock);
    u64 hand = memobj->hand;
    lock_release(&memobj->lock);
    eviction->given = segment_give(memobj, hand);
    lock_acquire(&memobj->lock);
    eviction->seen = eviction->given;
    eviction->came_round = false;
    if (memobj->hand != hand) { // another has moved it, and gives what it takes
        lock_release(&memobj->lock);
        return;
    }
    hand = hand_move(memobj, eviction);
    eviction->seen += segment_look(memobj, hand, &is_shared);
    u32 left = is_shared ? min(memobj->mapping_count, eviction->mappings) : 0;
    while (left > 0) {
        u32 count = min(left, (u32)MAPPINGS_AT_ONCE);
        mappings_take(memobj, hand, count, eviction->asker);
        left -= count;
        lock_release(&memobj->lock);
        sched_preempt_point();
        lock_acquire(&memobj->lock);
    }
    lock_release(&memobj->lock);
}
