// System calls about timers: alarm, the interval timers, POSIX timers.
#include "lib/heap.h"
#include "linux/calls.h"
#include "linux/kernel_if.h"
#include "linux/thread.h"
#include "linux/timers.h"
#include "linux/timing.h"

enum : u64 { SECOND_NS = 1000000000, MICROSECOND_NS = 1000 };

struct linux_itimerval {
    struct linux_timeval interval;
    struct linux_timeval value;
};

// What is left until a deadline; something, while it is armed.
static u64 time_left(u64 deadline_ns, u64 now_ns, u64 least_ns) {
    if (deadline_ns == 0) {
        return 0;
    }
    return deadline_ns > now_ns + least_ns ? deadline_ns - now_ns : least_ns;
}

static i64 timeval_read(const struct linux_timeval *in, u64 *time_ns) {
    if (in->seconds < 0 || in->microseconds < 0 || in->microseconds >= 1000000) {
        return -EINVAL;
    }
    u64 seconds = min((u64)in->seconds, TIME_SECONDS_MAX);
    *time_ns = seconds * SECOND_NS + (u64)in->microseconds * MICROSECOND_NS;
    return 0;
}

static struct linux_timeval timeval_of(u64 time_ns) {
    return (struct linux_timeval){(i64)(time_ns / SECOND_NS),
                                  (i64)(time_ns % SECOND_NS / MICROSECOND_NS)};
}

static struct linux_itimerval interval_shown(const struct timer_times *times, u64 now_ns) {
    return (struct linux_itimerval){
        .interval = timeval_of(times->interval_ns),
        .value = timeval_of(time_left(times->deadline_ns, now_ns, MICROSECOND_NS)),
    };
}

i64 linux_getitimer(struct thread *thread, u32 which, linux_ptr out) {
    struct process *process = thread->process;
    if (which >= ITIMERS) {
        return -EINVAL;
    }
    struct timer_times times = timers_interval(process, which);
    struct linux_itimerval shown = interval_shown(&times, timers_now_ns(process, which));
    return copy_to_linux(out, &shown, sizeof(shown));
}

i64 linux_setitimer(struct thread *thread, u32 which, linux_ptr in, linux_ptr out) {
    struct process *process = thread->process;
    struct linux_itimerval value = {};
    struct timer_times times = {};
    struct timer_times old;
    u64 after_ns;
    if (!linux_is_null(in) && copy_from_linux(&value, in, sizeof(value)) != 0) {
        return -EFAULT;
    }
    if (which >= ITIMERS || timeval_read(&value.value, &after_ns) != 0 ||
        timeval_read(&value.interval, &times.interval_ns) != 0) {
        return -EINVAL;
    }
    u64 now_ns = timers_now_ns(process, which);
    times.deadline_ns = after_ns ? now_ns + after_ns : 0;
    int result = timers_set_interval(process, which, &times, &old);
    if (result != 0 || linux_is_null(out)) {
        return result;
    }
    struct linux_itimerval shown = interval_shown(&old, now_ns);
    return copy_to_linux(out, &shown, sizeof(shown));
}

// The rest is rounded, but never to 0.
i64 linux_alarm(struct thread *thread, u32 seconds) {
    u64 now_ns = kernel_monotonic_ns();
    struct timer_times times = {.deadline_ns = seconds ? now_ns + seconds * SECOND_NS : 0};
    struct timer_times old;
    int result = timers_set_interval(thread->process, ITIMER_REAL, &times, &old);
    if (result != 0) {
        return 0; // can't fail
    }
    u64 left_ns = time_left(old.deadline_ns, now_ns, MICROSECOND_NS);
    u64 rest = left_ns / SECOND_NS;
    bool is_up = rest == 0 ? left_ns > 0 : left_ns % SECOND_NS >= SECOND_NS / 2;
    return (i64)(rest + is_up);
}

struct linux_sigevent {
    u64 value;
    i32 signal;
    u32 notify;
    i32 tid;
    i32 padding[11];
};
static_assert(sizeof(struct linux_sigevent) == 64);

static i64 sigevent_check(struct thread *thread, const struct linux_sigevent *event) {
    switch (event->notify) {
    case SIGEV_NONE: return 0;
    case SIGEV_THREAD_ID:
        if (event->tid != thread->tid) {
            return -EINVAL;
        }
        [[fallthrough]];
    case SIGEV_SIGNAL:
    case SIGEV_THREAD: return event->signal > 0 && event->signal <= SIGNALS_MAX ? 0 : -EINVAL;
    default: return -EINVAL;
    }
}

static i64 timer_clock_check(u32 clock) {
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_TAI:
    case CLOCK_PROCESS_CPUTIME:
    case CLOCK_THREAD_CPUTIME: return 0;
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC_COARSE: return -EOPNOTSUPP;
    default: return -EINVAL;
    }
}

