// kill and its kin: whom a signal goes to, and who may send it.
#include "linux/calls.h"
#include "linux/credentials.h"
#include "linux/signal.h"
#include "linux/thread.h"

enum { I32_MIN = -0x7fffffff - 1 };

struct queued_signal signal_from(const struct thread *thread, i32 signal, i32 code) {
    const struct process *self = thread->process;
    return (struct queued_signal){
        .signal = signal, .code = code, .pid = self->pid, .uid = self->credentials->uid};
}

static bool may_signal_locked(const struct process *self, const struct process *target, i32 signal)
    REQUIRES(&tasks.lock) {
    return self == target || (signal == SIGCONT && self->session == target->session) ||
           credentials_may_signal(self->credentials, target->credentials);
}

i64 signal_try_locked(const struct thread *thread, struct process *target,
                      const struct queued_signal *signal) {
    if (!may_signal_locked(thread->process, target, signal->signal)) {
        return -EPERM;
    }
    return signal->signal == 0 ? 0 : signal_send_locked(target, signal);
}

static bool kill_selects_locked(const struct process *process, const struct process *self, i32 pid)
    REQUIRES(&tasks.lock) {
    if (pid > 0) {
        return process->pid == pid;
    }
    if (pid == -1) {
        return process->pid != 1 && process != self;
    }
    return process->group == (pid == 0 ? self->group : -pid);
}

// One that may be signalled makes it a success; so does -1 where nobody may be.
i64 linux_kill(struct thread *thread, i32 pid, i32 signal) {
    struct queued_signal sent = signal_from(thread, signal, SI_USER);
    struct process *process;
    i64 result = -ESRCH;
    if (signal < 0 || signal > SIGNALS_MAX) {
        return -EINVAL;
    }
    if (pid == I32_MIN) {
        return -ESRCH;
    }
    mutex_lock(&tasks.lock);
    list_for_each(process, &tasks.processes, all) {
        if (!kill_selects_locked(process, thread->process, pid)) {
            continue;
        }
        i64 one = signal_try_locked(thread, process, &sent);
        result = one == -EPERM && pid == -1 ? 0 : result == 0 ? 0 : one;
    }
    mutex_unlock(&tasks.lock);
    return result;
}

static i64 thread_kill(struct thread *thread, i32 pid, i32 tid, i32 signal) {
    struct queued_signal sent = signal_from(thread, signal, SI_TKILL);
    mutex_lock(&tasks.lock);
    struct process *process = pid == tid ? process_find_locked(pid) : NULL;
    i64 result = process ? signal_try_locked(thread, process, &sent) : -ESRCH;
    mutex_unlock(&tasks.lock);
    return result;
}

i64 linux_tgkill(struct thread *thread, i32 pid, i32 tid, i32 signal) {
    if (pid <= 0 || tid <= 0 || signal < 0 || signal > SIGNALS_MAX) {
        return -EINVAL;
    }
    return thread_kill(thread, pid, tid, signal);
}

i64 linux_tkill(struct thread *thread, i32 tid, i32 signal) {
    if (tid <= 0 || signal < 0 || signal > SIGNALS_MAX) {
        return -EINVAL;
    }
    return thread_kill(thread, tid, tid, signal);
}
