// Ledgers. Credit goes down the tree in chunks and comes back by recall; all figures are atomics,
// so a charge never waits for anybody. Invariant of each ledger, once quiet:
//   drawn = idle + children + used.
#include "mm/ledger.h"

#include "abi/errors.h"
#include "lib/print.h"
#include "lib/string.h"

#define RELAXED __ATOMIC_RELAXED

static i64 load(const i64 *figure) { return __atomic_load_n(figure, RELAXED); }

static void add(i64 *figure, i64 amount) { __atomic_fetch_add(figure, amount, RELAXED); }

// Takes `amount` from a figure that must not fall below `floor`.
static bool take(i64 *figure, i64 amount, i64 floor) {
    i64 now = load(figure);
    while (now - amount >= floor)
        if (__atomic_compare_exchange_n(figure, &now, now - amount, true, RELAXED, RELAXED))
            return true;
    return false;
}

// Takes as much as there is above `floor`, `most` at the most; returns how much.
static i64 take_some(i64 *figure, i64 most, i64 floor) {
    i64 now = load(figure);
    for (;;) {
        i64 amount = min(now - floor, most);
        if (amount <= 0) return 0;
        if (__atomic_compare_exchange_n(figure, &now, now - amount, true, RELAXED, RELAXED))
            return amount;
    }
}

void ledger_init(struct ledger *ledger, struct ledger *parent) {
    memset(ledger, 0, sizeof(*ledger));
    lock_init(&ledger->lock, LOCK_LEDGER);
    list_init(&ledger->children);
    list_init(&ledger->sibling);
    for (u32 i = 0; i < HEAP_CLASSES; i++) {
        lock_init(&ledger->heap[i].lock, LOCK_HEAP);
        list_init(&ledger->heap[i].partial);
    }
    for (u32 i = 0; i < LEDGER_COUNTS; i++)
        ledger->counters[i].limit = INT64_MAX;
    ledger->limit_pages = INT64_MAX;
    ledger->parent = parent;
    if (!parent) return;
    ledger->depth = parent->depth + 1;
    lock_acquire(&parent->lock);
    list_insert_tail(&parent->children, &ledger->sibling);
    lock_release(&parent->lock);
}

// Gives `pages` of drawn credit back to the parent; they are in nobody's figure meanwhile.
static void give_back(struct ledger *ledger, i64 pages) {
    add(&ledger->drawn_pages, -pages);
    add(&ledger->parent->children_pages, -pages);
    add(&ledger->parent->idle_pages, pages);
}

void ledger_destroy(struct ledger *ledger) {
    struct ledger *parent = ledger->parent;
    lock_acquire(&parent->lock);
    list_remove(&ledger->sibling);
    lock_release(&parent->lock);
    i64 idle = __atomic_exchange_n(&ledger->idle_pages, 0, RELAXED);
    ASSERT(idle == load(&ledger->drawn_pages));
    give_back(ledger, idle);
}

void ledger_root_add(struct ledger *root, i64 pages) {
    add(&root->drawn_pages, pages);
    add(&root->idle_pages, pages);
}

// Takes idle credit of `ledger` beyond its reservation.
static void recall_one(struct ledger *ledger) {
    i64 most = load(&ledger->drawn_pages) - load(&ledger->reserved_pages);
    i64 pages = most > 0 ? take_some(&ledger->idle_pages, most, 0) : 0;
    if (pages) give_back(ledger, pages);
}

// Depth is at most LEDGER_DEPTH_MAX, and so is the recursion.
static void recall_children(struct ledger *ledger) {
    struct ledger *child;
    lock_acquire_same_rank(&ledger->lock);
    list_for_each(child, &ledger->children, sibling) {
        recall_children(child);
        recall_one(child);
    }
    lock_release(&ledger->lock);
}

void ledger_recall(struct ledger *ledger) { recall_children(ledger); }

