// ioprio_set, ioprio_get: a number of each process, inherited, that no disk looks at.
#include "linux/calls.h"
#include "linux/credentials.h"
#include "linux/thread.h"

enum : i32 { WHO_PROCESS = 1, WHO_GROUP = 2, WHO_USER = 3 };
enum : i32 { CLASS_NONE, CLASS_REALTIME, CLASS_BEST_EFFORT, CLASS_IDLE };
enum : i32 { CLASS_SHIFT = 13, DATA_MASK = (1 << CLASS_SHIFT) - 1 };

static bool is_meant_locked(const struct process *process, const struct process *self, i32 which,
                            i32 who) REQUIRES(&tasks.lock) {
    switch (which) {
    case WHO_PROCESS: return process->pid == (who ? who : self->pid);
    case WHO_GROUP: return process->group == (who ? who : self->group);
    default: return process->credentials->uid == (who ? (u32)who : self->credentials->uid);
    }
}

static i64 priority_check(const struct credentials *own, i32 priority) {
    i32 class = priority >> CLASS_SHIFT;
    switch (class) {
    case CLASS_REALTIME:
        return credentials_have(own, CAP_SYS_ADMIN) || credentials_have(own, CAP_SYS_NICE) ? 0
                                                                                           : -EPERM;
    case CLASS_BEST_EFFORT:
    case CLASS_IDLE: return 0;
    case CLASS_NONE: return priority & DATA_MASK ? -EINVAL : 0;
    default: return -EINVAL;
    }
}

static bool may_change(const struct credentials *own, const struct credentials *others) {
    return credentials_have(own, CAP_SYS_NICE) || others->uid == own->euid ||
           others->uid == own->uid;
}

i64 linux_ioprio_set(struct thread *thread, i32 which, i32 who, i32 priority) {
    const struct credentials *own = thread->process->credentials;
    struct process *process;
    i64 result = priority_check(own, priority);
    if (result == 0 && (which < WHO_PROCESS || which > WHO_USER)) {
        result = -EINVAL;
    }
    if (result != 0) {
        return result;
    }
    result = -ESRCH;
    mutex_lock(&tasks.lock);
    list_for_each(process, &tasks.processes, all) {
        if (!is_meant_locked(process, thread->process, which, who)) {
            continue;
        }
        if (!may_change(own, process->credentials)) {
            result = -EPERM;
            break;
        }
        process->io_priority = (u16)priority;
        result = 0;
    }
    mutex_unlock(&tasks.lock);
    return result;
}

// Of several the best: the lowest class and level.
i64 linux_ioprio_get(struct thread *thread, i32 which, i32 who) {
    struct process *process;
    i64 best = -ESRCH;
    if (which < WHO_PROCESS || which > WHO_USER) {
        return -EINVAL;
    }
    mutex_lock(&tasks.lock);
    list_for_each(process, &tasks.processes, all) {
        if (is_meant_locked(process, thread->process, which, who)) {
            i64 one = process->io_priority;
            best = best < 0 ? one : min(best, one);
        }
    }
    mutex_unlock(&tasks.lock);
    return best;
}
