// Sleeping, and calls that go on after an interruption.
#include "linux/calls.h"
#include "linux/kernel_if.h"
#include "linux/process.h"
#include "linux/thread.h"
#include "linux/timing.h"
#include "linux/waiting.h"

// 0: the time has come; -ERESTARTSYS. What wakes without a signal only looks.
static i64 sleep_until(struct thread *thread, u64 deadline_ns) {
    i64 result;
    do {
        result = thread_wait(thread, thread_ticket(thread), deadline_ns);
    } while (result == 0);
    return result == -ETIMEDOUT ? 0 : result;
}

// One that is stopped and continued goes on; one that a handler interrupts says what is left.
static i64 sleep_remembered(struct thread *thread) {
    u64 deadline_ns = thread->restart.deadline_ns;
    i64 result = sleep_until(thread, deadline_ns);
    if (result == 0) {
        return 0;
    }
    u64 now_ns = kernel_monotonic_ns();
    linux_ptr remaining = thread->restart.pointer;
    if (deadline_ns <= now_ns) {
        return 0;
    }
    if (!linux_is_null(remaining) && timespec_write(remaining, deadline_ns - now_ns) != 0) {
        return -EFAULT;
    }
    return -ERESTART_RESTARTBLOCK;
}

static i64 sleep_for(struct thread *thread, u64 duration_ns, linux_ptr remaining) {
    thread->restart.resume = sleep_remembered;
    thread->restart.deadline_ns = kernel_monotonic_ns() + duration_ns;
    thread->restart.pointer = remaining;
    return sleep_remembered(thread);
}

i64 linux_nanosleep(struct thread *thread, linux_ptr duration, linux_ptr remaining) {
    u64 duration_ns;
    i64 result = timespec_read(duration, &duration_ns);
    return result != 0 ? result : sleep_for(thread, duration_ns, remaining);
}

static i64 sleep_clock_check(u32 clock) {
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_TAI:
    case CLOCK_PROCESS_CPUTIME: return 0;
    case CLOCK_THREAD_CPUTIME:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC_COARSE: return -EOPNOTSUPP;
    default: return -EINVAL;
    }
}

i64 linux_clock_nanosleep(struct thread *thread, u32 clock, u32 flags, linux_ptr duration,
                          linux_ptr remaining) {
    u64 time_ns;
    i64 result = sleep_clock_check(clock);
    if (result == 0) {
        result = timespec_read(duration, &time_ns);
    }
    if (result != 0) {
        return result;
    }
    if (!(flags & TIMER_ABSTIME)) {
        return sleep_for(thread, time_ns, remaining);
    }
    bool is_real = clock == CLOCK_REALTIME || clock == CLOCK_TAI;
    result = sleep_until(thread, is_real ? monotonic_of_realtime(time_ns) : time_ns);
    return result == -ERESTARTSYS ? -ERESTARTNOHAND : result;
}

// Goes on with what a signal without a handler interrupted.
i64 linux_restart_syscall(struct thread *thread) {
    return thread->restart.resume ? thread->restart.resume(thread) : -EINTR;
}

i64 linux_sched_yield(struct thread *) {
    kernel_yield();
    return 0;
}
