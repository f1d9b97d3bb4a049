// Working for others: a server does it in its own turn; then its processor time, and what it was
// charged, goes over to the group it worked for. That group has a list of who works for it, and leaves
// them to its parent when it ends: so nobody has to keep it.
// Locks: which one guards a group's list follows from its address alone, which may be looked at when
// the group is gone; under it the group of who is on its list is there. They are taken before a run
// queue's.
#include "sched/run_queue.h"

enum : u64 { WORK_LOCKS = 64 };

static struct lock work_locks[WORK_LOCKS] = {[0 ... WORK_LOCKS - 1] = LOCK_INIT(LOCK_WORK)};

static struct lock *lock_of(const struct sched_group *group) {
    return &work_locks[(u64)group / sizeof(*group) % WORK_LOCKS];
}

static void work_set_locked(struct thread *thread, struct sched_group *group) {
    list_insert_tail(&group->workers, &thread->work_link);
    __atomic_store_n(&thread->works_for, group, __ATOMIC_RELAXED);
}

void sched_work_begin(struct sched_group *group) {
    struct thread *thread = thread_current();
    if (group == thread->group) return;
    thread->work_run_ns = thread_run_ns(thread);
    thread->work_charged_ns = thread->charged_ns;
    lock_acquire(lock_of(group));
    work_set_locked(thread, group);
    lock_release(lock_of(group));
}

// For whom the current thread works: it does, but for whom can change until that is locked.
static struct sched_group *work_lock(const struct thread *thread) NO_THREAD_SAFETY_ANALYSIS {
    for (;;) {
        struct sched_group *group = __atomic_load_n(&thread->works_for, __ATOMIC_RELAXED);
        lock_acquire(lock_of(group));
        if (__atomic_load_n(&thread->works_for, __ATOMIC_RELAXED) == group) return group;
        lock_release(lock_of(group));
    }
}

// What goes over to whom it worked for: of what it ran and was charged, and what it owes still, no more
// than it ran for that one.
struct bill {
    i64 ran_ns, charged_ns, debt_ns;
};

static struct bill bill_make(const struct thread *thread, u64 most_ns) {
    u64 ran_ns = min(thread->run_ns - thread->work_run_ns, most_ns);
    u64 charged_ns = min(thread->charged_ns - thread->work_charged_ns, ran_ns);
    u64 debt_ns = min(thread->debt_ns, ran_ns - charged_ns);
    return (struct bill){(i64)ran_ns, (i64)charged_ns, (i64)debt_ns};
}

// What is owed goes with the answer; without a caller to take it, it is charged.
static struct bill debt_give(struct thread *caller, u64 most_ns) {
    struct thread *thread = thread_current();
    queue_hand_over(queue_this());
    if (!caller) queue_leave_current(queue_this());
    struct bill bill = bill_make(thread, most_ns);
    if (!caller) return bill;
    caller->debt_ns += (u64)bill.debt_ns;
    thread->debt_ns -= (u64)bill.debt_ns;
    return bill;
}

void sched_work_end(struct thread *caller, u64 most_ns) NO_THREAD_SAFETY_ANALYSIS {
    struct thread *thread = thread_current();
    const struct sched_group *payer = __atomic_load_n(&thread->works_for, __ATOMIC_RELAXED);
    if (!payer) return;
    // Another's caller may be answered; and one that is on its way off a CPU counts for itself still.
    if (caller && (caller->group != payer || arch_thread_on_cpu(caller))) caller = nullptr;
    sched_count_current();
    struct bill bill = debt_give(caller, most_ns);
    struct sched_group *group = work_lock(thread);
    list_remove(&thread->work_link);
    __atomic_store_n(&thread->works_for, nullptr, __ATOMIC_RELAXED);
    sched_group_ran(group, bill.ran_ns);
    sched_group_ran(thread->group, -bill.ran_ns);
    if (bill.charged_ns != 0)
        bill.charged_ns = queue_rebill(queue_this(), thread->group, group, bill.charged_ns);
    lock_release(lock_of(group));
    if (!caller) return;
    // If the caller works for another in turn, this is a part of what it does.
    caller->work_run_ns -= (u64)bill.ran_ns;
    caller->work_charged_ns -= (u64)bill.charged_ns;
}

// Two at a time, here only: the lower first; they may be one.
static void pair_lock(struct lock *one, struct lock *other) NO_THREAD_SAFETY_ANALYSIS {
    lock_acquire(min(one, other));
    if (one != other) lock_acquire_same_rank(max(one, other));
}

void sched_group_end(struct sched_group *group) NO_THREAD_SAFETY_ANALYSIS {
    struct thread *worker;
    struct lock *above = lock_of(group->parent);
    pair_lock(lock_of(group), above);
    while ((worker = list_take_first(&group->workers, struct thread, work_link)))
        work_set_locked(worker, group->parent);
    if (above != lock_of(group)) lock_release(above);
    lock_release(lock_of(group));
}
