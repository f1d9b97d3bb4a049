// What processes may use and have used: limits, processor time, priorities.
#include "linux/calls.h"
#include "linux/credentials.h"
#include "linux/descriptors.h"
#include "linux/kernel_if.h"
#include "linux/process.h"
#include "linux/signal.h"
#include "linux/thread.h"
#include "linux/timing.h"

// As prlimit asks it: the caller's real ids are all of the other's.
static bool credentials_are_same_user(const struct credentials *own,
                                      const struct credentials *other) {
    return own->uid == other->uid && own->uid == other->euid && own->uid == other->suid &&
           own->gid == other->gid && own->gid == other->egid && own->gid == other->sgid;
}

static i64 limit_check(u32 resource, const struct linux_rlimit *limit) {
    if (limit->current > limit->maximum) {
        return -EINVAL;
    }
    return resource == RLIMIT_NOFILE && limit->maximum > FILES_LIMIT_MAX ? -EPERM : 0;
}

// Raising a hard limit takes a capability; so does touching another user's process.
static i64 limit_permission_locked(struct thread *thread, const struct process *process,
                                   u32 resource, const struct linux_rlimit *limit)
    REQUIRES(&tasks.lock) {
    const struct credentials *own = thread->process->credentials;
    if (credentials_have(own, CAP_SYS_RESOURCE)) {
        return 0;
    }
    if (process != thread->process && !credentials_are_same_user(own, process->credentials)) {
        return -EPERM;
    }
    return limit && limit->maximum > process->limits[resource].maximum ? -EPERM : 0;
}

// Swaps the limit of a process, 0 being the caller.
static i64 limit_swap(struct thread *thread, i32 pid, u32 resource,
                      const struct linux_rlimit *limit, struct linux_rlimit *old) {
    mutex_lock(&tasks.lock);
    struct process *process = pid == 0 ? thread->process : process_find_locked(pid);
    i64 result = process ? limit_permission_locked(thread, process, resource, limit) : -ESRCH;
    if (result == 0) {
        *old = process->limits[resource];
    }
    if (result == 0 && limit) {
        process->limits[resource] = *limit;
        if (resource == RLIMIT_CPU) {
            process_attend_locked(process);
        }
    }
    mutex_unlock(&tasks.lock);
    return result;
}

i64 linux_prlimit64(struct thread *thread, i32 pid, u32 resource, linux_ptr limit_ptr,
                    linux_ptr old_ptr) {
    struct linux_rlimit limit;
    struct linux_rlimit old;
    bool sets = !linux_is_null(limit_ptr);
    if (resource >= RLIMITS) {
        return -EINVAL;
    }
    if (sets && copy_from_linux(&limit, limit_ptr, sizeof(limit)) != 0) {
        return -EFAULT;
    }
    i64 result = sets ? limit_check(resource, &limit) : 0;
    if (result == 0) {
        result = limit_swap(thread, pid, resource, sets ? &limit : NULL, &old);
    }
    if (result == 0 && !linux_is_null(old_ptr)) {
        result = copy_to_linux(old_ptr, &old, sizeof(old));
    }
    return result;
}

i64 linux_getrlimit(struct thread *thread, u32 resource, linux_ptr out) {
    struct linux_rlimit limit;
    if (resource >= RLIMITS) {
        return -EINVAL;
    }
    limit_swap(thread, 0, resource, NULL, &limit);
    return copy_to_linux(out, &limit, sizeof(limit));
}

i64 linux_setrlimit(struct thread *thread, u32 resource, linux_ptr limit) {
    if (linux_is_null(limit)) {
        return resource < RLIMITS ? -EFAULT : -EINVAL;
    }
    return linux_prlimit64(thread, 0, resource, limit, linux_pointer(0));
}

int usage_write(linux_ptr out, u64 cpu_ns) {
    struct linux_rusage usage = {
        .user = {(i64)(cpu_ns / 1000000000), (i64)(cpu_ns / 1000 % 1000000)}};
    return linux_is_null(out) ? 0 : copy_to_linux(out, &usage, sizeof(usage));
}

