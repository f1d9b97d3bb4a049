// Waiting. The order that makes it race-free: a waiter publishes WAIT_WAITING, then looks at kicks
// and kills; who kicks or kills sets its flag, then looks at the wait state. The wait state is
// claimed once; the claimer, and nobody else, makes the thread runnable.
#include "sched/waitq.h"

#include "abi/errors.h"
#include "sched/thread.h"

static bool claim_from(struct thread *thread, u32 state, status_t status) {
    if (!__atomic_compare_exchange_n(&thread->wait_state, &state, WAIT_CLAIMED, false,
                                     __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
        return false;
    thread->wait_status = status;
    return true;
}

bool waitq_claim(struct thread *thread, status_t status) {
    return claim_from(thread, WAIT_WAITING, status) || claim_from(thread, WAIT_KICKABLE, status);
}

static void claim_and_run(struct thread *thread, status_t status) {
    if (waitq_claim(thread, status)) sched_make_runnable(thread);
}

static void wait_timed_out(struct ktimer *timer) {
    claim_and_run(container_of(timer, struct thread, wait_timer), ERR_TIMED_OUT);
}

struct thread *waitq_claim_one(struct waitq *queue, status_t status) {
    struct thread *thread;
    while ((thread = list_take_first(&queue->threads, struct thread, wait_link)))
        if (waitq_claim(thread, status)) return thread;
    return nullptr;
}

struct thread *waitq_wake_one(struct waitq *queue, status_t status) {
    struct thread *thread = waitq_claim_one(queue, status);
    if (thread) sched_make_runnable(thread);
    return thread;
}

void waitq_wake_all(struct waitq *queue, status_t status) {
    while (waitq_wake_one(queue, status)) {
    }
}

// After the wait was published: something that was there already ends it at once.
static bool claim_by_self(struct thread *current, u32 flags) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (thread_is_killed()) return waitq_claim(current, ERR_DEAD);
    bool is_kicked = __atomic_load_n(&current->kick, __ATOMIC_SEQ_CST);
    return is_kicked && (flags & WAIT_INTERRUPTIBLE) && waitq_claim(current, ERR_INTERRUPTED);
}

CHANGES_ALL status_t waitq_block_handoff(struct waitq *queue, struct lock *lock, u64 deadline_ns,
                                         u32 flags, struct thread *next) NO_THREAD_SAFETY_ANALYSIS {
    struct thread *current = thread_current();
    __atomic_store_n(&current->state, THREAD_BLOCKED, __ATOMIC_RELAXED);
    if (queue) list_insert_tail(&queue->threads, &current->wait_link);
    u32 waiting = flags & WAIT_INTERRUPTIBLE ? WAIT_KICKABLE : WAIT_WAITING;
    __atomic_store_n(&current->wait_state, waiting, __ATOMIC_RELEASE);
    lock_release(lock);

    bool has_timer = deadline_ns != ~0ul;
    if (has_timer) {
        ktimer_init(&current->wait_timer, wait_timed_out);
        ktimer_arm(&current->wait_timer, deadline_ns);
    }
    if (claim_by_self(current, flags)) {
        __atomic_store_n(&current->state, THREAD_RUNNING, __ATOMIC_RELAXED);
        if (next) sched_make_runnable(next);
    } else {
        sched_block(next);
    }
    if (has_timer) ktimer_cancel(&current->wait_timer);
    __atomic_store_n(&current->wait_state, WAIT_NONE, __ATOMIC_RELAXED);
    // Whoever claimed us through the queue took us off it; a timer, kick or kill did not.
    if (current->wait_status != OK || !list_empty(&current->wait_link))
        list_remove_under(lock, &current->wait_link);
    if (current->wait_status == ERR_INTERRUPTED)
        __atomic_store_n(&current->kick, 0, __ATOMIC_SEQ_CST);
    return current->wait_status;
}

status_t waitq_block(struct waitq *queue, struct lock *lock, u64 deadline_ns,
                     u32 flags) NO_THREAD_SAFETY_ANALYSIS {
    if (deadline_ns == 0) {
        lock_release(lock);
        return ERR_TIMED_OUT;
    }
    return waitq_block_handoff(queue, lock, deadline_ns, flags, nullptr);
}

static void thread_interrupt(struct thread *thread) {
    u32 cpu = __atomic_load_n(&thread->cpu, __ATOMIC_RELAXED);
    if (thread == thread_current())
        arch_this_cpu()->work |= CPU_WORK_RESCHED;
    else if (arch_thread_on_cpu(thread))
        arch_ipi_resched(cpu);
}

void thread_kill(struct thread *thread) {
    __atomic_fetch_or(&thread->pending, THREAD_KILL, __ATOMIC_SEQ_CST);
    claim_and_run(thread, ERR_DEAD);
    thread_interrupt(thread);
}

void thread_kick(struct thread *thread) {
    __atomic_store_n(&thread->kick, 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (claim_from(thread, WAIT_KICKABLE, ERR_INTERRUPTED)) sched_make_runnable(thread);
    thread_interrupt(thread);
}
