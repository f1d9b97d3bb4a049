// Wait queues. What a thread sleeps on is its own word, so it can be on many queues.
#include "linux/waiting.h"

#include "linux/abi.h"
#include "linux/kernel_if.h"
#include "linux/signal.h"
#include "linux/thread.h"

void waitqueue_init(struct waitqueue *queue) THREAD_ANNOTATION(no_thread_safety_analysis) {
    *queue = (struct waitqueue){};
    list_init(&queue->waiters);
}

void waitqueue_add(struct waitqueue *queue, struct waiter *waiter, struct thread *thread) {
    waiter->thread = thread;
    mutex_lock(&queue->lock);
    list_insert_tail(&queue->waiters, &waiter->node);
    mutex_unlock(&queue->lock);
}

void waitqueue_remove(struct waitqueue *queue, struct waiter *waiter) {
    mutex_lock(&queue->lock);
    list_remove(&waiter->node);
    mutex_unlock(&queue->lock);
}

void waitqueue_wake(struct waitqueue *queue) {
    struct waiter *waiter;
    mutex_lock(&queue->lock);
    list_for_each(waiter, &queue->waiters, node) {
        thread_wake(waiter->thread);
    }
    mutex_unlock(&queue->lock);
}

void waitqueue_kick(struct waitqueue *queue) {
    struct waiter *waiter;
    mutex_lock(&queue->lock);
    list_for_each(waiter, &queue->waiters, node) {
        thread_wake(waiter->thread);
        kernel_thread_kick(waiter->thread->handle);
    }
    mutex_unlock(&queue->lock);
}

void thread_wake(struct thread *thread) {
    __atomic_fetch_add(&thread->wake_word, 1, __ATOMIC_SEQ_CST);
    kernel_futex_wake(&thread->wake_word, 1);
}

u32 thread_ticket(const struct thread *thread) {
    return __atomic_load_n(&thread->wake_word, __ATOMIC_SEQ_CST);
}

// A signal ends a wait only after the caller has looked once more: what it waits for may have come
// with the signal, as the end of a child does.
int thread_wait(struct thread *thread, u32 ticket, u64 deadline_ns) {
    if (signal_is_pending(thread) && thread_ticket(thread) == ticket) return -ERESTARTSYS;
    int result = kernel_futex_wait(&thread->wake_word, ticket, WAIT_INTERRUPTIBLE, deadline_ns);
    return result == -ETIMEDOUT ? -ETIMEDOUT : 0;
}

int thread_wait_killable(struct thread *thread, u32 ticket) {
    for (;;) {
        if (signal_is_killed(thread)) {
            return -ERESTARTSYS;
        }
        int result =
            kernel_futex_wait(&thread->wake_word, ticket, WAIT_INTERRUPTIBLE, DEADLINE_NEVER);
        if (result != -EINTR) {
            return 0;
        }
    }
}
