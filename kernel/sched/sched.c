// The scheduler: who runs, and for how long. A thread stays on the CPU it ran on last, unless an
// idle CPU takes it, or one with a shorter queue. Direct switches (IPC) go around the queue.
// schedule() runs with interrupts off and without locks.
#include "abi/errors.h"
#include "lib/print.h"
#include "mm/relief.h"
#include "sched/run_queue.h"

enum : u64 { SLICE_NS = 4'000'000 };

void sched_init_cpu(void) {
    struct run_queue *queue = queue_this();
    struct thread *idle = &queue->idle;
    lock_init(&queue->lock, LOCK_RUN_QUEUE);
    arch_thread_init_idle(idle);
    __atomic_store_n(&idle->state, THREAD_RUNNING, __ATOMIC_RELAXED);
    idle->is_idle = 1;
    idle->started_ns = arch_time_ns();
}

void thread_init(struct thread *thread, struct sched_group *group, u64 stack_top, void *vector,
                 void (*entry)(void *), void *argument) {
    thread->group = group;
    thread->cpu = arch_cpu_id();
    __atomic_store_n(&thread->state, THREAD_BLOCKED, __ATOMIC_RELAXED);
    list_init(&thread->wait_link);
    arch_thread_init(thread, stack_top, vector, entry, argument);
    // It goes on from its creator, and not before those that sleep least: a chain of threads gets on
    // in virtual time as one does.
    const struct thread *creator = thread_current();
    queue_leave_current(queue_this());
    thread->queue_cpu = creator->queue_cpu;
    if (creator->group == group) thread->entity.node.key = creator->entity.node.key + BONUS_NS;
}

// This CPU's next thread, else one of another's; nullptr when nobody waits.
static struct thread *next_take(struct run_queue *queue) {
    struct thread *thread = queue_take(queue);
    for (u32 i = 1; !thread && i < arch_cpu_count(); i++)
        thread = queue_take(&run_queues[(arch_cpu_id() + i) % arch_cpu_count()]);
    return thread;
}

// ---- switching ----

// Whether the current thread's slice ends: others wait for that, or a cap.
static bool slice_counts(const struct run_queue *queue) {
    return queue_length(queue) != 0 || queue->is_capped;
}

// The next interrupt without a slice: for a timer, or to look at caps.
static u64 look_ns(const struct run_queue *queue) {
    u64 next_ns = ktimer_next_deadline_ns();
    return queue->is_idle ? next_ns : min(next_ns, arch_time_ns() + CAP_LOOK_NS);
}

static void timer_start(const struct run_queue *queue) {
    u64 next_ns = look_ns(queue);
    arch_timer_set_ns(slice_counts(queue) ? min(next_ns, queue->slice_end_ns) : next_ns);
}

static bool slice_is_over(const struct run_queue *queue) {
    return slice_counts(queue) && arch_time_ns() >= queue->slice_end_ns;
}

u64 sched_count_current(void) {
    struct thread *thread = thread_current();
    u64 now_ns = arch_time_ns();
    u64 ran_ns = now_ns - thread->started_ns;
    __atomic_store_n(&thread->run_ns, thread->run_ns + ran_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&thread->started_ns, now_ns, __ATOMIC_RELAXED);
    if (thread->group) sched_group_ran(thread->group, (i64)ran_ns);
    __atomic_store_n(&queue_this()->running_from_ns, now_ns, __ATOMIC_RELAXED);
    return now_ns;
}

// Who has charged what makes memory low gives pages back, though it is blocked in between.
static void relief_carry(struct thread *prev, const struct thread *next) {
    struct cpu *cpu = arch_this_cpu();
    prev->relief = cpu->work & CPU_WORK_RELIEF;
    cpu->work = (cpu->work & ~(u32)CPU_WORK_RELIEF) | next->relief;
    if (unlikely(next->relief)) cpu->work |= CPU_WORK_RESCHED;
}

