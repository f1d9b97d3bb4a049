// The end of a process. It gives its children to the nearest ancestor that takes orphans, or the
// first process, tells its parent, and stays as a zombie until it is waited for, unless the parent
// said that it will not.
#include "linux/calls.h"
#include "linux/container.h"
#include "linux/credentials.h"
#include "linux/groups.h"
#include "linux/kernel_if.h"
#include "linux/launch.h"
#include "linux/process.h"
#include "linux/signal.h"
#include "linux/thread.h"
#include "linux/timers.h"
#include "linux/trace.h"
#include "linux/tty/session.h"

// Whether the parent takes no zombies: then nobody waits for this one.
static bool parent_wants_no_zombie_locked(const struct process *process) REQUIRES(&tasks.lock) {
    struct linux_sigaction action = signal_action_locked(process->parent, SIGCHLD);
    return process->exit_signal == SIGCHLD &&
           (action.handler == SIG_IGN || (action.flags & SA_NOCLDWAIT));
}

// Tells the parent of a zombie, which may be freed by that.
static void parent_tell_locked(struct process *process) REQUIRES(&tasks.lock) {
    struct process *parent = process->parent;
    i32 status = process->wait_status;
    struct queued_signal told = {
        .signal = process->exit_signal,
        .code = status & 0x7f ? CLD_KILLED : CLD_EXITED,
        .pid = process->pid,
        .uid = process->credentials->uid,
        .status = status & 0x7f ? status & 0x7f : status >> 8,
        .utime = process->cpu_ns / 10000000,
    };
    bool is_reaped = parent_wants_no_zombie_locked(process);
    if (told.signal != 0) {
        signal_send_locked(parent, &told);
    }
    waitqueue_wake(&parent->children_changed);
    if (is_reaped) {
        process_free_locked(process);
    }
}

static struct process *reaper_find_locked(struct process *process) REQUIRES(&tasks.lock) {
    struct process *ancestor = process->parent;
    while (ancestor && !ancestor->is_subreaper) {
        ancestor = ancestor->parent;
    }
    return ancestor ? ancestor : process_find_locked(1);
}

static void child_give_away_locked(struct process *process, struct process *child,
                                   struct process *reaper) REQUIRES(&tasks.lock) {
    list_remove(&child->sibling);
    child->parent = reaper;
    child->exit_signal = SIGCHLD;
    list_insert_tail(&reaper->children, &child->sibling);
    if (child->death_signal != 0) {
        signal_send_locked(child, &(struct queued_signal){.signal = child->death_signal,
                                                          .code = SI_USER,
                                                          .pid = process->pid});
    }
    group_lose_locked(child, process, NULL);
    if (child->state == PROCESS_ZOMBIE) {
        parent_tell_locked(child);
    }
}

static void children_give_away_locked(struct process *process) REQUIRES(&tasks.lock) {
    struct process *child;
    struct process *following;
    if (list_is_empty(&process->children)) {
        return;
    }
    struct process *reaper = reaper_find_locked(process);
    list_for_each_safe(child, following, &process->children, sibling) {
        child_give_away_locked(process, child, reaper);
    }
}

static void thread_tell_end(struct thread *thread) {
    u32 zero = 0;
    if (thread->clears_tid && !linux_is_null(thread->clear_tid) &&
        copy_to_linux(thread->clear_tid, &zero, sizeof(zero)) == 0) {
        linux_futex(thread, thread->clear_tid, FUTEX_WAKE, 1, linux_pointer(0), linux_pointer(0),
                    0);
    }
}

void process_end(struct thread *thread, i32 wait_status) {
    struct process *process = thread->process;
    u32 launch_id = process->launch_id;
    thread_tell_end(thread);
    if (unlikely(trace_is_on)) {
        trace_end(thread, wait_status);
    }
    timers_release(process); // a container that is kept outlives its first process
    if (process->pid == 1) {
        container_exit(thread, wait_status);
    }
    process_vfork_done(process);
    kernel_aspace_bind(0);
    process_release(process);
    launch_end(process);
    mutex_lock(&tasks.lock);
    list_remove(&thread->in_process);
    process->cpu_ns += kernel_thread_time_ns();
    if (process->session == process->pid) {
        terminal_session_end_locked(process->session);
    }
    children_give_away_locked(process);
    group_lose_locked(process, process->parent, process);
    process->state = PROCESS_ZOMBIE;
    process->wait_status = wait_status;
    bool is_launched = !process->parent;
    if (!is_launched) {
        parent_tell_locked(process);
    } else {
        container_launched_ended_locked();
        process_free_locked(process);
    }
    mutex_unlock(&tasks.lock);
    if (is_launched) container_launched_report(launch_id, wait_status);
    thread_end(thread);
}

i64 linux_exit(struct thread *thread, i32 status) { process_end(thread, (status & 0xff) << 8); }

i64 linux_exit_group(struct thread *thread, i32 status) {
    process_end(thread, (status & 0xff) << 8);
}
