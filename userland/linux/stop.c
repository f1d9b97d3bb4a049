// Stopping and continuing of processes. The state is the process's; its threads find it when they
// deliver signals. The parent is told by SIGCHLD, unless it does not want that, and by wait.
#include "linux/credentials.h"
#include "linux/signal.h"
#include "linux/thread.h"

static void parent_tell_change_locked(struct process *process, i32 code, i32 signal)
    REQUIRES(&tasks.lock) {
    struct process *parent = process->parent;
    if (!parent) {
        return;
    }
    struct linux_sigaction action = signal_action_locked(parent, SIGCHLD);
    if (action.handler != SIG_IGN && !(action.flags & SA_NOCLDSTOP)) {
        signal_send_locked(parent, &(struct queued_signal){.signal = SIGCHLD,
                                                           .code = code,
                                                           .pid = process->pid,
                                                           .uid = process->credentials->uid,
                                                           .status = signal});
    }
    waitqueue_wake(&parent->children_changed);
}

void process_stop_locked(struct process *process, i32 signal) {
    process->state = PROCESS_STOPPED;
    process->wait_status = signal << 8 | 0x7f;
    process->wait_events = WUNTRACED;
    parent_tell_change_locked(process, CLD_STOPPED, signal);
}

void process_unstop_locked(struct process *process) {
    struct thread *thread;
    process->state = PROCESS_RUNNING;
    process->wait_events = 0;
    list_for_each(thread, &process->threads, in_process) {
        thread_wake(thread);
    }
}

void process_continue_locked(struct process *process) {
    if (process->state != PROCESS_STOPPED) {
        return;
    }
    process_unstop_locked(process);
    process->wait_events = WCONTINUED;
    parent_tell_change_locked(process, CLD_CONTINUED, SIGCONT);
}

void process_stay_stopped(struct thread *thread) {
    for (;;) {
        u32 ticket = thread_ticket(thread);
        mutex_lock(&tasks.lock);
        bool is_stopped = thread->process->state == PROCESS_STOPPED;
        mutex_unlock(&tasks.lock);
        if (!is_stopped || thread_wait_killable(thread, ticket) != 0) {
            return;
        }
    }
}