// Draws credit from the parent: at least `pages`, a whole chunk where the limit allows.
static status_t draw(struct ledger *ledger, i64 pages) {
    if (!ledger->parent) return ERR_NO_RESOURCES;
    i64 wanted = max(pages, (i64)LEDGER_CHUNK_PAGES);
    for (;;) {
        // Claim room below the limit first, so that two that draw at once keep to it.
        i64 drawn = __atomic_add_fetch(&ledger->drawn_pages, wanted, RELAXED);
        if (drawn <= load(&ledger->limit_pages) && ledger_charge(ledger->parent, wanted) == OK) {
            add(&ledger->parent->children_pages, wanted);
            add(&ledger->idle_pages, wanted);
            return OK;
        }
        add(&ledger->drawn_pages, -wanted);
        if (wanted == pages) return ERR_NO_RESOURCES;
        wanted = pages;
    }
}

status_t ledger_charge(struct ledger *ledger, i64 pages) {
    bool recalled = false;
    while (!take(&ledger->idle_pages, pages, 0)) {
        i64 missing = max(pages - max(load(&ledger->idle_pages), (i64)0), (i64)1);
        if (draw(ledger, missing) == OK) continue;
        if (recalled) return ERR_NO_RESOURCES;
        ledger_recall(ledger);
        recalled = true;
    }
    return OK;
}

// A page's credit may be the last that keeps a ledger from ending: its figures are touched once,
// at the end.
void ledger_uncharge(struct ledger *ledger, i64 pages) {
    struct ledger *parent = ledger->parent;
    bool is_plenty = load(&ledger->idle_pages) > 2 * LEDGER_CHUNK_PAGES &&
                     load(&ledger->drawn_pages) - pages >= load(&ledger->reserved_pages);
    if (!parent || !is_plenty) {
        add(&ledger->idle_pages, pages);
        return;
    }
    // A namespace that shrinks gives back without being asked.
    add(&parent->children_pages, -pages);
    add(&parent->idle_pages, pages);
    add(&ledger->drawn_pages, -pages);
}

status_t ledger_set_memory(struct ledger *ledger, i64 limit_pages, i64 reserved_pages) {
    i64 missing = reserved_pages - load(&ledger->drawn_pages);
    if (missing > 0) {
        if (!ledger->parent || ledger_charge(ledger->parent, missing) != OK)
            return ERR_NO_RESOURCES;
        add(&ledger->drawn_pages, missing);
        add(&ledger->parent->children_pages, missing);
        add(&ledger->idle_pages, missing);
    }
    __atomic_store_n(&ledger->reserved_pages, reserved_pages, RELAXED);
    __atomic_store_n(&ledger->limit_pages, limit_pages, RELAXED);
    return OK;
}

i64 ledger_used_pages(const struct ledger *ledger) {
    return load(&ledger->drawn_pages) - load(&ledger->idle_pages) - load(&ledger->children_pages);
}

static bool count_one(struct ledger *ledger, enum ledger_count what, i64 amount) {
    struct ledger_counter *counter = &ledger->counters[what];
    if (__atomic_add_fetch(&counter->used, amount, RELAXED) <= load(&counter->limit)) return true;
    add(&counter->used, -amount);
    return false;
}

status_t ledger_count_add(struct ledger *ledger, enum ledger_count what, i64 amount) {
    if (!count_one(ledger, what, amount)) return ERR_NO_RESOURCES;
    if (what != LEDGER_THREADS) return OK;
    for (struct ledger *above = ledger->parent; above; above = above->parent) {
        if (count_one(above, what, amount)) continue;
        for (struct ledger *undo = ledger; undo != above; undo = undo->parent)
            add(&undo->counters[what].used, -amount);
        return ERR_NO_RESOURCES;
    }
    return OK;
}

void ledger_count_sub(struct ledger *ledger, enum ledger_count what, i64 amount) {
    for (; ledger; ledger = what == LEDGER_THREADS ? ledger->parent : nullptr)
        add(&ledger->counters[what].used, -amount);
}
