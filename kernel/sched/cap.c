// Caps: what a group, and all below it, may run. A group with a cap has a time from which it may go
// on; what it runs moves that by a cap's share, on whatever CPU. Who comes by before that, on the way
// to user mode, sleeps until then.
#include "abi/errors.h"
#include "sched/run_queue.h"

enum : u64 {
    CREDIT_NS = 20'000'000, // what one that has slept can catch up
    SLACK_NS = 100'000,     // many times what one runs that sleeps and wakes, as that counts too
    LET_ON_NS = 1'000'000,  // for as long who has slept has that
};

static u64 cap_of(const struct sched_group *group) {
    return __atomic_load_n(&group->cap_thousandths, __ATOMIC_RELAXED);
}

void cap_look(struct run_queue *queue, const struct thread *thread) {
    const struct sched_group *group = thread->group;
    while (group && cap_of(group) == 0)
        group = group->parent;
    queue->is_capped = group != nullptr;
    if (unlikely(queue->is_capped)) arch_this_cpu()->work |= CPU_WORK_RESCHED;
}

void sched_group_cap(struct sched_group *group, u64 thousandths) {
    if (thousandths == cap_of(group)) return;
    u64 now_ns = arch_time_ns();
    u64 until_ns = __atomic_load_n(&group->capped_until_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&group->capped_from_ns, now_ns, __ATOMIC_RELAXED);
    // Another value, so that who charges at the same time sees it.
    until_ns = min(until_ns, now_ns);
    __atomic_store_n(&group->capped_until_ns, until_ns - min(until_ns, 1ul), __ATOMIC_RELAXED);
    __atomic_store_n(&group->cap_thousandths, thousandths, __ATOMIC_RELAXED);
}

// What it ran before it had this cap does not count; and what is given back may be more than what was
// counted: never before the beginning.
static SLOW_PATH void cap_move(struct sched_group *group, i64 ran_ns) {
    u64 now_ns = arch_time_ns(), next_ns;
    u64 until_ns = __atomic_load_n(&group->capped_until_ns, __ATOMIC_RELAXED);
    do {
        u64 cap = cap_of(group);
        if (cap == 0) return;
        u64 from_ns = __atomic_load_n(&group->capped_from_ns, __ATOMIC_RELAXED);
        i64 counted_ns = min(ran_ns, (i64)(now_ns - min(now_ns, from_ns)));
        next_ns = max(until_ns, now_ns - min(now_ns, CREDIT_NS));
        next_ns = (u64)max((i64)next_ns + counted_ns * 1000 / (i64)cap, 0l);
    } while (!__atomic_compare_exchange_n(&group->capped_until_ns, &until_ns, next_ns, false,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

void sched_group_ran(struct sched_group *group, i64 ran_ns) {
    __atomic_fetch_add(&group->run_ns, (u64)ran_ns, __ATOMIC_RELAXED);
    for (; group; group = group->parent)
        if (unlikely(cap_of(group) != 0)) cap_move(group, ran_ns);
}

// Until when it is beyond its cap; 0: it is not. Who has just slept is let on though that, and the
// sleeping of others, has moved the time.
static u64 capped_until_ns(const struct sched_group *group, bool has_slept) {
    u64 cap = cap_of(group);
    if (cap == 0) return 0;
    u64 sleepers = __atomic_load_n(&group->sleepers, __ATOMIC_RELAXED);
    u64 slack_ns = has_slept ? SLACK_NS * (1 + sleepers) : 0;
    u64 until_ns = __atomic_load_n(&group->capped_until_ns, __ATOMIC_RELAXED);
    return until_ns > arch_time_ns() + slack_ns * 1000 / cap ? until_ns : 0;
}

static struct sched_group *capped_at(const struct thread *thread) {
    bool has_slept = arch_time_ns() - thread->let_on_ns < LET_ON_NS;
    struct sched_group *group = thread->group;
    while (group && capped_until_ns(group, has_slept) == 0)
        group = group->parent;
    return group;
}

// In pieces, so that a cap that is lifted meanwhile is heard of.
static void time_wait(struct sched_group *group) {
    static struct lock locks[MAX_CPUS] = {[0 ... MAX_CPUS - 1] = LOCK_INIT(LOCK_OBJECT)};
    u64 until_ns;
    bool has_slept = false;
    __atomic_fetch_add(&group->sleepers, 1, __ATOMIC_RELAXED);
    while (!thread_is_killed() && (until_ns = capped_until_ns(group, has_slept)) != 0) {
        struct lock *lock = &locks[arch_cpu_id()];
        lock_acquire(lock);
        until_ns = min(until_ns, arch_time_ns() + CAP_LOOK_NS);
        (void)waitq_block_handoff(nullptr, lock, until_ns, 0, nullptr);
        has_slept = true;
    }
    __atomic_fetch_sub(&group->sleepers, 1, __ATOMIC_RELAXED);
    thread_current()->let_on_ns = arch_time_ns();
}

// Of each namespace one sleeps for the time: were all to, all would wake to find that one has it.
// Who is woken after it is not the first before it has a processor: that can be long, and others may
// have one meanwhile.
static void group_wait(struct sched_group *own, struct sched_group *group) {
    lock_acquire(&own->cap_lock);
    while (own->has_first) {
        if (waitq_block(&own->capped, &own->cap_lock, ~0ul, 0) != OK) return;
        lock_acquire(&own->cap_lock);
    }
    own->has_first = true;
    lock_release(&own->cap_lock);
    time_wait(group);
    lock_acquire(&own->cap_lock);
    own->has_first = false;
    waitq_wake_one(&own->capped, OK);
    lock_release(&own->cap_lock);
}

void cap_wait(void) {
    struct thread *thread = thread_current();
    struct sched_group *group;
    while (!thread_is_killed() && (group = capped_at(thread)))
        group_wait(thread->group, group);
}
