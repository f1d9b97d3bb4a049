// Futexes of one process: threads that sleep until a word of its memory is said to have changed.
//
// Rules:
// - The table is the process's; no other process's threads are in it.
// - Nothing is kept for a word on which nobody sleeps.
#pragma once

#include "lib/lock.h"
#include "sched/waitq.h"

enum : u32 { FUTEX_BUCKETS = 16 };

struct futex_bucket {
    struct waitq waiters; // thread->ipc->futex_address says for which word
    u64 wake_count;       // futex_wake calls so far
};

struct futex_table {
    struct lock lock; // rank LOCK_OBJECT
    struct futex_bucket buckets[FUTEX_BUCKETS] GUARDED_BY(&lock);
};

void futex_table_init(struct futex_table *table);