static void switch_to(struct thread *next) {
    struct thread *prev = thread_current();
    u64 now_ns = sched_count_current();
    __atomic_store_n(&next->started_ns, now_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&next->state, THREAD_RUNNING, __ATOMIC_RELAXED);
    struct run_queue *queue = queue_this();
    cap_look(queue, next);
    __atomic_store_n(&queue->running, next->group, __ATOMIC_RELAXED);
    if (next == prev) return;
    __atomic_store_n(&next->cpu, arch_cpu_id(), __ATOMIC_RELAXED);
    relief_carry(prev, next);
    arch_context_switch(prev, next);
}

void thread_switched(struct thread *prev) {
    // When the CPU is off its stack, another may run it; if it has ended, it can be taken apart.
    bool has_ended = __atomic_load_n(&prev->state, __ATOMIC_RELAXED) == THREAD_ENDED;
    __atomic_store_n(&prev->arch.on_cpu, 0, __ATOMIC_RELEASE);
    if (unlikely(has_ended)) prev->ended(prev);
    if (__atomic_load_n(&thread_current()->pending, __ATOMIC_RELAXED))
        arch_this_cpu()->work |= CPU_WORK_RESCHED;
}

// Switches to a thread that was taken from a queue, or to the idle thread.
static void run(struct run_queue *queue, struct thread *next) {
    __atomic_store_n(&queue->is_idle, next->is_idle, __ATOMIC_RELAXED);
    queue->slice_end_ns = arch_time_ns() + SLICE_NS;
    if (queue_length(queue) != 0 || thread_current()->is_idle) timer_start(queue);
    switch_to(next);
}

// The current thread is blocked or has ended.
static void schedule(void) {
    struct run_queue *queue = queue_this();
    queue_leave_current(queue);
    struct thread *next = next_take(queue);
    run(queue, next ? next : &queue->idle);
}

NORETURN void sched_idle(void) {
    struct run_queue *queue = queue_this();
    for (;;) {
        __atomic_store_n(&queue->is_idle, 1, __ATOMIC_SEQ_CST);
        struct thread *next = next_take(queue);
        if (next) {
            run(queue, next);
        } else {
            timer_start(queue);
            arch_idle();
        }
    }
}

// An idle CPU to run `thread`, else the one it was on.
static u32 cpu_choose(const struct thread *thread) {
    u32 count = arch_cpu_count();
    if (arch_thread_on_cpu(thread) && thread != thread_current()) return thread->cpu;
    for (u32 i = 0; i < count; i++) {
        u32 cpu = (thread->cpu + i) % count;
        if (__atomic_load_n(&run_queues[cpu].is_idle, __ATOMIC_ACQUIRE)) return cpu;
    }
    return thread->cpu;
}

void sched_make_runnable(struct thread *thread) {
    u32 cpu = cpu_choose(thread);
    struct run_queue *queue = &run_queues[cpu];
    // The thread may still be on its way off its CPU, and looks whether it has ended.
    __atomic_store_n(&thread->state, THREAD_RUNNABLE, __ATOMIC_RELAXED);
    queue_add(queue, thread);
    // The running thread there may have no slice timer: the interrupt lets it look.
    if (cpu != arch_cpu_id()) arch_ipi_resched(cpu);
    // Here it looks on its way to user mode.
    else if (!thread_current()->is_idle)
        arch_this_cpu()->work |= CPU_WORK_RESCHED;
}

// Charged before anything is taken: who waits alone counts, too.
void sched_yield(void) {
    struct run_queue *queue = queue_this();
    if (thread_current()->is_idle) return;
    queue_leave_current(queue);
    struct thread *next = queue_take(queue);
    if (!next) return;
    queue_add_current(queue);
    run(queue, next);
}

// Gives one to a CPU where fewer wait than here: an idle one takes it by itself.
static void balance(struct run_queue *queue) {
    if (queue_length(queue) == 0) return;
    for (u32 i = 1; i < arch_cpu_count(); i++) {
        u32 cpu = (arch_cpu_id() + i) % arch_cpu_count();
        struct run_queue *other = &run_queues[cpu];
        bool is_idle = __atomic_load_n(&other->is_idle, __ATOMIC_ACQUIRE);
        bool is_shorter = queue_length(queue) >= queue_length(other) + 2;
        struct thread *given = is_shorter && !is_idle ? queue_take(queue) : nullptr;
        if (given) queue_add(other, given);
        if (given || is_idle) arch_ipi_resched(cpu);
    }
}

