// Sending signals, and what happens with them on the way back to Linux code.
//
// tasks.lock guards all of it. A sender sets the bit, then makes some thread of the process look:
// attention, a kick (which ends a run or an interruptible wait), that is all; the receiver decides.
#include "linux/signal.h"

#include "lib/heap.h"
#include "lib/string.h"
#include "linux/kernel_if.h"
#include "linux/report.h"
#include "linux/thread.h"

enum signal_default { DEFAULT_END, DEFAULT_IGNORE, DEFAULT_STOP, DEFAULT_CONTINUE };

static const u64 unblockable = 1UL << (SIGKILL - 1) | 1UL << (SIGSTOP - 1);

static enum signal_default signal_default(i32 signal) {
    switch (signal) {
    case SIGCHLD:
    case SIGURG:
    case SIGWINCH: return DEFAULT_IGNORE;
    case SIGCONT: return DEFAULT_CONTINUE;
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU: return DEFAULT_STOP;
    default: return DEFAULT_END;
    }
}

static struct linux_sigaction action_of_locked(const struct process *process, i32 signal)
    REQUIRES(&tasks.lock) {
    return process->actions ? process->actions->actions[signal - 1] : (struct linux_sigaction){};
}

// The first process is like Linux's: what it has no handler for does not touch it.
static bool is_ignored_locked(const struct process *process, i32 signal) REQUIRES(&tasks.lock) {
    u64 handler = action_of_locked(process, signal).handler;
    if (handler == SIG_DFL) {
        return signal_default(signal) == DEFAULT_IGNORE || process->pid == 1;
    }
    return handler == SIG_IGN;
}

static void thread_attend(struct thread *thread) {
    __atomic_store_n(&thread->attention, 1, __ATOMIC_RELEASE);
    kernel_thread_kick(thread->handle);
}

static void process_attend_locked(struct process *process, i32 signal) REQUIRES(&tasks.lock) {
    struct thread *thread;
    list_for_each(thread, &process->threads, in_process) {
        if (!(thread->blocked & signal_bit(signal))) {
            thread_attend(thread);
            return;
        }
    }
}

static void signal_discard_locked(struct process *process, u64 mask) REQUIRES(&tasks.lock) {
    struct queued_signal *queued;
    struct queued_signal *following;
    process->pending &= ~mask;
    list_for_each_safe(queued, following, &process->queued, node) {
        if (mask & signal_bit(queued->signal)) {
            list_remove(&queued->node);
            heap_free(queued);
        }
    }
}

void signal_send_locked(struct process *process, const struct queued_signal *signal) {
    u64 bit = signal_bit(signal->signal);
    if (process->state == PROCESS_ZOMBIE) {
        return;
    }
    if (signal->signal == SIGCONT || signal->signal == SIGKILL) {
        signal_discard_locked(process, signal_bit(SIGSTOP) | signal_bit(SIGTSTP) |
                                           signal_bit(SIGTTIN) | signal_bit(SIGTTOU));
        if (process->state == PROCESS_STOPPED) {
            process->state = PROCESS_RUNNING;
            process->wait_events = WCONTINUED;
            struct thread *thread;
            list_for_each(thread, &process->threads, in_process) {
                thread_wake(thread);
            }
        }
    }
    struct thread *thread = list_first(&process->threads, struct thread, in_process);
    bool is_blocked = thread && (thread->blocked & bit);
    if (is_ignored_locked(process, signal->signal) && !is_blocked) {
        return;
    }
    if (!(process->pending & bit)) {
        struct queued_signal *copy = heap_alloc(sizeof(*copy));
        if (copy) {
            *copy = *signal;
            list_insert_tail(&process->queued, &copy->node);
        }
        process->pending |= bit;
    }
    process_attend_locked(process, signal->signal);
}

void signal_send(struct process *process, const struct queued_signal *signal) {
    mutex_lock(&tasks.lock);
    signal_send_locked(process, signal);
    mutex_unlock(&tasks.lock);
}

// Details of a signal to one thread are kept with the process's: one thread a process, so far.
void signal_send_thread(struct thread *thread, const struct queued_signal *signal) {
    signal_send(thread->process, signal);
}

void signal_force(struct thread *thread, const struct queued_signal *signal) {
    struct process *process = thread->process;
    mutex_lock(&tasks.lock);
    bool is_held = (thread->blocked & signal_bit(signal->signal)) ||
                   is_ignored_locked(process, signal->signal);
    u64 handler = action_of_locked(process, signal->signal).handler;
    mutex_unlock(&tasks.lock);
    if (is_held || handler == SIG_DFL || signal->signal == SIGKILL) {
        report_line("%s (pid %d): signal %d at %lx, address %lx", process->name, process->pid,
                    signal->signal, thread->state.rip, signal->address);
        process_end(thread, signal->signal);
    }
    signal_send(process, signal);
    __atomic_store_n(&thread->attention, 1, __ATOMIC_RELEASE);
}

bool signal_is_pending(struct thread *thread) {
    if (!__atomic_load_n(&thread->attention, __ATOMIC_ACQUIRE)) {
        return false;
    }
    mutex_lock(&tasks.lock);
    u64 pending = thread->process->pending | thread->pending;
    bool is_pending = (pending & ~(thread->blocked & ~unblockable)) != 0;
    mutex_unlock(&tasks.lock);
    return is_pending;
}

bool signal_is_killed(struct thread *thread) {
    mutex_lock(&tasks.lock);
    bool is_killed = thread->process->pending & signal_bit(SIGKILL);
    mutex_unlock(&tasks.lock);
    return is_killed;
}

