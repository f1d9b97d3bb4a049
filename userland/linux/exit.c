// The end of a process, and waiting for it. A process that ends gives its children to the first
// process, tells its parent, and stays as a zombie until it is waited for, unless the parent said
// that it will not.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/calls.h"
#include "linux/container.h"
#include "linux/kernel_if.h"
#include "linux/process.h"
#include "linux/signal.h"
#include "linux/thread.h"
#include "linux/tty/session.h"

static void children_give_away_locked(struct process *process) REQUIRES(&tasks.lock) {
    struct process *first = process_find_locked(1);
    struct process *child;
    struct process *following;
    list_for_each_safe(child, following, &process->children, sibling) {
        list_remove(&child->sibling);
        child->parent = first;
        list_insert_tail(&first->children, &child->sibling);
        if (child->state == PROCESS_ZOMBIE) {
            signal_send_locked(
                first,
                &(struct queued_signal){.signal = SIGCHLD, .code = CLD_EXITED, .pid = child->pid});
            waitqueue_wake(&first->children_changed);
        }
    }
}

static bool parent_wants_no_zombie_locked(const struct process *parent) REQUIRES(&tasks.lock) {
    const struct linux_sigaction *action =
        parent->actions ? &parent->actions->actions[SIGCHLD - 1] : NULL;
    return action && (action->handler == SIG_IGN || (action->flags & SA_NOCLDWAIT));
}

static void parent_tell_locked(struct process *process) REQUIRES(&tasks.lock) {
    struct process *parent = process->parent;
    i32 status = process->wait_status;
    struct queued_signal told = {
        .signal = SIGCHLD,
        .code = status & 0x7f ? CLD_KILLED : CLD_EXITED,
        .pid = process->pid,
        .status = status & 0x7f ? status & 0x7f : status >> 8,
    };
    signal_send_locked(parent, &told);
    waitqueue_wake(&parent->children_changed);
}

void process_end(struct thread *thread, i32 wait_status) {
    struct process *process = thread->process;
    if (thread->clears_tid && !linux_is_null(thread->clear_tid)) {
        u32 zero = 0;
        if (copy_to_linux(thread->clear_tid, &zero, sizeof(zero)) == 0) {
            linux_futex(thread, thread->clear_tid, FUTEX_WAKE, 1, linux_pointer(0),
                        linux_pointer(0), 0);
        }
    }
    if (process->pid == 1) {
        container_exit(wait_status);
    }
    process_vfork_done(process);
    kernel_aspace_bind(0);
    process_release(process);
    mutex_lock(&tasks.lock);
    list_remove(&thread->in_process);
    process->cpu_ns += kernel_thread_time_ns();
    children_give_away_locked(process);
    if (process->session == process->pid) terminal_session_end_locked(process->session);
    process->state = PROCESS_ZOMBIE;
    process->wait_status = wait_status;
    bool is_reaped = parent_wants_no_zombie_locked(process->parent);
    parent_tell_locked(process);
    if (is_reaped) {
        process_free_locked(process);
    }
    mutex_unlock(&tasks.lock);
    thread_end(thread);
}

i64 linux_exit(struct thread *thread, i32 status) { process_end(thread, (status & 0xff) << 8); }

i64 linux_exit_group(struct thread *thread, i32 status) {
    process_end(thread, (status & 0xff) << 8);
}

// What a wait found.
struct wait_result {
    i32 pid;
    i32 status;
    u64 cpu_ns;
};

static bool wait_matches_locked(const struct process *self, const struct process *child, u32 type,
                                i32 id) REQUIRES(&tasks.lock) {
    switch (type) {
    case P_PID: return child->pid == id;
    case P_PGID: return child->group == (id ? id : self->group);
    default: return true;
    }
}

static bool wait_take_locked(struct process *self, struct process *child, u32 options,
                             struct wait_result *out) REQUIRES(&tasks.lock) {
    *out = (struct wait_result){.pid = child->pid, .status = child->wait_status};
    out->cpu_ns = child->cpu_ns + child->children_cpu_ns;
    if (child->state == PROCESS_ZOMBIE && (options & WEXITED)) {
        if (!(options & WNOWAIT)) {
            self->children_cpu_ns += out->cpu_ns;
            process_free_locked(child);
        }
        return true;
    }
    if (child->state != PROCESS_ZOMBIE && (child->wait_events & options)) {
        out->status = child->wait_events == WCONTINUED ? 0xffff : child->wait_status;
        if (!(options & WNOWAIT)) {
            child->wait_events = 0;
        }
        return true;
    }
    return false;
}

