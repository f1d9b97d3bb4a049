// Waiting for conditions: wait queues that threads put themselves on, any number at once.
// Rules:
// - pattern: waitqueue_add, then in a loop { take thread's ticket; check the condition; leave if
//   true; thread_wait(ticket) }, then waitqueue_remove. A wake between ticket and wait is not lost;
// - waitqueue_wake changes no condition; whoever does that calls it afterwards;
// - a queue must outlive its waiters; its lock is innermost.
#pragma once

#include "lib/list.h"
#include "lib/mutex.h"
#include "lib/types.h"

struct thread;

struct waitqueue {
    struct mutex lock;
    struct list waiters GUARDED_BY(&lock);
};

struct waiter {
    struct list node;
    struct thread *thread;
};

void waitqueue_init(struct waitqueue *queue);
void waitqueue_add(struct waitqueue *queue, struct waiter *waiter, struct thread *thread);
void waitqueue_remove(struct waitqueue *queue, struct waiter *waiter);
void waitqueue_wake(struct waitqueue *queue);
// The same for waiters that sleep in the kernel on something else: they are kicked.
void waitqueue_kick(struct waitqueue *queue);

// The ticket to take before the condition is checked.
u32 thread_ticket(const struct thread *thread);
// Sleeps until woken after the ticket was taken, or kicked: 0, whatever it was, and the caller looks
// again. -ETIMEDOUT; -ERESTARTSYS when there is a signal to deliver, and no wake since the ticket.
int thread_wait(struct thread *thread, u32 ticket, u64 deadline_ns);
// The same, but only SIGKILL ends it.
int thread_wait_killable(struct thread *thread, u32 ticket);
void thread_wake(struct thread *thread);
