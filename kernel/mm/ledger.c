// Ledgers. Credit goes down the tree in chunks and comes back by recall; all figures are atomics,
// so a charge never waits for anybody. Invariant of each ledger, once quiet:
//   drawn = idle + children + used.
// What is given back may be the last that keeps a ledger's memory, and no lock comes between: each
// change is a release, and whoever reads that nothing is left acquires all of them.
#include "mm/ledger.h"

#include "abi/errors.h"
#include "arch/arch.h"
#include "lib/print.h"
#include "lib/string.h"

// Low is less than this part of a limit or the machine, and than so many pages.
enum : i64 { LOW_PART = 32, LOW_PAGES_MAX = 1024 };

#define RELAXED __ATOMIC_RELAXED

static i64 load(const i64 *figure) { return __atomic_load_n(figure, __ATOMIC_ACQUIRE); }

static void add(i64 *figure, i64 amount) { __atomic_fetch_add(figure, amount, __ATOMIC_RELEASE); }

// Takes `most` from a figure, or what there is of it; nothing if that is less than `least`.
static i64 take(i64 *figure, i64 least, i64 most) {
    i64 now = load(figure);
    for (;;) {
        i64 amount = min(now, most);
        if (amount < least || amount <= 0) return 0;
        if (__atomic_compare_exchange_n(figure, &now, now - amount, true, RELAXED, RELAXED))
            return amount;
    }
}

