// What happens with signals on the way back to Linux code: handlers, default actions, and what
// becomes of the call that was interrupted.
#include "linux/groups.h"
#include "linux/report.h"
#include "linux/signal.h"
#include "linux/thread.h"
#include "linux/timers.h"
#include "linux/trace.h"

// What an interrupted call does, by its result, when a handler runs (`action`) or none.
static bool call_restarts(i64 result, const struct linux_sigaction *action) {
    switch (result) {
    case -ERESTARTNOINTR: return true;
    case -ERESTARTSYS: return !action || (action->flags & SA_RESTART);
    default: return !action;
    }
}

// A call that a signal interrupted runs again, as if the program had not made it yet; or ends with
// EINTR, when a handler runs that does not want that. A wait for a time goes on by restart_syscall,
// so that it does not begin anew.
static void call_restart(struct thread *thread, const struct linux_sigaction *action) {
    i64 result = (i64)thread->state.rax;
    bool is_restart = result == -ERESTARTSYS || result == -ERESTARTNOINTR ||
                      result == -ERESTARTNOHAND || result == -ERESTART_RESTARTBLOCK;
    if (thread->call_number == ~0UL || !is_restart) {
        return;
    }
    if (call_restarts(result, action)) {
        thread->state.rax =
            result == -ERESTART_RESTARTBLOCK ? CALL_RESTART_SYSCALL : thread->call_number;
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
    thread->blocked &= ~SIGNALS_UNBLOCKABLE;
    mutex_unlock(&tasks.lock);
}

// What is to be done with a signal that was taken.
enum delivery { DELIVERY_NONE, DELIVERY_NOTHING, DELIVERY_HANDLER, DELIVERY_STOPPED, DELIVERY_END };

// A stop is decided under the lock that the signal was taken under, so that no SIGCONT is between.
// Job control's stops leave orphaned groups alone: nobody would continue them.
static enum delivery delivery_default_locked(struct process *process,
                                             const struct queued_signal *signal)
    REQUIRES(&tasks.lock) {
    switch (signal_default(signal->signal)) {
    case DEFAULT_END: return DELIVERY_END;
    case DEFAULT_STOP:
        if (signal->signal != SIGSTOP && group_is_orphaned_locked(process->group)) {
            return DELIVERY_NOTHING;
        }
        process_stop_locked(process, signal->signal);
        return DELIVERY_STOPPED;
    default: return DELIVERY_NOTHING;
    }
}

static enum delivery delivery_decide_locked(struct thread *thread, struct queued_signal *signal,
                                            struct linux_sigaction *action) REQUIRES(&tasks.lock) {
    struct process *process = thread->process;
    __atomic_store_n(&thread->attention, 0, __ATOMIC_RELEASE);
    if (!signal_take_locked(process, thread->blocked, signal)) {
        return DELIVERY_NONE;
    }
    // Who sent one of the others has decided it, and what is known of the sender may be lost.
    if (!(signal_bit(signal->signal) & SIGNALS_UNBLOCKABLE) &&
        signal_is_ignored_locked(process, signal)) {
        return DELIVERY_NOTHING;
    }
    *action = signal_action_locked(process, signal->signal);
    if (signal->signal == SIGKILL || action->handler == SIG_DFL) {
        return delivery_default_locked(process, signal);
    }
    if (action->flags & SA_RESETHAND) {
        process->actions->actions[signal->signal - 1].handler = SIG_DFL;
    }
    return DELIVERY_HANDLER;
}

// Acts on one signal; returns false when there is none left.
static bool signal_deliver_one(struct thread *thread) {
    struct queued_signal signal;
    struct linux_sigaction action;
    mutex_lock(&tasks.lock);
    enum delivery delivery = delivery_decide_locked(thread, &signal, &action);
    mutex_unlock(&tasks.lock);
    if (unlikely(trace_is_on) && delivery != DELIVERY_NONE) {
        trace_signal(thread, &signal);
    }
    switch (delivery) {
    case DELIVERY_HANDLER: handler_enter(thread, &signal, &action); break;
    case DELIVERY_STOPPED: process_stay_stopped(thread); break;
    case DELIVERY_END: process_end(thread, signal.signal);
    case DELIVERY_NONE:
    case DELIVERY_NOTHING: break;
    }
    return delivery != DELIVERY_NONE;
}

static void mask_restore(struct thread *thread) {
    thread->restores_blocked = false;
    thread_set_blocked(thread, thread->saved_blocked);
}

void signal_deliver(struct thread *thread) {
    if (thread->ends_with) {
        process_end(thread, thread->ends_with);
    }
    // A mask for the time of a call is over with it, but for the signal that it was made for.
    if (thread->restores_blocked && (i64)thread->state.rax != -ERESTARTNOHAND) {
        mask_restore(thread);
    }
    if (timers_watch_cpu(thread->process)) {
        timers_check_cpu(thread->process);
    }
    while (signal_deliver_one(thread)) {
    }
    call_restart(thread, NULL);
    if (thread->restores_blocked) {
        mask_restore(thread);
    }
}
