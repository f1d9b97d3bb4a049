// Memory under pressure: which memory object gives pages back next. Ledgers know how many such pages
// are used below them, and each has a list of the objects whose pages it pays for. Whoever is short
// takes from below where it is short, in turn: an object whose hand has come round goes behind the
// others, and its ledger behind its siblings. What is used within a reservation stays, but for who
// has that reservation.
#include "mm/relief.h"

#include "object/memobj.h"
#include "object/namespace.h"
#include "object/process.h"

// Mappings of one object that are looked at in a step: before there is need, and when there is.
enum : u32 { MAPPINGS_SOME = 128, MAPPINGS_ALL = ~0u };

static struct memobj *object_of(struct ledger *ledger) REQUIRES(&ledger->lock) {
    struct memobj *memobj;
    list_for_each(memobj, &ledger->caches, cache_link) {
        if (object_tryget(&memobj->base)) return memobj;
    }
    return nullptr;
}

// The next object below `top`, referenced, or nullptr. Depth is at most LEDGER_DEPTH_MAX.
static struct memobj *object_below(struct ledger *ledger, const struct ledger *top,
                                   const struct ledger *payer) {
    struct memobj *memobj = nullptr;
    struct ledger *child;
    lock_acquire_same_rank(&ledger->lock);
    if (ledger == payer || !ledger_within(ledger, top)) memobj = object_of(ledger);
    list_for_each(child, &ledger->children, sibling) {
        if (memobj) break;
        if (__atomic_load_n(&child->cached_pages, __ATOMIC_RELAXED) > 0)
            memobj = object_below(child, top, payer);
    }
    lock_release(&ledger->lock);
    return memobj;
}

static void move_behind(struct lock *lock, struct list *list, struct list *node) {
    lock_acquire(lock);
    if (!list_empty(node)) {
        list_remove(node);
        list_insert_tail(list, node);
    }
    lock_release(lock);
}

// The object, and the ledgers between it and `top`, are the last of theirs.
static void turn_is_over(struct memobj *memobj, struct ledger *top) NO_THREAD_SAFETY_ANALYSIS {
    struct ledger *ledger = &memobj->base.ns->ledger;
    move_behind(&ledger->lock, &ledger->caches, &memobj->cache_link);
    for (; ledger != top; ledger = ledger->parent)
        move_behind(&ledger->parent->lock, &ledger->parent->children, &ledger->sibling);
}

// One step for `top`, which is short. False: there is nothing.
static bool step(struct ledger *top, const struct ledger *payer, struct memobj_eviction *eviction) {
    struct memobj *memobj = object_below(top, top, payer);
    if (!memobj) return false;
    memobj_evict(memobj, eviction);
    struct ledger *ledger = &memobj->base.ns->ledger;
    if (ledger != payer) ledger_recall_path(ledger, top);
    if (eviction->came_round) turn_is_over(memobj, top);
    object_put(&memobj->base);
    return true;
}

// Who asks.
static struct ledger *own_ledger(void) {
    const struct thread_object *thread = thread_object_current();
    return thread && thread->process ? &thread->process->base.ns->ledger : &ns_root->ledger;
}

// One step: what it takes from address spaces has until the next one to be used again.
void relief_work(void) {
    struct memobj_eviction eviction = {.mappings = MAPPINGS_SOME};
    struct ledger *top = ledger_low_at(own_ledger());
    if (top) (void)step(top, nullptr, &eviction);
}

// Twice round all there is, since the first time pages may only be taken from address spaces. Then
// twice more: before it is refused, the asker's own pages go, whatever is set aside for it.
bool relief_for(struct ledger *payer, i64 pages) {
    struct ledger *top = ledger_short_at(payer, pages);
    struct memobj_eviction eviction = {.mappings = MAPPINGS_ALL};
    u64 given = 0, seen = 0;
    if (!top) return true; // somebody has given some back
    if (thread_current()->is_relieving) return false;
    i64 cached = __atomic_load_n(&top->cached_pages, __ATOMIC_RELAXED);
    i64 there = cached + __atomic_load_n(&top->idle_pages, __ATOMIC_RELAXED);
    if (pages > max(there, (i64)RELIEF_PAGES)) return false;
    thread_current()->is_relieving = 1;
    while (top && seen < 4 * (u64)cached && !thread_is_killed() && step(top, payer, &eviction)) {
        given += eviction.given;
        seen += max(eviction.seen, 1ul);
        if (seen >= 2 * (u64)cached) eviction.asker = own_ledger();
        top = ledger_short_at(payer, pages);
    }
    thread_current()->is_relieving = 0;
    // Who is within its reservation only had others be quicker.
    return given > 0 || !top || ledger_within(own_ledger(), nullptr);
}
