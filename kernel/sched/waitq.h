// Waiting and waking.
//
// Rules:
// - A wait queue belongs to an object and is guarded by that object's lock (any lock).
// - A thread waits in one queue at a time; its wait node is in struct thread, never on a stack.
// - Exactly one of {waker, deadline, kick, kill} ends a wait: who wins the thread's wait state.
//   A kill ends every wait with DEAD; a kick only those with WAIT_INTERRUPTIBLE.
// - After a wait, everything that the lock guards must be looked at again.
#pragma once

#include "lib/list.h"
#include "lib/lock.h"
#include "lib/types.h"

struct thread;

struct waitq {
    struct list threads;
};

enum : u32 {
    WAIT_INTERRUPTIBLE = 1 << 0, // the same bit as CL_WAIT_INTERRUPTIBLE
};

static inline void waitq_init(struct waitq *queue) { list_init(&queue->threads); }

// Blocks the current thread. `lock`, held on entry, is not held on return. deadline_ns 0: returns
// TIMED_OUT at once. Returns what the waker gave, TIMED_OUT, INTERRUPTED (the kick is consumed
// and reported) or DEAD (the thread is being killed: return to user mode soon).
status_t waitq_block(struct waitq *queue, struct lock *lock, u64 deadline_ns, u32 flags)
    RELEASE(lock);
// Wakes the oldest waiter with `status`; nullptr when nobody waits. The lock must be held. The
// thread returned may be compared, not used.
struct thread *waitq_wake_one(struct waitq *queue, status_t status);
// Wakes all.
void waitq_wake_all(struct waitq *queue, status_t status);

// For a direct hand-over: claims the oldest waiter, which stays blocked until
// sched_switch_to(thread) or sched_make_runnable(thread).
struct thread *waitq_claim_one(struct waitq *queue, status_t status);
// Claims one given thread if it waits (then on no queue any more).
bool waitq_claim(struct thread *thread, status_t status);
// As waitq_block, but hands this CPU straight to `next`, which was claimed (nullptr: as block).
// Without a queue: the lock guards who may claim the thread.
CHANGES_ALL status_t waitq_block_handoff(struct waitq *queue, struct lock *lock, u64 deadline_ns,
                                         u32 flags, struct thread *next) RELEASE(lock);
