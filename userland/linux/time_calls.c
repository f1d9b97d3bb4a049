// Clocks, and times as programs pass them.
#include "linux/calls.h"
#include "linux/kernel_if.h"
#include "linux/process.h"
#include "linux/thread.h"
#include "linux/timers.h"
#include "linux/timing.h"

enum : u64 { SECOND_NS = 1000000000 };

// Clocks of the caller's processor time have numbers below 0: ~pid << 3, a bit for threads, and 2.
static bool clock_is_own_cpu(struct thread *thread, u32 clock) {
    enum { CLOCK_OF_THREAD = 4, CLOCK_KIND = 3, CLOCK_SCHEDULED = 2 };
    i32 id = ~((i32)clock >> 3);
    bool is_own = id == 0 || id == (clock & CLOCK_OF_THREAD ? thread->tid : thread->process->pid);
    return (i32)clock < 0 && is_own && (clock & CLOCK_KIND) == CLOCK_SCHEDULED;
}

i64 clock_now(struct thread *thread, u32 clock, u64 *now_ns) {
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI: *now_ns = kernel_realtime_ns(); return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM: *now_ns = kernel_monotonic_ns(); return 0;
    case CLOCK_PROCESS_CPUTIME: *now_ns = process_cpu_ns(thread->process); return 0;
    case CLOCK_THREAD_CPUTIME: *now_ns = kernel_thread_time_ns(); return 0;
    default:
        *now_ns = kernel_thread_time_ns();
        return clock_is_own_cpu(thread, clock) ? 0 : -EINVAL;
    }
}

u64 monotonic_of_realtime(u64 time_ns) {
    u64 real_ns = kernel_realtime_ns();
    u64 now_ns = kernel_monotonic_ns();
    return time_ns > real_ns ? now_ns + (time_ns - real_ns) : now_ns;
}

i64 timespec_write(linux_ptr out, u64 time_ns) {
    struct linux_timespec time = {(i64)(time_ns / SECOND_NS), (i64)(time_ns % SECOND_NS)};
    return copy_to_linux(out, &time, sizeof(time));
}

i64 linux_clock_gettime(struct thread *thread, u32 clock, linux_ptr out) {
    u64 now_ns;
    i64 result = clock_now(thread, clock, &now_ns);
    return result != 0 ? result : timespec_write(out, now_ns);
}

i64 linux_clock_getres(struct thread *thread, u32 clock, linux_ptr out) {
    enum { COARSE_NS = 4000000 };
    bool is_coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
    u64 unused;
    i64 result = clock_now(thread, clock, &unused);
    return result != 0 || linux_is_null(out) ? result
                                             : timespec_write(out, is_coarse ? COARSE_NS : 1);
}

// The machine's clock is not the container's to set.
i64 linux_clock_settime(struct thread *, u32, linux_ptr) { return -EPERM; }

i64 linux_settimeofday(struct thread *, linux_ptr, linux_ptr) { return -EPERM; }

i64 linux_gettimeofday(struct thread *, linux_ptr out, linux_ptr zone) {
    u64 now_ns = kernel_realtime_ns();
    struct linux_timeval time = {(i64)(now_ns / SECOND_NS), (i64)(now_ns % SECOND_NS / 1000)};
    u64 no_zone = 0;
    if (!linux_is_null(out) && copy_to_linux(out, &time, sizeof(time)) != 0) {
        return -EFAULT;
    }
    return linux_is_null(zone) ? 0 : copy_to_linux(zone, &no_zone, sizeof(no_zone));
}

i64 linux_time(struct thread *, linux_ptr out) {
    i64 seconds = (i64)(kernel_realtime_ns() / SECOND_NS);
    if (!linux_is_null(out) && copy_to_linux(out, &seconds, sizeof(seconds)) != 0) {
        return -EFAULT;
    }
    return seconds;
}

i64 timespec_parse(const struct linux_timespec *time, u64 *time_ns) {
    if (time->seconds < 0 || time->nanoseconds < 0 || time->nanoseconds >= (i64)SECOND_NS) {
        return -EINVAL;
    }
    u64 seconds = min((u64)time->seconds, TIME_SECONDS_MAX);
    *time_ns = seconds * SECOND_NS + (u64)time->nanoseconds;
    return 0;
}

i64 timespec_read(linux_ptr in, u64 *time_ns) {
    struct linux_timespec time;
    if (copy_from_linux(&time, in, sizeof(time)) != 0) {
        return -EFAULT;
    }
    return timespec_parse(&time, time_ns);
}

// struct itimerspec: an interval and a value.
i64 itimerspec_read(linux_ptr in, u64 *interval_ns, u64 *value_ns) {
    struct linux_timespec times[2];
    if (linux_is_null(in)) {
        return -EINVAL;
    }
    if (copy_from_linux(times, in, sizeof(times)) != 0) {
        return -EFAULT;
    }
    i64 result = timespec_parse(&times[0], interval_ns);
    return result != 0 ? result : timespec_parse(&times[1], value_ns);
}

i64 itimerspec_write(linux_ptr out, u64 interval_ns, u64 value_ns) {
    struct linux_timespec times[2] = {
        {(i64)(interval_ns / SECOND_NS), (i64)(interval_ns % SECOND_NS)},
        {(i64)(value_ns / SECOND_NS), (i64)(value_ns % SECOND_NS)},
    };
    return copy_to_linux(out, times, sizeof(times));
}
