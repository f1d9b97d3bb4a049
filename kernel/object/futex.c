// Futexes. The word is read without a lock; what is woken between reading and going to sleep is
// seen by the bucket's count of wake-ups, and then the word is read again: no wake-up is lost.
#include "object/futex.h"

#include "kernel/handlers.h"
#include "object/message.h"
#include "object/process.h"

void futex_table_init(struct futex_table *table) {
    lock_init(&table->lock, LOCK_OBJECT);
    lock_acquire(&table->lock);
    for (u32 i = 0; i < FUTEX_BUCKETS; i++)
        waitq_init(&table->buckets[i].waiters);
    lock_release(&table->lock);
}

static struct futex_bucket *bucket_locked(struct futex_table *table, u64 address)
    REQUIRES(&table->lock) {
    return &table->buckets[(address >> 2 ^ address >> 6 ^ address >> 12) % FUTEX_BUCKETS];
}

status_t sys_futex_wait(u64 address, u32 expected, u32 flags, u64 deadline_ns) {
    struct futex_table *table = &process_current()->futexes;
    lock_acquire(&table->lock);
    struct futex_bucket *bucket = bucket_locked(table, address);
    for (;;) {
        u64 count = bucket->wake_count;
        u32 value;
        lock_release(&table->lock);
        if (thread_is_killed()) return ERR_DEAD;
        status_t status = arch_user_load_u32(address, &value);
        if (status != OK) return status;
        if (value != expected) return ERR_SHOULD_WAIT;
        lock_acquire(&table->lock);
        if (bucket->wake_count != count) continue;
        channel_caller_current()->futex_address = address;
        return waitq_block(&bucket->waiters, &table->lock, deadline_ns, flags);
    }
}

// The oldest thread that sleeps on `address` and is still to be woken.
static struct thread *sleeper_locked(struct futex_bucket *bucket, u64 address) {
    struct thread *thread;
    list_for_each(thread, &bucket->waiters.threads, wait_link) {
        const struct channel_caller *sleeper = thread->ipc;
        // Whom a deadline or kick has claimed takes itself off the list.
        if (sleeper->futex_address != address || !waitq_claim(thread, OK)) continue;
        list_remove(&thread->wait_link);
        return thread;
    }
    return nullptr;
}

status_t sys_futex_wake(u64 address, u32 count, u32 *woken) {
    struct futex_table *table = &process_current()->futexes;
    *woken = 0;
    lock_acquire(&table->lock);
    struct futex_bucket *bucket = bucket_locked(table, address);
    bucket->wake_count++;
    struct thread *thread;
    for (; *woken < count && (thread = sleeper_locked(bucket, address)); (*woken)++)
        sched_make_runnable(thread);
    lock_release(&table->lock);
    return OK;
}
