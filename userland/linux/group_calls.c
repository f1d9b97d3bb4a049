// System calls about process groups and sessions, with the order of checks of Linux.
#include "linux/calls.h"
#include "linux/groups.h"
#include "linux/thread.h"

// The process with this pid, 0 meaning the caller.
static struct process *process_named_locked(struct thread *thread, i32 pid) REQUIRES(&tasks.lock) {
    return pid == 0 ? thread->process : process_find_locked(pid);
}

i64 linux_getpgrp(struct thread *thread) { return thread->process->group; }

i64 linux_getpgid(struct thread *thread, i32 pid) {
    mutex_lock(&tasks.lock);
    struct process *process = process_named_locked(thread, pid);
    i64 result = process ? process->group : -ESRCH;
    mutex_unlock(&tasks.lock);
    return result;
}

i64 linux_getsid(struct thread *thread, i32 pid) {
    mutex_lock(&tasks.lock);
    struct process *process = process_named_locked(thread, pid);
    i64 result = process ? process->session : -ESRCH;
    mutex_unlock(&tasks.lock);
    return result;
}

static i64 group_change_locked(struct thread *thread, struct process *process, i32 group)
    REQUIRES(&tasks.lock) {
    struct process *self = thread->process;
    bool is_child = process && process->parent == self;
    if (!process || (process != self && !is_child)) {
        return -ESRCH;
    }
    if (is_child && process->session != self->session) {
        return -EPERM;
    }
    if (is_child && process->has_execed) {
        return -EACCES;
    }
    if (process->session == process->pid) {
        return -EPERM;
    }
    if (group != process->pid && !group_exists_locked(group, self->session)) {
        return -EPERM;
    }
    process->group = group;
    return 0;
}

i64 linux_setpgid(struct thread *thread, i32 pid, i32 group) {
    if (group < 0 || (group == 0 && pid < 0)) {
        return -EINVAL;
    }
    mutex_lock(&tasks.lock);
    struct process *process = process_named_locked(thread, pid);
    i64 result = group_change_locked(thread, process, group ? group : process ? process->pid : 0);
    mutex_unlock(&tasks.lock);
    return result;
}

// Not for who has a group of this number already: others might be in it, in the old session.
static bool number_is_a_group_locked(i32 group) REQUIRES(&tasks.lock) {
    struct process *process;
    list_for_each(process, &tasks.processes, all) {
        if (process->group == group) {
            return true;
        }
    }
    return false;
}

i64 linux_setsid(struct thread *thread) {
    struct process *self = thread->process;
    i64 result = self->pid;
    mutex_lock(&tasks.lock);
    if (number_is_a_group_locked(self->pid)) {
        result = -EPERM;
    } else {
        self->group = self->session = self->pid;
    }
    mutex_unlock(&tasks.lock);
    return result;
}
