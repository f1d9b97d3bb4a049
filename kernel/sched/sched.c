// The scheduler: per CPU a FIFO of runnable threads with time slices; idle CPUs take work over.
// A thread stays on the CPU it ran on last, unless an idle CPU takes it. Direct switches (IPC)
// go around the queue.
// Lock: the run queue's, for `ready`. schedule() runs with interrupts off and without locks.
#include "sched/thread.h"

#include "abi/errors.h"
#include "lib/print.h"

enum : u64 { SLICE_NS = 5'000'000 };

static struct run_queue {
    struct lock lock;
    struct list ready GUARDED_BY(&lock);
    u32 ready_count;  // changed under lock, read anywhere
    u32 is_idle;      // atomic: its idle thread runs, or is about to
    u64 slice_end_ns; // own CPU only
    struct thread idle;
} queues[MAX_CPUS];

static struct run_queue *queue_this(void) { return &queues[arch_cpu_id()]; }

void sched_init_cpu(void) {
    struct run_queue *queue = queue_this();
    lock_init(&queue->lock, LOCK_RUN_QUEUE);
    struct thread *idle = &queue->idle;
    arch_thread_init_idle(idle);
    idle->state = THREAD_RUNNING;
    idle->is_idle = 1;
    idle->cpu = arch_cpu_id();
    idle->started_ns = arch_time_ns();
    list_init(&idle->run_link);
    list_init(&idle->wait_link);
    lock_acquire(&queue->lock);
    list_init(&queue->ready);
    lock_release(&queue->lock);
}

void thread_init(struct thread *thread, struct sched_group *group, u64 stack_top, void *vector,
                 void (*entry)(void *), void *argument) {
    thread->group = group;
    thread->cpu = arch_cpu_id();
    thread->state = THREAD_BLOCKED;
    list_init(&thread->run_link);
    list_init(&thread->wait_link);
    arch_thread_init(thread, stack_top, vector, entry, argument);
}

// ---- the queue ----

static void queue_add(struct run_queue *queue, struct thread *thread) {
    lock_acquire(&queue->lock);
    list_insert_tail(&queue->ready, &thread->run_link);
    __atomic_store_n(&queue->ready_count, queue->ready_count + 1, __ATOMIC_RELEASE);
    lock_release(&queue->lock);
}

static bool others_wait(const struct run_queue *queue) {
    return __atomic_load_n(&queue->ready_count, __ATOMIC_ACQUIRE) != 0;
}

// The first that can be switched to: one whose last CPU has not left its stack is not yet.
static struct thread *queue_take(struct run_queue *queue) {
    if (!others_wait(queue)) return nullptr;
    struct thread *found = nullptr;
    struct thread *thread;
    lock_acquire(&queue->lock);
    list_for_each(thread, &queue->ready, run_link) {
        if (thread != thread_current() && arch_thread_on_cpu(thread)) continue;
        found = thread;
        list_remove(&found->run_link);
        __atomic_store_n(&queue->ready_count, queue->ready_count - 1, __ATOMIC_RELAXED);
        break;
    }
    lock_release(&queue->lock);
    return found;
}

// This CPU's next thread, else one of another's; nullptr when nobody waits.
static struct thread *next_take(struct run_queue *queue) {
    struct thread *thread = queue_take(queue);
    for (u32 i = 1; !thread && i < arch_cpu_count(); i++)
        thread = queue_take(&queues[(arch_cpu_id() + i) % arch_cpu_count()]);
    return thread;
}

// ---- switching ----

// The next interrupt: for a timer, or at the end of the slice when others wait for it.
static void timer_start(const struct run_queue *queue) {
    u64 next_ns = ktimer_next_deadline_ns();
    arch_timer_set_ns(others_wait(queue) ? min(next_ns, queue->slice_end_ns) : next_ns);
}

static bool slice_is_over(const struct run_queue *queue) {
    return others_wait(queue) && arch_time_ns() >= queue->slice_end_ns;
}

static void switch_to(struct thread *next) {
    struct thread *prev = thread_current();
    u64 now_ns = arch_time_ns();
    u64 ran_ns = now_ns - prev->started_ns;
    prev->run_ns += ran_ns;
    if (prev->group) __atomic_fetch_add(&prev->group->run_ns, ran_ns, __ATOMIC_RELAXED);
    next->started_ns = now_ns;
    next->state = THREAD_RUNNING;
    if (next == prev) return;
    __atomic_store_n(&next->cpu, arch_cpu_id(), __ATOMIC_RELAXED);
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
    if (others_wait(queue)) timer_start(queue);
    switch_to(next);
}

// The current thread is blocked or has ended.
static void schedule(void) {
    struct run_queue *queue = queue_this();
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
        if (__atomic_load_n(&queues[cpu].is_idle, __ATOMIC_ACQUIRE)) return cpu;
    }
    return thread->cpu;
}

void sched_make_runnable(struct thread *thread) {
    u32 cpu = cpu_choose(thread);
    struct run_queue *queue = &queues[cpu];
    // The thread may still be on its way off its CPU, and looks whether it has ended.
    __atomic_store_n(&thread->state, THREAD_RUNNABLE, __ATOMIC_RELAXED);
    queue_add(queue, thread);
    // The running thread there may have no slice timer: the interrupt lets it look.
    if (cpu != arch_cpu_id()) arch_ipi_resched(cpu);
    // Someone else waits now: the running thread's slice begins to count.
    else if (!thread_current()->is_idle &&
             __atomic_load_n(&queue->ready_count, __ATOMIC_RELAXED) == 1)
        timer_start(queue);
}

void sched_yield(void) {
    struct thread *current = thread_current();
    struct run_queue *queue = queue_this();
    if (current->is_idle) return;
    struct thread *next = queue_take(queue);
    if (!next) {
        queue->slice_end_ns = arch_time_ns() + SLICE_NS;
        return;
    }
    current->state = THREAD_RUNNABLE;
    queue_add(queue, current);
    run(queue, next);
}

NORETURN void thread_end(void) {
    thread_current()->state = THREAD_ENDED;
    schedule();
    panic("a thread that has ended ran on");
}

// Called by waitq with the wait published: runs others until the wait is claimed.
void sched_block(struct thread *next) {
    if (next) {
        // Its CPU may be on its way off this thread's stack; a few instructions.
        while (arch_thread_on_cpu(next))
            arch_spin_poll();
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
        arch_timer_set_ns(ktimer_next_deadline_ns());
    } else {
        timer_start(queue);
    }
}

void sched_return_work(void) {
    struct thread *current = thread_current();
    struct run_queue *queue = queue_this();
    arch_this_cpu()->work &= ~(u32)CPU_WORK_RESCHED;
    if (slice_is_over(queue))
        sched_yield();
    else if (others_wait(queue))
        timer_start(queue);
    if (__atomic_load_n(&current->pending, __ATOMIC_ACQUIRE) & THREAD_KILL)
        current->killed(current);
}

void sched_preempt_point(void) {
    arch_interrupts_open();
    // The bit is left set: if the thread is to end, that is done on the way to user mode.
    if (arch_this_cpu()->work & CPU_WORK_RESCHED && slice_is_over(queue_this())) sched_yield();
}

bool thread_is_killed(void) {
    return (__atomic_load_n(&thread_current()->pending, __ATOMIC_RELAXED) & THREAD_KILL) != 0;
}

u64 thread_run_ns(const struct thread *thread) {
    u64 run_ns = thread->run_ns;
    if (__atomic_load_n(&thread->state, __ATOMIC_RELAXED) == THREAD_RUNNING)
        run_ns += arch_time_ns() - thread->started_ns;
    return run_ns;
}