// The current thread's time is over, or another has a better right: perhaps it goes on.
static void preempt(struct run_queue *queue) {
    if (thread_current()->is_idle) return;
    queue_leave_current(queue);
    if (slice_is_over(queue)) balance(queue);
    queue_add_current(queue);
    run(queue, queue_take(queue));
}

NORETURN void thread_end(void) {
    __atomic_store_n(&thread_current()->state, THREAD_ENDED, __ATOMIC_RELAXED);
    schedule();
    panic("a thread that has ended ran on");
}

// Called by waitq with the wait published: runs others until the wait is claimed.
void sched_block(struct thread *next) {
    if (next) {
        // Its CPU may be on its way off this thread's stack; a few instructions.
        while (arch_thread_on_cpu(next))
            arch_spin_poll();
        queue_hand_over(queue_this());
        switch_to(next);
    } else {
        schedule();
    }
}

void timer_interrupt(void) {
    struct run_queue *queue = queue_this();
    ktimer_run_due(arch_time_ns());
    if (thread_current()->is_idle || slice_is_over(queue)) {
        // The queue is looked at next; a timer that is due already would keep the CPU from that.
        arch_this_cpu()->work |= CPU_WORK_RESCHED;
        arch_timer_set_ns(look_ns(queue));
    } else {
        cap_look(queue, thread_current());
        timer_start(queue);
    }
}

static void relief_if_asked(void) {
    struct thread *current = thread_current();
    if (likely(!(arch_this_cpu()->work & CPU_WORK_RELIEF))) return;
    if (current->is_idle || current->is_relieving) return;
    arch_this_cpu()->work &= ~(u32)CPU_WORK_RELIEF;
    current->is_relieving = 1;
    relief_work();
    current->is_relieving = 0;
}

void sched_return_work(void) {
    struct thread *current = thread_current();
    relief_if_asked();
    struct run_queue *queue = queue_this();
    // Asked for by that work itself, it would never end.
    arch_this_cpu()->work &= ~(u32)(CPU_WORK_RESCHED | CPU_WORK_RELIEF);
    if (slice_is_over(queue) || queue_prefers_other(queue))
        preempt(queue);
    else if (slice_counts(queue))
        timer_start(queue);
    // It may have come to another CPU.
    if (queue_this()->is_capped) cap_wait();
    if (__atomic_load_n(&current->pending, __ATOMIC_ACQUIRE) & THREAD_KILL)
        current->killed(current);
}

void sched_preempt_point(void) {
    arch_interrupts_open();
    relief_if_asked();
    // The bit is left set: if the thread is to end, that is done on the way to user mode.
    if (arch_this_cpu()->work & CPU_WORK_RESCHED && slice_is_over(queue_this()))
        preempt(queue_this());
}

bool thread_is_killed(void) {
    return (__atomic_load_n(&thread_current()->pending, __ATOMIC_RELAXED) & THREAD_KILL) != 0;
}

u64 thread_run_ns(const struct thread *thread) {
    u64 run_ns = __atomic_load_n(&thread->run_ns, __ATOMIC_RELAXED);
    if (__atomic_load_n(&thread->state, __ATOMIC_RELAXED) == THREAD_RUNNING)
        run_ns += arch_time_ns() - __atomic_load_n(&thread->started_ns, __ATOMIC_RELAXED);
    return run_ns;
}

u64 sched_group_run_ns(const struct sched_group *group) {
    u64 run_ns = __atomic_load_n(&group->run_ns, __ATOMIC_RELAXED);
    for (u32 cpu = 0; cpu < arch_cpu_count(); cpu++) {
        if (__atomic_load_n(&run_queues[cpu].running, __ATOMIC_RELAXED) != group) continue;
        u64 from_ns = __atomic_load_n(&run_queues[cpu].running_from_ns, __ATOMIC_ACQUIRE);
        run_ns += arch_time_ns() - from_ns;
    }
    return run_ns;
}
