// A CPU's run queue: the tree of what waits there (group.h).
#pragma once

#include "sched/thread.h"

enum : u64 {
    BONUS_NS = 2'000'000,      // how far behind the others a sleeper starts
    CAP_LOOK_NS = 100'000'000, // how soon one that runs alone, or sleeps, hears of another cap
};

struct run_queue {
    struct lock lock;
    struct sched_node root GUARDED_BY(&lock);
    u32 ready_count;    // changed under lock, read anywhere
    u32 is_idle;        // atomic: its idle thread runs, or is about to
    u64 waited_from_ns; // atomic: since when somebody waits
    u64 slice_end_ns;   // own CPU only
    u64 charged_ns;     // own CPU only: until when time is charged
    u32 is_capped;      // own CPU only: the current thread's group, or one above, has a cap
    // Whose thread runs, and since when; changed by the own CPU, looked at (only) by any:
    const struct sched_group *running;
    u64 running_from_ns;
    struct thread idle;
};
extern struct run_queue run_queues[MAX_CPUS];

static inline struct run_queue *queue_this(void) { return &run_queues[arch_cpu_id()]; }

static inline u32 queue_length(const struct run_queue *queue) {
    return __atomic_load_n(&queue->ready_count, __ATOMIC_ACQUIRE);
}

void queue_add(struct run_queue *queue, struct thread *thread);
// Own CPU: charges the current thread; and puts it back.
void queue_leave_current(struct run_queue *queue);
void queue_add_current(struct run_queue *queue);
// Own CPU: the current thread hands the CPU over without the queue: it keeps a small debt.
void queue_hand_over(struct run_queue *queue);
// Own CPU: what was charged to a group and those above it is charged to another and those above that,
// or as much of it as that can bear; how much that was.
i64 queue_rebill(struct run_queue *queue, const struct sched_group *from,
                 const struct sched_group *to, i64 ran_ns);
// Own CPU: whether who waits first should run before the current thread goes on.
bool queue_prefers_other(struct run_queue *queue);
// The next thread, taken out; nullptr when nobody waits, or another CPU has not left its stack.
struct thread *queue_take(struct run_queue *queue);

// ---- caps (cap.c) ----
// Own CPU: whether this thread, which runs here next, has to look at caps on its way to user mode.
void cap_look(struct run_queue *queue, const struct thread *thread);
// The current thread sleeps for as long as what it belongs to is beyond its cap.
void cap_wait(void);
// What the current thread has run until now is counted; and the time.
u64 sched_count_current(void);
// What a group ran, or less than nothing, is counted.
void sched_group_ran(struct sched_group *group, i64 ran_ns);
