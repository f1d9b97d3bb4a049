// prctl: small settings of a process, or of a thread, each by a number.
#include "lib/string.h"
#include "linux/calls.h"
#include "linux/credentials.h"
#include "linux/process.h"
#include "linux/signal.h"
#include "linux/thread.h"

enum {
    PR_SET_PDEATHSIG = 1,
    PR_GET_PDEATHSIG = 2,
    PR_GET_DUMPABLE = 3,
    PR_SET_DUMPABLE = 4,
    PR_SET_NAME = 15,
    PR_GET_NAME = 16,
    PR_SET_TIMERSLACK = 29,
    PR_GET_TIMERSLACK = 30,
    PR_SET_CHILD_SUBREAPER = 36,
    PR_GET_CHILD_SUBREAPER = 37,
    PR_SET_NO_NEW_PRIVS = 38,
    PR_GET_NO_NEW_PRIVS = 39,
    PR_SET_THP_DISABLE = 41,
    PR_GET_THP_DISABLE = 42,
};

static i64 set_name(struct process *process, linux_ptr text) {
    char name[sizeof(process->name)] = {};
    i64 size = copy_string_from_linux(name, text, sizeof(name));
    if (size < 0 && size != -ENAMETOOLONG) {
        return size;
    }
    name[sizeof(name) - 1] = 0;
    mutex_lock(&tasks.lock);
    memcpy(process->name, name, sizeof(name));
    mutex_unlock(&tasks.lock);
    return 0;
}

static i64 get_name(struct process *process, linux_ptr out) {
    char name[sizeof(process->name)];
    mutex_lock(&tasks.lock);
    memcpy(name, process->name, sizeof(name));
    mutex_unlock(&tasks.lock);
    return copy_to_linux(out, name, sizeof(name));
}

static i64 int_write(u64 out, i32 value) {
    return copy_to_linux(linux_pointer(out), &value, sizeof(value));
}

static i64 set_death_signal(struct process *process, u64 signal) {
    if (signal > SIGNALS_MAX) {
        return -EINVAL;
    }
    mutex_lock(&tasks.lock);
    process->death_signal = (i32)signal;
    mutex_unlock(&tasks.lock);
    return 0;
}

static i64 set_subreaper(struct process *process, u64 value) {
    mutex_lock(&tasks.lock);
    process->is_subreaper = value != 0;
    mutex_unlock(&tasks.lock);
    return 0;
}

static i64 set_dumpable(struct process *process, u64 value) {
    if (value > 1) {
        return -EINVAL;
    }
    mutex_lock(&tasks.lock);
    process->is_undumpable = value == 0;
    mutex_unlock(&tasks.lock);
    return 0;
}

static i64 get_dumpable(struct process *process) {
    mutex_lock(&tasks.lock);
    bool is_undumpable = process->is_undumpable;
    mutex_unlock(&tasks.lock);
    return !is_undumpable;
}

// Settings that are kept for who asks, and do nothing.
static i64 kept_setting(struct process *process, u32 option, u64 value, u64 b) {
    switch (option) {
    case PR_GET_TIMERSLACK: return 50000;
    case PR_SET_TIMERSLACK: return 0;
    case PR_GET_NO_NEW_PRIVS: return value || b ? -EINVAL : process->has_no_new_privileges;
    case PR_SET_NO_NEW_PRIVS:
        if (value != 1 || b != 0) {
            return -EINVAL;
        }
        process->has_no_new_privileges = true;
        return 0;
    case PR_GET_THP_DISABLE:
    case PR_SET_THP_DISABLE: return 0;
    default: return -EINVAL;
    }
}

i64 linux_prctl(struct thread *thread, u32 option, u64 a, u64 b) {
    struct process *process = thread->process;
    switch (option) {
    case PR_SET_NAME: return set_name(process, linux_pointer(a));
    case PR_GET_NAME: return get_name(process, linux_pointer(a));
    case PR_SET_PDEATHSIG: return set_death_signal(process, a);
    case PR_GET_PDEATHSIG: return int_write(a, process->death_signal);
    case PR_SET_DUMPABLE: return set_dumpable(process, a);
    case PR_GET_DUMPABLE: return get_dumpable(process);
    case PR_SET_CHILD_SUBREAPER: return set_subreaper(process, a);
    case PR_GET_CHILD_SUBREAPER: return int_write(a, process->is_subreaper);
    default: {
        i64 result = credentials_prctl(process, option, a, b);
        return result == -ENOSYS ? kept_setting(process, option, a, b) : result;
    }
    }
}
