// Waiting for children: wait4 and waitid. Looking and taking is one step under tasks.lock.
#include "lib/string.h"
#include "linux/calls.h"
#include "linux/credentials.h"
#include "linux/kernel_if.h"
#include "linux/process.h"
#include "linux/thread.h"
#include "linux/timing.h"

enum { I32_MIN = -0x7fffffff - 1 };

// What is waited for.
struct wait_request {
    u32 type; // P_ALL, P_PID, P_PGID
    i32 id;   // of a process or group
    u32 options;
};

// What was found.
struct wait_result {
    i32 pid; // 0: nothing
    i32 status;
    u32 uid;
    u64 cpu_ns;
};

// Children that tell their end by another signal than SIGCHLD, or by none, are "clones".
static bool wait_matches_locked(const struct process *child, const struct wait_request *request)
    REQUIRES(&tasks.lock) {
    bool is_clone = child->exit_signal != SIGCHLD;
    if ((request->type == P_PID && child->pid != request->id) ||
        (request->type == P_PGID && child->group != request->id)) {
        return false;
    }
    return (request->options & WALL_CHILDREN) || is_clone == !!(request->options & WCLONE_CHILDREN);
}

static bool wait_take_locked(struct process *self, struct process *child, u32 options,
                             struct wait_result *out) REQUIRES(&tasks.lock) {
    *out = (struct wait_result){
        .pid = child->pid, .status = child->wait_status, .uid = child->credentials->uid};
    out->cpu_ns = child->cpu_ns + child->children_cpu_ns;
    if (child->state == PROCESS_ZOMBIE) {
        if ((options & WEXITED) && !(options & WNOWAIT)) {
            self->children_cpu_ns += out->cpu_ns;
            process_free_locked(child);
        }
        return options & WEXITED;
    }
    if (!(child->wait_events & options)) {
        return false;
    }
    out->status = child->wait_events == WCONTINUED ? 0xffff : child->wait_status;
    if (!(options & WNOWAIT)) {
        child->wait_events = 0;
    }
    return true;
}

// 1: found; 0: there are children, but none has changed; -ECHILD. A zombie that is not asked for
// is no reason to wait.
static i64 wait_look(struct process *self, const struct wait_request *request,
                     struct wait_result *out) {
    struct process *child;
    struct process *following;
    i64 result = -ECHILD;
    mutex_lock(&tasks.lock);
    list_for_each_safe(child, following, &self->children, sibling) {
        if (!wait_matches_locked(child, request)) {
            continue;
        }
        bool can_change = child->state != PROCESS_ZOMBIE || (request->options & WEXITED);
        if (can_change) {
            result = 0;
        }
        if (wait_take_locked(self, child, request->options, out)) {
            result = 1;
            break;
        }
    }
    mutex_unlock(&tasks.lock);
    return result;
}

// 1: *out is set; 0: WNOHANG and nothing yet.
static i64 process_wait(struct thread *thread, const struct wait_request *request,
                        struct wait_result *out) {
    struct process *self = thread->process;
    struct waiter waiter;
    i64 result = wait_look(self, request, out);
    if (result != 0 || (request->options & WNOHANG)) {
        return result;
    }
    waitqueue_add(&self->children_changed, &waiter, thread);
    for (;;) {
        u32 ticket = thread_ticket(thread);
        result = wait_look(self, request, out);
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

static i32 own_group(struct thread *thread) {
    mutex_lock(&tasks.lock);
    i32 group = thread->process->group;
    mutex_unlock(&tasks.lock);
    return group;
}

// Waiting is when threads have just ended.
i64 linux_wait4(struct thread *thread, i32 pid, linux_ptr status, u32 options, linux_ptr usage) {
    struct wait_result found;
    struct wait_request request = {.options = options | WEXITED};
    if (options & ~(u32)(WNOHANG | WUNTRACED | WCONTINUED | WCHILDREN_OPTIONS)) {
        return -EINVAL;
    }
    if (pid == I32_MIN) {
        return -ESRCH;
    }
    request.type = pid > 0 ? P_PID : pid == -1 ? P_ALL : P_PGID;
    request.id = pid > 0 ? pid : pid == 0 ? own_group(thread) : -pid;
    i64 result = process_wait(thread, &request, &found);
    if (result <= 0) {
        return result;
    }
    if (!linux_is_null(status) && copy_to_linux(status, &found.status, sizeof(found.status)) != 0) {
        return -EFAULT;
    }
    threads_trim();
    return usage_write(usage, found.cpu_ns) != 0 ? -EFAULT : found.pid;
}

static void waitid_info(struct linux_siginfo *info, const struct wait_result *found) {
    i32 status = found->status;
    bool is_killed = (status & 0x7f) != 0;
    *info = (struct linux_siginfo){.signo = SIGCHLD};
    info->sender.pid = found->pid;
    info->sender.uid = found->uid;
    if (status == 0xffff) {
        info->code = CLD_CONTINUED;
        info->sender.status = SIGCONT;
    } else if ((status & 0xff) == 0x7f) {
        info->code = CLD_STOPPED;
        info->sender.status = status >> 8 & 0xff;
    } else {
        info->code = is_killed ? CLD_KILLED : CLD_EXITED;
        info->sender.status = is_killed ? status & 0x7f : status >> 8 & 0xff;
    }
}

i64 linux_waitid(struct thread *thread, u32 type, i32 id, linux_ptr info_ptr, u32 options,
                 linux_ptr usage) {
    enum { INFO_BYTES = 28 }; // Linux writes the fields up to the status, no more
    struct wait_result found = {};
    struct linux_siginfo info = {};
    u32 events = options & (WEXITED | WSTOPPED | WCONTINUED);
    if (events == 0 || (options & ~(u32)(WNOHANG | WNOWAIT | WCHILDREN_OPTIONS) & ~events)) {
        return -EINVAL;
    }
    if (type > P_PGID || (type == P_PID && id <= 0) || (type == P_PGID && id < 0)) {
        return -EINVAL;
    }
    bool is_own_group = type == P_PGID && id == 0;
    struct wait_request request = {type, is_own_group ? own_group(thread) : id, options};
    i64 result = process_wait(thread, &request, &found);
    if (result < 0) {
        return result;
    }
    if (result > 0) {
        waitid_info(&info, &found);
        threads_trim();
    }
    if (result > 0 && usage_write(usage, found.cpu_ns) != 0) {
        return -EFAULT;
    }
    return linux_is_null(info_ptr) ? 0 : copy_to_linux(info_ptr, &info, INFO_BYTES);
}
