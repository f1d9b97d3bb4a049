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

// For whom a thread works, locked; nullptr: for nobody, and nothing is locked. Whom can change, whether
// cannot: it is the current thread, or its caller, who waits.
static struct sched_group *work_lock(const struct thread *thread) NO_THREAD_SAFETY_ANALYSIS {
    struct sched_group *group;
    while ((group = __atomic_load_n(&thread->works_for, __ATOMIC_RELAXED))) {
        lock_acquire(lock_of(group));
        if (__atomic_load_n(&thread->works_for, __ATOMIC_RELAXED) == group) break;
        lock_release(lock_of(group));
    }
    return group;
}

static void work_set_locked(struct thread *thread, struct sched_group *group) {
    list_insert_tail(&group->workers, &thread->work_link);
    __atomic_store_n(&thread->works_for, group, __ATOMIC_RELAXED);
}

static void begin_locked(struct sched_group *group) {
    struct thread *thread = thread_current();
    thread->work_run_ns = thread_run_ns(thread);
    thread->work_charged_ns = thread->charged_ns;
    work_set_locked(thread, group);
}

void sched_work_begin(struct sched_group *group) {
    lock_acquire(lock_of(group));
    begin_locked(group);
    lock_release(lock_of(group));
}

void sched_work_begin_call(const struct thread *caller) NO_THREAD_SAFETY_ANALYSIS {
    struct sched_group *group = work_lock(caller);
    if (group) {
        begin_locked(group);
        lock_release(lock_of(group));
    } else if (caller->group != thread_current()->group) {
        sched_work_begin(caller->group);
    }
}

// A debt that is not charged yet goes with the answer; without a caller to take it, it is charged.
static void debt_give(struct thread *caller) {
    struct thread *thread = thread_current();
    struct run_queue *queue = queue_this();
    queue_hand_over(queue);
    if (caller && !arch_thread_on_cpu(caller)) {
        caller->debt_ns += thread->debt_ns;
        thread->debt_ns = 0;
    } else {
        queue_leave_current(queue);
    }
}

void sched_work_end(struct thread *caller, u64 most_ns) NO_THREAD_SAFETY_ANALYSIS {
    struct thread *thread = thread_current();
    if (!__atomic_load_n(&thread->works_for, __ATOMIC_RELAXED)) return;
    debt_give(caller);
    i64 ran_ns = (i64)min(thread_run_ns(thread) - thread->work_run_ns, most_ns);
    i64 charged_ns = (i64)min(thread->charged_ns - thread->work_charged_ns, most_ns);
    struct sched_group *group = work_lock(thread);
    list_remove(&thread->work_link);
    __atomic_store_n(&thread->works_for, nullptr, __ATOMIC_RELAXED);
    sched_group_ran(group, ran_ns);
    sched_group_ran(thread->group, -ran_ns);
    if (charged_ns != 0) queue_rebill(queue_this(), thread->group, group, charged_ns);
    lock_release(lock_of(group));
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
