// Clocks and sleeping.
#include "linux/calls.h"
#include "linux/kernel_if.h"
#include "linux/process.h"
#include "linux/thread.h"
#include "linux/timing.h"
#include "linux/waiting.h"

enum : u64 { SECOND_NS = 1000000000 };

static i64 clock_now(u32 clock, u64 *now_ns) {
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE: *now_ns = kernel_realtime_ns(); return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME: *now_ns = kernel_monotonic_ns(); return 0;
    case CLOCK_PROCESS_CPUTIME:
    case CLOCK_THREAD_CPUTIME: *now_ns = kernel_thread_time_ns(); return 0;
    default: return -EINVAL;
    }
}

static i64 timespec_write(linux_ptr out, u64 time_ns) {
    struct linux_timespec time = {(i64)(time_ns / SECOND_NS), (i64)(time_ns % SECOND_NS)};
    return copy_to_linux(out, &time, sizeof(time));
}

i64 linux_clock_gettime(struct thread *, u32 clock, linux_ptr out) {
    u64 now_ns;
    i64 result = clock_now(clock, &now_ns);
    return result != 0 ? result : timespec_write(out, now_ns);
}

i64 linux_clock_getres(struct thread *, u32 clock, linux_ptr out) {
    u64 unused;
    i64 result = clock_now(clock, &unused);
    return result != 0 || linux_is_null(out) ? result : timespec_write(out, 1);
}

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

i64 timespec_read(linux_ptr in, u64 *time_ns) {
    struct linux_timespec time;
    if (copy_from_linux(&time, in, sizeof(time)) != 0) {
        return -EFAULT;
    }
    if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= (i64)SECOND_NS) {
        return -EINVAL;
    }
    *time_ns = (u64)time.seconds > DEADLINE_NEVER / SECOND_NS / 4
                   ? DEADLINE_NEVER / 4
                   : (u64)time.seconds * SECOND_NS + (u64)time.nanoseconds;
    return 0;
}

// A sleep that a handler interrupts ends; one that is stopped and continued goes on.
static i64 sleep_until(struct thread *thread, u64 deadline_ns, linux_ptr remaining) {
    i64 result;
    do {
        result = thread_wait(thread, thread_ticket(thread), deadline_ns);
    } while (result == 0);
    if (result == -ETIMEDOUT) {
        return 0;
    }
    u64 now_ns = kernel_monotonic_ns();
    if (!linux_is_null(remaining) &&
        timespec_write(remaining, deadline_ns > now_ns ? deadline_ns - now_ns : 0) != 0) {
        return -EFAULT;
    }
    return -EINTR;
}

i64 linux_nanosleep(struct thread *thread, linux_ptr duration, linux_ptr remaining) {
    u64 duration_ns;
    i64 result = timespec_read(duration, &duration_ns);
    return result != 0 ? result
                       : sleep_until(thread, kernel_monotonic_ns() + duration_ns, remaining);
}

i64 linux_clock_nanosleep(struct thread *thread, u32 clock, u32 flags, linux_ptr duration,
                          linux_ptr remaining) {
    u64 duration_ns;
    u64 now_ns;
    i64 result = timespec_read(duration, &duration_ns);
    if (result == 0) {
        result = clock_now(clock, &now_ns);
    }
    if (result != 0) {
        return result;
    }
    if (flags & TIMER_ABSTIME) {
        duration_ns = duration_ns > now_ns ? duration_ns - now_ns : 0;
        remaining = linux_pointer(0);
    }
    return sleep_until(thread, kernel_monotonic_ns() + duration_ns, remaining);
}

i64 linux_sched_yield(struct thread *) {
    kernel_yield();
    return 0;
}
