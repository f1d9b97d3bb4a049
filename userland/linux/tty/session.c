#include "linux/tty/session.h"

#include "linux/abi.h"
#include "linux/credentials.h"
#include "linux/groups.h"
#include "linux/signal.h"
#include "linux/thread.h"

enum { STEAL = 1 }; // TIOCSCTTY's argument

static bool is_leader(const struct process *process) REQUIRES(&tasks.lock) {
    return process->session == process->pid;
}

static void group_signal_locked(i32 group, i32 signal) REQUIRES(&tasks.lock) {
    if (group <= 0) return;
    signal_send_group_locked(group, &(struct queued_signal){.signal = signal, .code = SI_KERNEL});
}

struct terminal *terminal_controlling(struct thread *thread) {
    mutex_lock(&tasks.lock);
    struct terminal *terminal = terminal_of_session_locked(thread->process->session);
    if (terminal) terminal_get(terminal);
    mutex_unlock(&tasks.lock);
    return terminal;
}

void terminal_signal(struct terminal *terminal, i32 signal) {
    mutex_lock(&tasks.lock);
    group_signal_locked(terminal->foreground, signal);
    mutex_unlock(&tasks.lock);
}

// Also by the first process, which nothing stops: it would try again for ever.
static bool is_ignored_locked(const struct thread *thread, i32 signal) REQUIRES(&tasks.lock) {
    const struct queued_signal sent = {.signal = signal, .code = SI_KERNEL};
    return (thread->blocked & signal_bit(signal)) ||
           signal_is_ignored_locked(thread->process, &sent);
}

static int job_check_locked(struct thread *thread, const struct terminal *terminal, i32 signal)
    REQUIRES(&tasks.lock) {
    const struct process *self = thread->process;
    bool is_background = terminal->session == self->session && terminal->foreground != 0 &&
                         terminal->foreground != self->group;
    if (!is_background) return 0;
    if (is_ignored_locked(thread, signal)) return signal == SIGTTIN ? -EIO : 0;
    if (group_is_orphaned_locked(self->group)) return -EIO;
    group_signal_locked(self->group, signal);
    return -ERESTARTSYS;
}

int terminal_job_check(struct thread *thread, struct terminal *terminal, i32 signal) {
    mutex_lock(&tasks.lock);
    int result = job_check_locked(thread, terminal, signal);
    mutex_unlock(&tasks.lock);
    return result;
}

static void control_locked(struct terminal *terminal, const struct process *process)
    REQUIRES(&tasks.lock) {
    terminal->session = process->session;
    terminal->foreground = process->group;
}

static void release_locked(struct terminal *terminal) REQUIRES(&tasks.lock) {
    terminal->session = terminal->foreground = 0;
}

void terminal_adopt(struct thread *thread, struct terminal *terminal, u32 open_flags) {
    const struct process *self = thread->process;
    mutex_lock(&tasks.lock);
    if (is_leader(self) && terminal->session == 0 && (open_flags & O_ACCMODE) != O_WRONLY &&
        !terminal_of_session_locked(self->session))
        control_locked(terminal, self);
    mutex_unlock(&tasks.lock);
}

void session_hang_up_locked(struct terminal *terminal) {
    struct process *leader = terminal->session ? process_find_locked(terminal->session) : NULL;
    i32 foreground = terminal->foreground;
    release_locked(terminal);
    if (leader) {
        signal_send_locked(leader, &(struct queued_signal){.signal = SIGHUP, .code = SI_KERNEL});
        signal_send_locked(leader, &(struct queued_signal){.signal = SIGCONT, .code = SI_KERNEL});
    }
    if (!leader || leader->group != foreground) {
        group_signal_locked(foreground, SIGHUP);
        group_signal_locked(foreground, SIGCONT);
    }
}

void terminal_session_end_locked(i32 session) {
    struct terminal *terminal = terminal_of_session_locked(session);
    if (terminal) {
        i32 foreground = terminal->foreground;
        release_locked(terminal);
        group_signal_locked(foreground, SIGHUP);
    }
}

static i64 control_take_locked(struct thread *thread, struct terminal *terminal, u64 argument)
    REQUIRES(&tasks.lock) {
    const struct process *self = thread->process;
    if (is_leader(self) && terminal->session == self->session) return 0;
    if (!is_leader(self) || terminal_of_session_locked(self->session)) return -EPERM;
    bool may_steal = argument == STEAL && credentials_have(self->credentials, CAP_SYS_ADMIN);
    if (terminal->session != 0 && !may_steal) return -EPERM;
    control_locked(terminal, self);
    return 0;
}

static i64 control_give_locked(struct thread *thread, struct terminal *terminal)
    REQUIRES(&tasks.lock) {
    const struct process *self = thread->process;
    if (terminal->session != self->session) return -ENOTTY;
    // Others of the session keep it: who controls is known for sessions, not for each process.
    if (!is_leader(self)) return 0;
    i32 foreground = terminal->foreground;
    release_locked(terminal);
    group_signal_locked(foreground, SIGHUP);
    group_signal_locked(foreground, SIGCONT);
    return 0;
}

static i64 foreground_set_locked(struct thread *thread, struct terminal *terminal, i32 group)
    REQUIRES(&tasks.lock) {
    struct process *process;
    i64 result = -ESRCH;
    if (terminal->session != thread->process->session) return -ENOTTY;
    if (group < 0) return -EINVAL;
    list_for_each(process, &tasks.processes, all) {
        if (process->group == group)
            result = process->session == thread->process->session ? 0 : -EPERM;
    }
    if (result == 0) terminal->foreground = group;
    return result;
}

static i64 foreground_set(struct thread *thread, struct terminal *terminal, linux_ptr argument) {
    i32 group;
    int check = terminal_job_check(thread, terminal, SIGTTOU);
    if (check != 0) return check == -EIO ? -ENOTTY : check;
    if (copy_from_linux(&group, argument, sizeof(group)) != 0) return -EFAULT;
    mutex_lock(&tasks.lock);
    i64 result = foreground_set_locked(thread, terminal, group);
    mutex_unlock(&tasks.lock);
    return result;
}

static i64 id_get(struct thread *thread, struct terminal *terminal, u32 request,
                  linux_ptr argument) {
    mutex_lock(&tasks.lock);
    bool is_ours = terminal->session == thread->process->session;
    i32 id = request == TIOCGPGRP ? terminal->foreground : terminal->session;
    mutex_unlock(&tasks.lock);
    if (!is_ours) return -ENOTTY;
    return copy_to_linux(argument, &id, sizeof(id));
}

bool session_has_request(u32 request) {
    return request == TIOCSCTTY || request == TIOCNOTTY || request == TIOCGPGRP ||
           request == TIOCSPGRP || request == TIOCGSID;
}

i64 session_ioctl(struct thread *thread, struct terminal *terminal, u32 request,
                  linux_ptr argument) {
    if (request == TIOCSPGRP) return foreground_set(thread, terminal, argument);
    if (request == TIOCGPGRP || request == TIOCGSID)
        return id_get(thread, terminal, request, argument);
    mutex_lock(&tasks.lock);
    i64 result = request == TIOCSCTTY ? control_take_locked(thread, terminal, argument.address)
                                      : control_give_locked(thread, terminal);
    mutex_unlock(&tasks.lock);
    return result;
}