i64 linux_timer_create(struct thread *thread, u32 clock, linux_ptr event_ptr, linux_ptr id) {
    struct linux_sigevent event = {.notify = SIGEV_SIGNAL, .signal = SIGALRM};
    bool has_event = !linux_is_null(event_ptr);
    if (has_event && copy_from_linux(&event, event_ptr, sizeof(event)) != 0) {
        return -EFAULT;
    }
    i64 result = timer_clock_check(clock);
    if (result == 0) {
        result = sigevent_check(thread, &event);
    }
    struct posix_timer *timer = result == 0 ? heap_alloc_zero(sizeof(*timer)) : NULL;
    if (!timer) {
        return result != 0 ? result : -EAGAIN;
    }
    timer->clock = clock;
    timer->notify = event.notify;
    timer->signal = event.signal;
    timer->value = event.value;
    if (posix_timer_create(thread->process, timer) != 0) {
        heap_free(timer);
        return -EAGAIN;
    }
    if (!has_event) {
        timer->value = (u64)timer->id;
    }
    if (copy_to_linux(id, &timer->id, sizeof(timer->id)) != 0) {
        posix_timer_delete(thread->process, timer->id);
        return -EFAULT;
    }
    return 0;
}

i64 linux_timer_delete(struct thread *thread, i32 id) {
    return posix_timer_delete(thread->process, id);
}

static struct posix_timer *timer_of_locked(struct thread *thread, i32 id) REQUIRES(&tasks.lock) {
    struct process_timers *timers = thread->process->timers;
    return timers ? posix_timer_find_locked(timers, id) : NULL;
}

static u64 timer_now_locked(const struct posix_timer *timer) REQUIRES(&tasks.lock) {
    return posix_timer_uses_cpu(timer) ? process_cpu_ns(timer->process) : kernel_monotonic_ns();
}

static struct timer_times timer_shown_locked(struct posix_timer *timer) REQUIRES(&tasks.lock) {
    u64 now_ns = timer_now_locked(timer);
    u64 least_ns = timer->notify == SIGEV_NONE ? 0 : 1;
    struct timer_times shown = timer->times;
    // A periodic one that waits for its signal to be taken goes on in thought.
    if (shown.interval_ns != 0) {
        timer_times_forward(&shown, now_ns);
    }
    bool is_over = shown.interval_ns == 0 && timer->is_waiting;
    shown.deadline_ns = is_over ? 0 : time_left(shown.deadline_ns, now_ns, least_ns);
    return shown;
}

i64 linux_timer_gettime(struct thread *thread, i32 id, linux_ptr out) {
    struct timer_times shown = {};
    mutex_lock(&tasks.lock);
    struct posix_timer *timer = timer_of_locked(thread, id);
    if (timer) {
        shown = timer_shown_locked(timer);
    }
    mutex_unlock(&tasks.lock);
    return timer ? itimerspec_write(out, shown.interval_ns, shown.deadline_ns) : -EINVAL;
}

i64 linux_timer_getoverrun(struct thread *thread, i32 id) {
    mutex_lock(&tasks.lock);
    struct posix_timer *timer = timer_of_locked(thread, id);
    i64 result = timer ? (i64)timer->overrun : -EINVAL;
    mutex_unlock(&tasks.lock);
    return result;
}

// The deadline on the timer's own clock: monotonic, or processor time.
static u64 deadline_locked(const struct posix_timer *timer, u64 time_ns, u32 flags)
    REQUIRES(&tasks.lock) {
    if (time_ns == 0) {
        return 0;
    }
    if (!(flags & TIMER_ABSTIME)) {
        return timer_now_locked(timer) + time_ns;
    }
    bool is_real = timer->clock == CLOCK_REALTIME || timer->clock == CLOCK_TAI;
    return is_real ? monotonic_of_realtime(time_ns) : time_ns;
}

i64 linux_timer_settime(struct thread *thread, i32 id, u32 flags, linux_ptr in, linux_ptr out) {
    struct timer_times times = {};
    struct timer_times old = {};
    u64 time_ns;
    i64 result = itimerspec_read(in, &times.interval_ns, &time_ns);
    if (result != 0) {
        return result;
    }
    mutex_lock(&tasks.lock);
    struct posix_timer *timer = timer_of_locked(thread, id);
    result = timer ? 0 : -EINVAL;
    if (timer) {
        old = timer_shown_locked(timer);
        times.deadline_ns = deadline_locked(timer, time_ns, flags);
        result = posix_timer_set_locked(timer, &times);
    }
    mutex_unlock(&tasks.lock);
    if (result == 0) {
        timers_check_cpu(thread->process);
    }
    return result != 0 || linux_is_null(out)
               ? result
               : itimerspec_write(out, old.interval_ns, old.deadline_ns);
}