// 1: found; 0: there are children, but none has changed; -ECHILD.
static i64 wait_look(struct process *self, u32 type, i32 id, u32 options, struct wait_result *out) {
    struct process *child;
    struct process *following;
    i64 result = -ECHILD;
    mutex_lock(&tasks.lock);
    list_for_each_safe(child, following, &self->children, sibling) {
        if (!wait_matches_locked(self, child, type, id)) {
            continue;
        }
        result = 0;
        if (wait_take_locked(self, child, options, out)) {
            result = 1;
            break;
        }
    }
    mutex_unlock(&tasks.lock);
    return result;
}

// 1: *out is set; 0: WNOHANG and nothing yet.
static i64 process_wait(struct thread *thread, u32 type, i32 id, u32 options,
                        struct wait_result *out) {
    struct process *self = thread->process;
    struct waiter waiter;
    i64 result = wait_look(self, type, id, options, out);
    if (result != 0 || (options & WNOHANG)) {
        return result;
    }
    waitqueue_add(&self->children_changed, &waiter, thread);
    for (;;) {
        u32 ticket = thread_ticket(thread);
        result = wait_look(self, type, id, options, out);
        if (result != 0) {
            break;
        }
        result = thread_wait(thread, ticket, DEADLINE_NEVER);
        if (result != 0) {
            break;
        }
    }
    waitqueue_remove(&self->children_changed, &waiter);
    return result;
}

static int usage_write(linux_ptr out, u64 cpu_ns) {
    struct linux_rusage usage = {
        .user = {(i64)(cpu_ns / 1000000000), (i64)(cpu_ns / 1000 % 1000000)}};
    return linux_is_null(out) ? 0 : copy_to_linux(out, &usage, sizeof(usage));
}

// Waiting is when threads have just ended.
i64 linux_wait4(struct thread *thread, i32 pid, linux_ptr status, u32 options, linux_ptr usage) {
    struct wait_result found;
    if (options & ~(u32)(WNOHANG | WUNTRACED | WCONTINUED | 0xe0000000)) {
        return -EINVAL;
    }
    u32 type = pid > 0 ? P_PID : pid == -1 ? P_ALL : P_PGID;
    i64 result =
        process_wait(thread, type, pid < -1 ? -pid : max(pid, 0), options | WEXITED, &found);
    if (result <= 0) {
        return result;
    }
    if (!linux_is_null(status) && copy_to_linux(status, &found.status, sizeof(found.status)) != 0) {
        return -EFAULT;
    }
    threads_trim();
    return usage_write(usage, found.cpu_ns) != 0 ? -EFAULT : found.pid;
}

i64 linux_waitid(struct thread *thread, u32 type, i32 id, linux_ptr info_ptr, u32 options,
                 linux_ptr usage) {
    struct wait_result found = {};
    struct linux_siginfo info = {};
    if (type > P_PGID || !(options & (WEXITED | WSTOPPED | WCONTINUED))) {
        return -EINVAL;
    }
    i64 result = process_wait(thread, type, id, options, &found);
    if (result < 0) {
        return result;
    }
    if (result > 0) {
        i32 status = found.status;
        bool is_killed = (status & 0x7f) != 0;
        info.signo = SIGCHLD;
        info.code = status == 0xffff          ? CLD_CONTINUED
                    : (status & 0xff) == 0x7f ? CLD_STOPPED
                    : is_killed               ? CLD_KILLED
                                              : CLD_EXITED;
        info.sender.pid = found.pid;
        info.sender.status = info.code == CLD_KILLED ? status & 0x7f : (status >> 8) & 0xff;
    }
    if (!linux_is_null(info_ptr) && copy_to_linux(info_ptr, &info, sizeof(info)) != 0) {
        return -EFAULT;
    }
    return usage_write(usage, found.cpu_ns);
}