// Takes the lowest unblocked pending signal; false when there is none.
static bool signal_take_locked(struct thread *thread, struct queued_signal *out)
    REQUIRES(&tasks.lock) {
    struct process *process = thread->process;
    u64 ready = process->pending & ~(thread->blocked & ~unblockable);
    if (ready == 0) {
        return false;
    }
    i32 signal = ready & signal_bit(SIGKILL) ? SIGKILL : __builtin_ctzl(ready) + 1;
    *out = (struct queued_signal){.signal = signal};
    process->pending &= ~signal_bit(signal);
    struct queued_signal *queued;
    list_for_each(queued, &process->queued, node) {
        if (queued->signal == signal) {
            *out = *queued;
            list_remove(&queued->node);
            heap_free(queued);
            break;
        }
    }
    return true;
}

// Stays here until continued or killed. The parent is told, and finds it by wait.
static void thread_stop(struct thread *thread, i32 signal) {
    struct process *process = thread->process;
    mutex_lock(&tasks.lock);
    process->state = PROCESS_STOPPED;
    process->wait_status = signal << 8 | 0x7f;
    process->wait_events = WUNTRACED;
    struct queued_signal told = {
        .signal = SIGCHLD, .code = CLD_STOPPED, .pid = process->pid, .status = signal};
    if (process->parent) {
        signal_send_locked(process->parent, &told);
        waitqueue_wake(&process->parent->children_changed);
    }
    for (;;) {
        u32 ticket = thread_ticket(thread);
        bool is_stopped = process->state == PROCESS_STOPPED;
        mutex_unlock(&tasks.lock);
        if (!is_stopped || thread_wait_killable(thread, ticket) != 0) {
            return;
        }
        mutex_lock(&tasks.lock);
    }
}

// A call that a signal interrupted runs again, as if the program had not made it yet; or ends with
// EINTR, when a handler runs that does not want that.
static void call_restart(struct thread *thread, const struct linux_sigaction *action) {
    i64 result = (i64)thread->state.rax;
    if (thread->call_number == ~0UL || (result != -ERESTARTSYS && result != -ERESTARTNOHAND)) {
        return;
    }
    bool restarts = !action || (result == -ERESTARTSYS && (action->flags & SA_RESTART));
    if (restarts) {
        thread->state.rax = thread->call_number;
        thread->state.rip -= 2; // the length of `syscall`
    } else {
        thread->state.rax = (u64)-EINTR;
    }
    thread->call_number = ~0UL;
}

static void handler_enter(struct thread *thread, const struct queued_signal *signal,
                          const struct linux_sigaction *action) {
    call_restart(thread, action);
    u64 mask = thread->restores_blocked ? thread->saved_blocked : thread->blocked;
    thread->restores_blocked = false;
    if (signal_frame_push(thread, action, signal, mask) != 0) {
        report_line("%s (pid %d): no room for a signal frame", thread->process->name,
                    thread->process->pid);
        process_end(thread, SIGSEGV);
    }
    mutex_lock(&tasks.lock);
    thread->blocked |= action->mask;
    if (!(action->flags & SA_NODEFER)) {
        thread->blocked |= signal_bit(signal->signal);
    }
    thread->blocked &= ~unblockable;
    if ((action->flags & SA_RESETHAND) && thread->process->actions) {
        thread->process->actions->actions[signal->signal - 1].handler = SIG_DFL;
    }
    mutex_unlock(&tasks.lock);
}

// Acts on one signal; returns false when there is none left.
static bool signal_deliver_one(struct thread *thread) {
    struct queued_signal signal;
    struct process *process = thread->process;
    mutex_lock(&tasks.lock);
    __atomic_store_n(&thread->attention, 0, __ATOMIC_RELEASE);
    bool is_taken = signal_take_locked(thread, &signal);
    struct linux_sigaction action =
        is_taken ? action_of_locked(process, signal.signal) : (struct linux_sigaction){};
    bool is_ignored = is_taken && is_ignored_locked(process, signal.signal);
    mutex_unlock(&tasks.lock);
    if (!is_taken) {
        return false;
    }
    if (signal.signal == SIGKILL) {
        process_end(thread, SIGKILL);
    }
    if (is_ignored) {
        return true;
    }
    if (action.handler != SIG_DFL) {
        handler_enter(thread, &signal, &action);
        return true;
    }
    switch (signal_default(signal.signal)) {
    case DEFAULT_STOP: thread_stop(thread, signal.signal); break;
    case DEFAULT_END: process_end(thread, signal.signal);
    case DEFAULT_IGNORE:
    case DEFAULT_CONTINUE: break;
    }
    return true;
}

void signal_deliver(struct thread *thread) {
    if (thread->ends_with) {
        process_end(thread, thread->ends_with);
    }
    while (signal_deliver_one(thread)) {
    }
    call_restart(thread, NULL);
    if (thread->restores_blocked) {
        mutex_lock(&tasks.lock);
        thread->blocked = thread->saved_blocked;
        mutex_unlock(&tasks.lock);
        thread->restores_blocked = false;
        __atomic_store_n(&thread->attention, 1, __ATOMIC_RELEASE);
    }
}

void signal_actions_reset(struct process *process) {
    mutex_lock(&tasks.lock);
    for (i32 i = 0; process->actions && i < SIGNALS_MAX; i++) {
        struct linux_sigaction *action = &process->actions->actions[i];
        *action =
            (struct linux_sigaction){.handler = action->handler == SIG_IGN ? SIG_IGN : SIG_DFL};
    }
    mutex_unlock(&tasks.lock);
}

struct signal_actions *signal_actions_copy_locked(struct process *process) {
    struct signal_actions *copy = heap_alloc_zero(sizeof(*copy));
    if (copy) {
        if (process->actions) {
            memcpy(copy->actions, process->actions->actions, sizeof(copy->actions));
        }
        copy->references = 1;
    }
    return copy;
}
