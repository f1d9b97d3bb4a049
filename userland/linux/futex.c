// Futexes of Linux programs: waiters in a small table of queues by address.
//
// A waiter puts itself into the queue first, and then looks at the word, without a lock held: a
// wake that comes after its look finds it in the queue.
#include "lib/list.h"
#include "lib/mutex.h"
#include "linux/calls.h"
#include "linux/kernel_if.h"
#include "linux/process.h"
#include "linux/thread.h"
#include "linux/timing.h"
#include "linux/waiting.h"

enum { FUTEX_QUEUES = 16 };

struct futex_waiter {
    struct list node;
    struct thread *thread;
    struct memory *memory;
    u64 address;
    u32 bits;
    bool was_woken;
};

static struct {
    struct mutex lock;
    struct list queues[FUTEX_QUEUES] GUARDED_BY(&lock); // zeros until first used
} futexes;

static struct list *queue_locked(u64 address) REQUIRES(&futexes.lock) {
    struct list *queue = &futexes.queues[(address >> 2) % FUTEX_QUEUES];
    if (!queue->next) {
        list_init(queue);
    }
    return queue;
}

// Whether the waiter was woken; it is in no queue afterwards.
static bool futex_leave(struct futex_waiter *waiter) {
    mutex_lock(&futexes.lock);
    bool was_woken = waiter->was_woken;
    list_remove(&waiter->node);
    mutex_unlock(&futexes.lock);
    return was_woken;
}

static i64 futex_wait(struct thread *thread, linux_ptr word, u32 value, u64 deadline_ns, u32 bits) {
    struct futex_waiter waiter = {
        .thread = thread, .memory = thread->process->memory, .address = word.address, .bits = bits};
    u32 ticket = thread_ticket(thread);
    u32 current;
    mutex_lock(&futexes.lock);
    list_insert_tail(queue_locked(word.address), &waiter.node);
    mutex_unlock(&futexes.lock);
    i64 result = load_linux_u32(word, &current);
    if (result == 0 && current != value) {
        result = -EAGAIN;
    }
    while (result == 0) {
        result = thread_wait(thread, ticket, deadline_ns);
        ticket = thread_ticket(thread);
        if (__atomic_load_n(&waiter.was_woken, __ATOMIC_ACQUIRE)) {
            break;
        }
    }
    return futex_leave(&waiter) ? 0 : result;
}

static i64 futex_wake(struct thread *thread, linux_ptr word, u32 count, u32 bits) {
    struct futex_waiter *waiter;
    struct futex_waiter *following;
    i64 woken = 0;
    if (word.address & 3) {
        return -EINVAL;
    }
    mutex_lock(&futexes.lock);
    list_for_each_safe(waiter, following, queue_locked(word.address), node) {
        if (woken == count) {
            break;
        }
        if (waiter->address == word.address && waiter->memory == thread->process->memory &&
            (waiter->bits & bits)) {
            list_remove(&waiter->node);
            __atomic_store_n(&waiter->was_woken, true, __ATOMIC_RELEASE);
            thread_wake(waiter->thread);
            woken++;
        }
    }
    mutex_unlock(&futexes.lock);
    return woken;
}

i64 linux_futex(struct thread *thread, linux_ptr word, u32 operation, u32 value, linux_ptr timeout,
                linux_ptr, u32 value3) {
    u32 command = operation & FUTEX_COMMAND & ~(u32)FUTEX_REALTIME;
    u64 deadline_ns = DEADLINE_NEVER;
    switch (command) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
        if (!linux_is_null(timeout)) {
            i64 result = timespec_read(timeout, &deadline_ns);
            if (result != 0) {
                return result;
            }
            if (command == FUTEX_WAIT) {
                deadline_ns += kernel_monotonic_ns();
            } else if (operation & FUTEX_REALTIME) {
                u64 behind_ns = kernel_realtime_ns() - kernel_monotonic_ns();
                deadline_ns = deadline_ns > behind_ns ? deadline_ns - behind_ns : 0;
            }
        }
        return futex_wait(thread, word, value, deadline_ns, command == FUTEX_WAIT ? ~0U : value3);
    case FUTEX_WAKE: return futex_wake(thread, word, value, ~0U);
    case FUTEX_WAKE_BITSET: return futex_wake(thread, word, value, value3);
    default: return -ENOSYS;
    }
}