static u64 children_time_ns(struct process *process) {
    mutex_lock(&tasks.lock);
    u64 children_ns = process->children_cpu_ns;
    mutex_unlock(&tasks.lock);
    return children_ns;
}

i64 linux_getrusage(struct thread *thread, i32 who, linux_ptr out) {
    enum { RUSAGE_CHILDREN = -1, RUSAGE_SELF = 0, RUSAGE_THREAD = 1 };
    if (who < RUSAGE_CHILDREN || who > RUSAGE_THREAD) {
        return -EINVAL;
    }
    if (linux_is_null(out)) {
        return -EFAULT;
    }
    return usage_write(out, who == RUSAGE_CHILDREN ? children_time_ns(thread->process)
                                                   : kernel_thread_time_ns());
}

i64 linux_times(struct thread *thread, linux_ptr out) {
    enum : u64 { TICK_NS = 10000000 };
    u64 children_ns = children_time_ns(thread->process);
    u64 times[4] = {kernel_thread_time_ns() / TICK_NS, 0, children_ns / TICK_NS, 0};
    if (!linux_is_null(out) && copy_to_linux(out, times, sizeof(times)) != 0) {
        return -EFAULT;
    }
    return (i64)(kernel_monotonic_ns() / TICK_NS);
}

enum { PRIO_PROCESS = 0, PRIO_PGRP = 1, PRIO_USER = 2, NICE_MIN = -20, NICE_MAX = 19 };

static bool priority_selects_locked(const struct process *process, const struct process *self,
                                    u32 which, i32 who) REQUIRES(&tasks.lock) {
    switch (which) {
    case PRIO_PROCESS: return process->pid == (who ? who : self->pid);
    case PRIO_PGRP: return process->group == (who ? who : self->group);
    default: return process->credentials->uid == (who ? (u32)who : self->credentials->uid);
    }
}

// The kernel's call gives 20 - nice, of the one with the highest priority.
i64 linux_getpriority(struct thread *thread, i32 which, i32 who) {
    struct process *process;
    i64 best = -ESRCH;
    if (which < PRIO_PROCESS || which > PRIO_USER) {
        return -EINVAL;
    }
    mutex_lock(&tasks.lock);
    list_for_each(process, &tasks.processes, all) {
        if (priority_selects_locked(process, thread->process, (u32)which, who)) {
            best = max(best, (i64)(20 - process->nice));
        }
    }
    mutex_unlock(&tasks.lock);
    return best;
}

// Another user's is not to be changed; a better one takes a capability.
static i64 priority_change_locked(const struct process *self, struct process *process, i32 nice)
    REQUIRES(&tasks.lock) {
    const struct credentials *own = self->credentials;
    bool is_capable = credentials_have(own, CAP_SYS_NICE);
    if (!is_capable && own->euid != process->credentials->uid &&
        own->euid != process->credentials->euid) {
        return -EPERM;
    }
    if (!is_capable && nice < process->nice) {
        return -EACCES;
    }
    process->nice = nice;
    return 0;
}

// Stored and shown: the scheduler treats all threads of a container alike.
i64 linux_setpriority(struct thread *thread, i32 which, i32 who, i32 priority) {
    struct process *process;
    i64 result = -ESRCH;
    i32 nice = min(max(priority, (i32)NICE_MIN), (i32)NICE_MAX);
    if (which < PRIO_PROCESS || which > PRIO_USER) {
        return -EINVAL;
    }
    mutex_lock(&tasks.lock);
    list_for_each(process, &tasks.processes, all) {
        if (priority_selects_locked(process, thread->process, (u32)which, who)) {
            i64 one = priority_change_locked(thread->process, process, nice);
            result = one != 0 || result == -ESRCH ? one : result;
        }
    }
    mutex_unlock(&tasks.lock);
    return result;
}
