// Ledgers: what a namespace may use and uses.
//
// Rules:
// - Memory is paid in pages, before it is taken. Paying touches one cache line: the ledger's idle
//   credit. Only when that is used up, credit is drawn from the parent, in chunks.
// - A charge that succeeded is backed by a real page: the root's credit is the machine's memory.
// - A parent that runs short recalls idle credit from below, but never below a reservation.
// - Everything is counted in atomics; the lock guards the list of children only.
// - A ledger lives inside its namespace, which lives until all charges are back.
#pragma once

#include "lib/list.h"
#include "lib/lock.h"
#include "lib/types.h"

enum : i64 { LEDGER_CHUNK_PAGES = 64 };
enum { LEDGER_DEPTH_MAX = 32, HEAP_CLASSES = 7 };

// What is counted against a limit of its own, beside memory.
enum ledger_count {
    LEDGER_OBJECTS, // counted only
    LEDGER_HANDLES,
    LEDGER_THREADS,
    LEDGER_NAMES,
    LEDGER_TIMERS,
    LEDGER_MESSAGE_BYTES,
    LEDGER_COUNTS,
};

struct ledger_counter {
    i64 used;  // atomic
    i64 limit; // atomic
};

struct heap_class {
    struct lock lock;                      // rank LOCK_HEAP
    struct list partial GUARDED_BY(&lock); // slab pages with room
};

struct ledger {
    // The hot line:
    i64 idle_pages;   // atomic: drawn and not used
    i64 kernel_pages; // atomic: of the used, kernel structures
    // atomic:
    i64 drawn_pages;    // from the parent (root: all memory)
    i64 children_pages; // drawn by children
    i64 limit_pages;    // most that may be drawn
    i64 reserved_pages; // recall leaves this much drawn
    i64 cached_pages;   // used here and below, and could be given back: pages of disks
    // So many mapped pages were left it for what is set aside, in one round of an object's hand:
    i64 spared_pages;
    u64 spared_round;
    struct ledger_counter counters[LEDGER_COUNTS];

    // constant:
    struct ledger *parent;
    u32 depth;

    struct lock lock; // rank LOCK_LEDGER
    struct list children GUARDED_BY(&lock);
    struct list caches GUARDED_BY(&lock); // memory objects with cached pages (object/relief.c)
    struct list sibling;                  // under the parent's lock

    struct heap_class heap[HEAP_CLASSES];
};

// `parent` is nullptr for the root, whose credit comes from ledger_root_add().
void ledger_init(struct ledger *ledger, struct ledger *parent);
// Gives back all credit and leaves the parent's list. Nothing may be charged any more.
void ledger_destroy(struct ledger *ledger);
// Boot: more memory exists.
void ledger_root_add(struct ledger *root, i64 pages);

// Pays for `pages`; NO_RESOURCES, and nothing is paid. No locks from LOCK_LEDGER on may be held.
status_t ledger_charge(struct ledger *ledger, i64 pages);
void ledger_uncharge(struct ledger *ledger, i64 pages);
// Sets limit and reservation; NO_RESOURCES when the parent can't set that much aside.
status_t ledger_set_memory(struct ledger *ledger, i64 limit_pages, i64 reserved_pages);
// Recalls the idle credit of all below into `ledger`: afterwards nobody below has any beyond a
// reservation. As many steps as there are ledgers below, with interrupts off.
void ledger_recall(struct ledger *ledger);
// The same for `ledger` and those above it alone, up to `top`, which gets it.
void ledger_recall_path(struct ledger *ledger, struct ledger *top);
// Pages in own use, exact.
i64 ledger_used_pages(const struct ledger *ledger);

// ---- what could be given back ----
// Counts pages that are in use and could be given back, here and in all above.
void ledger_cached_add(struct ledger *ledger, i64 pages);
// Where, on the way up, a limit or the machine is short of `pages`; nullptr: they are there.
struct ledger *ledger_short_at(struct ledger *ledger, i64 pages);
// Where, on the way up, so little is left that cached pages should be given back; or nullptr.
struct ledger *ledger_low_at(struct ledger *ledger);
// Which of `ledger` and those above it, below `top` (nullptr: any), uses no more than was set aside
// for it; or nullptr.
struct ledger *ledger_within(struct ledger *ledger, const struct ledger *top);
// What was set aside and is not used.
i64 ledger_reserve_left(const struct ledger *ledger);

// Counts more things, here (threads, names, timers: and in all above); NO_RESOURCES when a limit refuses.
status_t ledger_count_add(struct ledger *ledger, enum ledger_count what, i64 amount);
void ledger_count_sub(struct ledger *ledger, enum ledger_count what, i64 amount);
