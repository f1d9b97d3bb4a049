// Interval timers and processor time. A timer of real time is an event timer; what counts processor
// time shares one, which fires when the first of them could be due and kicks the process's thread.
#include "linux/timers.h"

#include "lib/heap.h"
#include "linux/kernel_if.h"
#include "linux/thread.h"

enum : u64 { SECOND_NS = 1000000000 };

u64 process_cpu_ns(const struct process *process) {
    return process->cpu_ns + kernel_thread_time_ns();
}

u64 timers_now_ns(const struct process *process, u32 which) {
    return which == ITIMER_REAL ? kernel_monotonic_ns() : process_cpu_ns(process);
}

// Like Linux, SIGALRM of a periodic timer comes again only once it was taken.
static void real_fire(struct event_timer *event) {
    struct process_timers *timers = container_of(event, struct process_timers, real);
    mutex_lock(&tasks.lock);
    struct timer_times *times = &timers->interval[ITIMER_REAL];
    if (times->deadline_ns != 0 && times->deadline_ns <= kernel_monotonic_ns()) {
        timers->real_is_waiting = true;
        signal_send_locked(timers->process,
                           &(struct queued_signal){.signal = SIGALRM, .code = SI_KERNEL});
    }
    mutex_unlock(&tasks.lock);
}

static void cpu_fire(struct event_timer *event) {
    struct process_timers *timers = container_of(event, struct process_timers, cpu);
    mutex_lock(&tasks.lock);
    process_attend_locked(timers->process);
    mutex_unlock(&tasks.lock);
}

struct process_timers *timers_need_locked(struct process *process) {
    struct process_timers *timers = process->timers;
    if (!timers) {
        timers = heap_alloc_zero(sizeof(*timers));
    }
    if (timers && !process->timers) {
        timers->process = process;
        list_init(&timers->posix);
        event_timer_init(&timers->real, real_fire);
        event_timer_init(&timers->cpu, cpu_fire);
        process->timers = timers;
    }
    return timers;
}

struct process_timers *timers_need(struct process *process) {
    mutex_lock(&tasks.lock);
    struct process_timers *timers = timers_need_locked(process);
    mutex_unlock(&tasks.lock);
    return timers;
}

void timers_release(struct process *process) {
    struct process_timers *timers = process->timers;
    if (!timers) {
        return;
    }
    posix_timers_release(timers);
    event_timer_cancel(&timers->real);
    event_timer_cancel(&timers->cpu);
    mutex_lock(&tasks.lock);
    process->timers = NULL;
    mutex_unlock(&tasks.lock);
    heap_free(timers);
}

void timers_exec(struct process *process) {
    if (process->timers) {
        posix_timers_release(process->timers);
    }
    mutex_lock(&tasks.lock);
    signal_discard_timers_locked(process);
    mutex_unlock(&tasks.lock);
}

// One that has expired shows no time until its signal is taken.
static struct timer_times interval_locked(const struct process_timers *timers, u32 which)
    REQUIRES(&tasks.lock) {
    struct timer_times times = timers->interval[which];
    if (which == ITIMER_REAL && timers->real_is_waiting) times.deadline_ns = 0;
    return times;
}

struct timer_times timers_interval(struct process *process, u32 which) {
    mutex_lock(&tasks.lock);
    struct timer_times times =
        process->timers ? interval_locked(process->timers, which) : (struct timer_times){};
    mutex_unlock(&tasks.lock);
    return times;
}

int timers_set_interval(struct process *process, u32 which, const struct timer_times *times,
                        struct timer_times *old) {
    mutex_lock(&tasks.lock);
    struct process_timers *timers = timers_need_locked(process);
    int result = timers ? 0 : -ENOMEM;
    if (timers) {
        *old = interval_locked(timers, which);
        timers->interval[which] = *times;
    }
    if (timers && which == ITIMER_REAL) {
        timers->real_is_waiting = false;
        result = event_timer_set(&timers->real,
                                 times->deadline_ns ? times->deadline_ns : DEADLINE_NEVER);
    }
    mutex_unlock(&tasks.lock);
    if (timers && which != ITIMER_REAL) {
        timers_check_cpu(process);
    }
    return result;
}

