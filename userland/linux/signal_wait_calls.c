// Signals with values: sending them, and taking them without a handler.
#include "linux/calls.h"
#include "linux/kernel_if.h"
#include "linux/signal.h"
#include "linux/thread.h"
#include "linux/timing.h"

// What a program says of a signal that it sends. Only the kernel may say that it was the kernel.
static i64 info_read(struct thread *thread, i32 pid, i32 signal, linux_ptr info_ptr,
                     struct queued_signal *out) {
    struct linux_siginfo info;
    if (copy_from_linux(&info, info_ptr, sizeof(info)) != 0) {
        return -EFAULT;
    }
    if ((info.code >= 0 || info.code == SI_TKILL) && pid != thread->process->pid) {
        return -EPERM;
    }
    if (signal < 0 || signal > SIGNALS_MAX) {
        return -EINVAL;
    }
    *out = (struct queued_signal){
        .signal = signal,
        .code = info.code,
        .error = info.error,
        .pid = info.sender.pid,
        .uid = info.sender.uid,
        .value = info.sender.value,
        .utime = info.sender.utime,
        .stime = info.sender.stime,
    };
    return 0;
}

static i64 queue_to(struct thread *thread, i32 pid, const struct queued_signal *signal) {
    mutex_lock(&tasks.lock);
    struct process *process = process_find_locked(pid);
    i64 result = process ? signal_try_locked(thread, process, signal) : -ESRCH;
    mutex_unlock(&tasks.lock);
    return result;
}

i64 linux_rt_sigqueueinfo(struct thread *thread, i32 pid, i32 signal, linux_ptr info) {
    struct queued_signal sent;
    i64 result = info_read(thread, pid, signal, info, &sent);
    return result != 0 ? result : queue_to(thread, pid, &sent);
}

i64 linux_rt_tgsigqueueinfo(struct thread *thread, i32 pid, i32 tid, i32 signal, linux_ptr info) {
    struct queued_signal sent;
    if (pid <= 0 || tid <= 0) {
        return -EINVAL;
    }
    i64 result = info_read(thread, pid, signal, info, &sent);
    if (result != 0) {
        return result;
    }
    return pid == tid ? queue_to(thread, pid, &sent) : -ESRCH;
}

// 1: taken; 0: none of them is there; -EINTR: another one is to be delivered.
static i64 wait_look_locked(struct thread *thread, u64 set, struct queued_signal *out)
    REQUIRES(&tasks.lock) {
    u64 pending = thread->process->pending;
    if (pending & SIGNALS_UNBLOCKABLE) {
        return -EINTR;
    }
    if (pending & set) {
        return signal_take_locked(thread->process, ~set, out);
    }
    return pending & ~thread->blocked ? -EINTR : 0;
}

// While it waits, what it waits for is open, so that a sender wakes it.
static i64 wait_once(struct thread *thread, u64 set, u64 deadline_ns, struct queued_signal *out) {
    u32 ticket = thread_ticket(thread);
    mutex_lock(&tasks.lock);
    i64 result = wait_look_locked(thread, set, out);
    thread->really_blocked = thread->blocked;
    thread->blocked &= ~set;
    mutex_unlock(&tasks.lock);
    bool is_over = result == 0 && thread_wait(thread, ticket, deadline_ns) == -ETIMEDOUT;
    mutex_lock(&tasks.lock);
    thread->blocked = thread->really_blocked;
    thread->really_blocked = 0;
    if (result == 0) {
        result = wait_look_locked(thread, set, out);
    }
    mutex_unlock(&tasks.lock);
    return result == 0 && is_over ? -EAGAIN : result;
}

i64 linux_rt_sigtimedwait(struct thread *thread, linux_ptr set_ptr, linux_ptr info_ptr,
                          linux_ptr timeout, usize mask_size) {
    struct queued_signal taken;
    u64 set;
    u64 duration_ns;
    u64 deadline_ns = DEADLINE_NEVER;
    if (mask_size != sizeof(set)) {
        return -EINVAL;
    }
    if (copy_from_linux(&set, set_ptr, sizeof(set)) != 0) {
        return -EFAULT;
    }
    if (!linux_is_null(timeout)) {
        i64 result = timespec_read(timeout, &duration_ns);
        if (result != 0) {
            return result;
        }
        deadline_ns = kernel_monotonic_ns() + duration_ns;
    }
    i64 result;
    do {
        result = wait_once(thread, set & ~SIGNALS_UNBLOCKABLE, deadline_ns, &taken);
    } while (result == 0);
    if (result < 0 || linux_is_null(info_ptr)) {
        return result < 0 ? result : taken.signal;
    }
    struct linux_siginfo info;
    siginfo_fill(&info, &taken);
    return copy_to_linux(info_ptr, &info, sizeof(info)) != 0 ? -EFAULT : taken.signal;
}
