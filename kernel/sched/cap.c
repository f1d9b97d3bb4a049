// Caps: what a group, and all below it, may run. A group with a cap has a time from which it may go
// on; what it runs moves that by a cap's share, on whatever CPU. Who comes by before that, on the way
// to user mode, sleeps until then.
#include "sched/run_queue.h"

enum : u64 { CREDIT_NS = 20'000'000 }; // what one that has slept can catch up

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
    __atomic_store_n(&group->capped_until_ns, min(until_ns, now_ns), __ATOMIC_RELAXED);
    __atomic_store_n(&group->cap_thousandths, thousandths, __ATOMIC_RELAXED);
}

// What it ran before it had this cap does not count; and what is given back may be more than what was
// counted: never before the beginning.
static SLOW_PATH void cap_move(struct sched_group *group, u64 cap, i64 ran_ns) {
    u64 now_ns = arch_time_ns();
    u64 from_ns = __atomic_load_n(&group->capped_from_ns, __ATOMIC_RELAXED);
    u64 until_ns = __atomic_load_n(&group->capped_until_ns, __ATOMIC_RELAXED);
    i64 moved_ns = min(ran_ns, (i64)(now_ns - min(now_ns, from_ns))) * 1000 / (i64)cap;
    u64 next_ns;
    do {
        next_ns = max(until_ns, now_ns - min(now_ns, CREDIT_NS));
        next_ns = (u64)max((i64)next_ns + moved_ns, 0l);
    } while (!__atomic_compare_exchange_n(&group->capped_until_ns, &until_ns, next_ns, false,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

void sched_group_ran(struct sched_group *group, i64 ran_ns) {
    __atomic_fetch_add(&group->run_ns, (u64)ran_ns, __ATOMIC_RELAXED);
    for (; group; group = group->parent) {
        u64 cap = cap_of(group);
        if (unlikely(cap != 0)) cap_move(group, cap, ran_ns);
    }
}

static u64 capped_until_ns(const struct sched_group *group) {
    u64 until_ns = 0;
    for (; group; group = group->parent)
        if (cap_of(group) != 0)
            until_ns = max(until_ns, __atomic_load_n(&group->capped_until_ns, __ATOMIC_RELAXED));
    return until_ns;
}

// In pieces, so that a cap that is lifted meanwhile is heard of.
void cap_wait(void) {
    static struct lock locks[MAX_CPUS] = {[0 ... MAX_CPUS - 1] = LOCK_INIT(LOCK_OBJECT)};
    u64 until_ns, now_ns;
    while (!thread_is_killed() &&
           (until_ns = capped_until_ns(thread_current()->group)) > (now_ns = arch_time_ns())) {
        struct lock *lock = &locks[arch_cpu_id()];
        lock_acquire(lock);
        (void)waitq_block_handoff(nullptr, lock, min(until_ns, now_ns + CAP_LOOK_NS), 0, nullptr);
    }
}