u64 timer_times_forward(struct timer_times *times, u64 now_ns) {
    if (times->deadline_ns == 0 || times->deadline_ns > now_ns) {
        return 0;
    }
    if (times->interval_ns == 0) {
        times->deadline_ns = 0;
        return 1;
    }
    u64 periods = (now_ns - times->deadline_ns) / times->interval_ns + 1;
    times->deadline_ns += periods * times->interval_ns;
    return periods;
}

void timers_signal_taken_locked(struct process *process, struct queued_signal *signal) {
    struct process_timers *timers = process->timers;
    if (signal->timer) {
        posix_timer_taken_locked(signal->timer, signal);
    }
    if (!timers || signal->signal != SIGALRM) {
        return;
    }
    struct timer_times *times = &timers->interval[ITIMER_REAL];
    if (timers->real_is_waiting) {
        timers->real_is_waiting = false;
        timer_times_forward(times, kernel_monotonic_ns());
        event_timer_set(&timers->real, times->deadline_ns ? times->deadline_ns : DEADLINE_NEVER);
    }
}

// The limit: SIGXCPU at the soft one and each second after it, SIGKILL at the hard one.
static u64 cpu_limit_check_locked(struct process *process, u64 cpu_ns) REQUIRES(&tasks.lock) {
    struct linux_rlimit *limit = &process->limits[RLIMIT_CPU];
    if (limit->current == ~0UL || limit->current > DEADLINE_NEVER / SECOND_NS) {
        return DEADLINE_NEVER;
    }
    if (limit->maximum <= cpu_ns / SECOND_NS) {
        signal_send_locked(process, &(struct queued_signal){.signal = SIGKILL,
                                                            .code = SI_KERNEL,
                                                            .traits = SIGNAL_FROM_OUTSIDE});
        return DEADLINE_NEVER;
    }
    if (limit->current <= cpu_ns / SECOND_NS) {
        signal_send_locked(process, &(struct queued_signal){.signal = SIGXCPU, .code = SI_KERNEL});
        limit->current = cpu_ns / SECOND_NS + 1;
    }
    return max(limit->current, 1UL) * SECOND_NS;
}

static u64 cpu_intervals_check_locked(struct process_timers *timers, u64 cpu_ns)
    REQUIRES(&tasks.lock) {
    static const i32 signals[ITIMERS] = {SIGALRM, SIGVTALRM, SIGPROF};
    u64 next_ns = DEADLINE_NEVER;
    for (u32 which = ITIMER_VIRTUAL; which < ITIMERS; which++) {
        struct timer_times *times = &timers->interval[which];
        if (times->deadline_ns != 0 && times->deadline_ns <= cpu_ns) {
            signal_send_locked(timers->process, &(struct queued_signal){.signal = signals[which],
                                                                        .code = SI_KERNEL});
            timer_times_forward(times, cpu_ns);
        }
        next_ns = times->deadline_ns ? min(next_ns, times->deadline_ns) : next_ns;
    }
    return next_ns;
}

static u64 cpu_posix_check_locked(struct process_timers *timers, u64 cpu_ns) REQUIRES(&tasks.lock) {
    struct posix_timer *timer;
    u64 next_ns = DEADLINE_NEVER;
    list_for_each(timer, &timers->posix, node) {
        if (!posix_timer_uses_cpu(timer) || timer->is_waiting || timer->notify == SIGEV_NONE) {
            continue;
        }
        posix_timer_expire_locked(timer, cpu_ns);
        if (timer->times.deadline_ns != 0 && !timer->is_waiting) {
            next_ns = min(next_ns, timer->times.deadline_ns);
        }
    }
    return next_ns;
}

void timers_check_cpu(struct process *process) {
    mutex_lock(&tasks.lock);
    u64 cpu_ns = process_cpu_ns(process);
    u64 next_ns = cpu_limit_check_locked(process, cpu_ns);
    struct process_timers *timers = process->timers;
    if (timers) {
        next_ns = min(next_ns, cpu_intervals_check_locked(timers, cpu_ns));
        next_ns = min(next_ns, cpu_posix_check_locked(timers, cpu_ns));
    }
    if (next_ns != DEADLINE_NEVER) {
        timers = timers_need_locked(process);
    }
    if (timers) {
        u64 left_ns = next_ns - min(next_ns, cpu_ns);
        event_timer_set(&timers->cpu, next_ns == DEADLINE_NEVER
                                          ? DEADLINE_NEVER
                                          : kernel_monotonic_ns() + max(left_ns, 1000000UL));
    }
    mutex_unlock(&tasks.lock);
}