void ledger_init(struct ledger *ledger, struct ledger *parent) {
    memset(ledger, 0, sizeof(*ledger));
    lock_init(&ledger->lock, LOCK_LEDGER);
    list_init(&ledger->children);
    list_init(&ledger->sibling);
    list_init(&ledger->caches);
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

// Gives `pages` of drawn credit back to the parent; they are in nobody's figure meanwhile. The
// ledger's own is touched last: it may end then.
static void give_back(struct ledger *ledger, i64 pages) {
    struct ledger *parent = ledger->parent;
    add(&parent->children_pages, -pages);
    add(&parent->idle_pages, pages);
    add(&ledger->drawn_pages, -pages);
}

void ledger_destroy(struct ledger *ledger) {
    struct ledger *parent = ledger->parent;
    list_remove_under(&parent->lock, &ledger->sibling);
    i64 idle = __atomic_exchange_n(&ledger->idle_pages, 0, RELAXED);
    ASSERT(idle == load(&ledger->drawn_pages));
    give_back(ledger, idle);
}

void ledger_root_add(struct ledger *root, i64 pages) {
    add(&root->drawn_pages, pages);
    add(&root->idle_pages, pages);
}

// Idle credit beyond a reservation. With the parent's lock.
static void recall_from(struct ledger *child) {
    i64 most = load(&child->drawn_pages) - load(&child->reserved_pages);
    give_back(child, take(&child->idle_pages, 1, most));
}

// Depth is at most LEDGER_DEPTH_MAX, and so is the recursion.
void ledger_recall(struct ledger *ledger) {
    struct ledger *child;
    lock_acquire_same_rank(&ledger->lock);
    list_for_each(child, &ledger->children, sibling) {
        ledger_recall(child);
        recall_from(child);
    }
    lock_release(&ledger->lock);
}

void ledger_recall_path(struct ledger *ledger, struct ledger *top) {
    for (; ledger != top; ledger = ledger->parent) {
        lock_acquire(&ledger->parent->lock);
        recall_from(ledger);
        lock_release(&ledger->parent->lock);
    }
}

// ---- what could be given back ----

void ledger_cached_add(struct ledger *ledger, i64 pages) {
    for (; ledger; ledger = ledger->parent)
        add(&ledger->cached_pages, pages);
}

static bool is_low(const struct ledger *ledger) {
    if (likely(load(&ledger->cached_pages) == 0)) return false;
    i64 drawn = load(&ledger->drawn_pages);
    i64 most = ledger->parent ? load(&ledger->limit_pages) : drawn;
    i64 low = min(most / LOW_PART, (i64)LOW_PAGES_MAX);
    return most - drawn < low - load(&ledger->idle_pages);
}

struct ledger *ledger_low_at(struct ledger *ledger) {
    while (ledger && !is_low(ledger))
        ledger = ledger->parent;
    return ledger;
}

i64 ledger_reserve_left(const struct ledger *ledger) {
    return load(&ledger->reserved_pages) + load(&ledger->idle_pages) - load(&ledger->drawn_pages);
}

struct ledger *ledger_within(struct ledger *ledger, const struct ledger *top) {
    while (ledger != top && ledger_reserve_left(ledger) < 0)
        ledger = ledger->parent;
    return ledger == top ? nullptr : ledger;
}

// ---- drawing ----

static i64 obtain(struct ledger *ledger, i64 least, i64 most);

// Draws credit from the parent, a chunk if there is one; what is more than `most` becomes idle.
static i64 draw(struct ledger *ledger, i64 least, i64 most) {
    i64 drawn = load(&ledger->drawn_pages), pages;
    i64 wanted = min(max(most, (i64)LEDGER_CHUNK_PAGES), load(&ledger->limit_pages) - drawn);
    if (!ledger->parent || wanted < least) return 0;
    i64 obtained = obtain(ledger->parent, least, wanted);
    do {
        // Others may have drawn meanwhile, up to the limit.
        pages = min(obtained, load(&ledger->limit_pages) - drawn);
        if (pages < least) pages = 0;
    } while (!__atomic_compare_exchange_n(&ledger->drawn_pages, &drawn, drawn + pages, true,
                                          RELAXED, RELAXED));
    add(&ledger->parent->children_pages, pages);
    add(&ledger->parent->idle_pages, obtained - pages);
    add(&ledger->idle_pages, max(pages - most, (i64)0));
    // This CPU gives cached pages back before it goes on to user mode.
    if (unlikely(is_low(ledger) || is_low(ledger->parent)))
        arch_this_cpu()->work |= CPU_WORK_RELIEF | CPU_WORK_RESCHED;
    return min(pages, most);
}

// Takes `least` to `most` pages of credit, or 0.
static i64 obtain(struct ledger *ledger, i64 least, i64 most) {
    i64 held = take(&ledger->idle_pages, 1, most);
    if (held >= least) return held;
    i64 more = draw(ledger, least - held, most - held);
    if (more > 0) return held + more;
    add(&ledger->idle_pages, held);
    return 0;
}

struct ledger *ledger_short_at(struct ledger *ledger, i64 pages) {
    for (;; ledger = ledger->parent) {
        pages -= load(&ledger->idle_pages);
        if (pages <= 0) return nullptr;
        i64 room = load(&ledger->limit_pages) - load(&ledger->drawn_pages);
        if (!ledger->parent || room < pages) return ledger;
    }
}

// Recalls until `pages` are there; false: missing where that was done, ever higher up. Meanwhile
// nothing is held, which others would miss.
static bool gather(struct ledger *ledger, i64 pages) {
    struct ledger *at;
    u32 depth = LEDGER_DEPTH_MAX;
    while ((at = ledger_short_at(ledger, pages)) && at->depth < depth) {
        ledger_recall(at);
        depth = at->depth;
    }
    return at == nullptr;
}

status_t ledger_charge(struct ledger *ledger, i64 pages) {
    if (take(&ledger->idle_pages, pages, pages)) return OK;
    return gather(ledger, pages) && obtain(ledger, pages, pages) ? OK : ERR_NO_RESOURCES;
}

// A page's credit may be the last that keeps a ledger from ending: nothing is touched after it.
void ledger_uncharge(struct ledger *ledger, i64 pages) { add(&ledger->idle_pages, pages); }

status_t ledger_set_memory(struct ledger *ledger, i64 limit_pages, i64 reserved_pages) {
    // In force at once, and between recalls: what is set aside must not be recalled on the way.
    struct lock *recalls = ledger->parent ? &ledger->parent->lock : &ledger->lock;
    lock_acquire(recalls);
    i64 limit_before = __atomic_exchange_n(&ledger->limit_pages, limit_pages, RELAXED);
    i64 reserved_before = __atomic_exchange_n(&ledger->reserved_pages, reserved_pages, RELAXED);
    i64 missing = max(reserved_pages - load(&ledger->drawn_pages), (i64)0);
    lock_release(recalls);
    bool is_there = missing > 0 && ledger->parent && gather(ledger->parent, missing);
    i64 drawn = is_there ? draw(ledger, missing, missing) : 0;
    add(&ledger->idle_pages, drawn);
    if (drawn == missing) return OK;
    __atomic_store_n(&ledger->limit_pages, limit_before, RELAXED);
    __atomic_store_n(&ledger->reserved_pages, reserved_before, RELAXED);
    return ERR_NO_RESOURCES;
}

i64 ledger_used_pages(const struct ledger *ledger) {
    return load(&ledger->drawn_pages) - load(&ledger->idle_pages) - load(&ledger->children_pages);
}

// Where else a thing is counted. What is walked through or run with interrupts off, namespaces (each has
// a name) and timers among it, is bounded for all below a namespace together.
static struct ledger *counted_above(const struct ledger *ledger, enum ledger_count what) {
    bool is_whole = what == LEDGER_THREADS || what == LEDGER_NAMES || what == LEDGER_TIMERS;
    return is_whole ? ledger->parent : nullptr;
}

status_t ledger_count_add(struct ledger *ledger, enum ledger_count what, i64 amount) {
    struct ledger *at = ledger;
    for (; at; at = counted_above(at, what)) {
        struct ledger_counter *counter = &at->counters[what];
        i64 used = __atomic_add_fetch(&counter->used, amount, RELAXED);
        if (likely(used <= load(&counter->limit))) continue;
        for (; ledger != at->parent; ledger = ledger->parent)
            add(&ledger->counters[what].used, -amount);
        return ERR_NO_RESOURCES;
    }
    return OK;
}

void ledger_count_sub(struct ledger *ledger, enum ledger_count what, i64 amount) {
    for (; ledger; ledger = counted_above(ledger, what))
        add(&ledger->counters[what].used, -amount);
}
