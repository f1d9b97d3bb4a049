// Sending signals: who is told, what is kept until it is taken.
//
// tasks.lock guards all of it. A sender sets the bit, then makes some thread of the process look:
// attention, a kick (which ends a run or an interruptible wait), that is all; the receiver decides.
#include "linux/signal.h"

#include "lib/heap.h"
#include "lib/string.h"
#include "linux/kernel_if.h"
#include "linux/limits.h"
#include "linux/report.h"
#include "linux/thread.h"
#include "linux/timers.h"

enum : u64 {
    STOP_SIGNALS = 1UL << (SIGSTOP - 1) | 1UL << (SIGTSTP - 1) | 1UL << (SIGTTIN - 1) |
        1UL << (SIGTTOU - 1),
    // Of faults: they come before others that are pending.
    FAULT_SIGNALS = 1UL << (SIGSEGV - 1) | 1UL << (SIGBUS - 1) | 1UL << (SIGILL - 1) |
        1UL << (SIGTRAP - 1) | 1UL << (SIGFPE - 1) | 1UL << (SIGSYS - 1),
};

enum signal_default signal_default(i32 signal) {
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

struct linux_sigaction signal_action_locked(const struct process *process, i32 signal) {
    return process->actions ? process->actions->actions[signal - 1] : (struct linux_sigaction){};
}

// The first process is like Linux's: what it has no handler for does not touch it, but for what
// comes from outside the container and can't be handled anyway.
bool signal_is_ignored_locked(const struct process *process, const struct queued_signal *signal) {
    u64 handler = signal_action_locked(process, signal->signal).handler;
    enum signal_default does = signal_default(signal->signal);
    if (handler != SIG_DFL) {
        return handler == SIG_IGN;
    }
    if (process->pid == 1 && !((signal->traits & SIGNAL_FROM_OUTSIDE) &&
                               (signal_bit(signal->signal) & SIGNALS_UNBLOCKABLE))) {
        return true;
    }
    return does == DEFAULT_IGNORE || does == DEFAULT_CONTINUE;
}

static void thread_attend(struct thread *thread) {
    __atomic_store_n(&thread->attention, 1, __ATOMIC_RELEASE);
    kernel_thread_kick(thread->handle);
}

void process_attend_locked(struct process *process) {
    struct thread *thread;
    list_for_each(thread, &process->threads, in_process) {
        thread_attend(thread);
    }
}

static void receiver_attend_locked(struct process *process, i32 signal) REQUIRES(&tasks.lock) {
    struct thread *thread;
    list_for_each(thread, &process->threads, in_process) {
        if (!(thread->blocked & signal_bit(signal))) {
            thread_attend(thread);
            return;
        }
    }
}

static void queued_free_locked(struct queued_signal *queued) REQUIRES(&tasks.lock) {
    list_remove(&queued->node);
    tasks.signals_queued -= queued->is_counted;
    heap_free(queued);
}

void signal_discard_locked(struct process *process, u64 mask) {
    struct queued_signal *queued;
    struct queued_signal *following;
    process->pending &= ~mask;
    list_for_each_safe(queued, following, &process->queued, node) {
        if (mask & signal_bit(queued->signal)) {
            queued_free_locked(queued);
        }
    }
}

void signal_discard_timers_locked(struct process *process) {
    struct queued_signal *queued;
    struct queued_signal *following;
    u64 dropped = 0;
    u64 kept = 0;
    list_for_each_safe(queued, following, &process->queued, node) {
        bool is_timers = queued->code == SI_TIMER;
        *(is_timers ? &dropped : &kept) |= signal_bit(queued->signal);
        if (is_timers) queued_free_locked(queued);
    }
    process->pending &= ~dropped | kept;
}

// A signal that stops takes a pending SIGCONT back, and the other way round, whether or not it is
// blocked or ignored.
static void signal_prepare_locked(struct process *process, i32 signal) REQUIRES(&tasks.lock) {
    if (STOP_SIGNALS & signal_bit(signal)) {
        signal_discard_locked(process, signal_bit(SIGCONT));
    } else if (signal == SIGCONT) {
        signal_discard_locked(process, STOP_SIGNALS);
        process_continue_locked(process);
    }
}

// The mask of a thread that may be in sigtimedwait, where what it waits for is open for the moment.
static bool is_blocked_locked(struct process *process, u64 bit) REQUIRES(&tasks.lock) {
    struct thread *thread = list_first(&process->threads, struct thread, in_process);
    return thread && ((thread->blocked | thread->really_blocked) & bit);
}

// Ordinary signals are pending once; real-time ones as often as they were sent.
static int signal_queue_locked(struct process *process, const struct queued_signal *signal)
    REQUIRES(&tasks.lock) {
    u64 bit = signal_bit(signal->signal);
    bool is_realtime = signal->signal >= SIGNAL_REALTIME_FIRST;
    if (!is_realtime && (process->pending & bit)) {
        return 0;
    }
    bool is_limited = is_realtime && !signal->timer;
    u64 limit = is_limited ? process->limits[RLIMIT_SIGPENDING].current : ~0UL;
    struct queued_signal *copy = tasks.signals_queued < limit ? heap_alloc(sizeof(*copy)) : NULL;
    if (!copy && is_realtime && signal->code != SI_USER) {
        return -EAGAIN;
    }
    if (copy) {
        *copy = *signal;
        copy->is_counted = !signal->timer; // which is counted itself
        list_insert_tail(&process->queued, &copy->node);
        tasks.signals_queued += copy->is_counted;
    }
    process->pending |= bit;
    return 0;
}

int signal_send_locked(struct process *process, const struct queued_signal *signal) {
    if (process->state == PROCESS_ZOMBIE) {
        return 0;
    }
    signal_prepare_locked(process, signal->signal);
    if (signal_is_ignored_locked(process, signal) &&
        !is_blocked_locked(process, signal_bit(signal->signal))) {
        return 0;
    }
    int result = signal_queue_locked(process, signal);
    if (signal->signal == SIGKILL && process->state == PROCESS_STOPPED) {
        process_unstop_locked(process);
    }
    receiver_attend_locked(process, signal->signal);
    return result;
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
    u64 handler = signal_action_locked(process, signal->signal).handler;
    bool is_held = (thread->blocked & signal_bit(signal->signal)) || handler == SIG_IGN;
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
    bool is_pending = (thread->process->pending & ~(thread->blocked & ~SIGNALS_UNBLOCKABLE)) != 0;
    mutex_unlock(&tasks.lock);
    return is_pending;
}

bool signal_is_killed(struct thread *thread) {
    mutex_lock(&tasks.lock);
    bool is_killed = thread->process->pending & signal_bit(SIGKILL);
    mutex_unlock(&tasks.lock);
    return is_killed;
}

static i32 signal_choose(u64 ready) {
    if (ready & signal_bit(SIGKILL)) {
        return SIGKILL;
    }
    return __builtin_ctzl(ready & FAULT_SIGNALS ? ready & FAULT_SIGNALS : ready) + 1;
}

bool signal_take_locked(struct process *process, u64 blocked, struct queued_signal *out) {
    u64 ready = process->pending & ~(blocked & ~SIGNALS_UNBLOCKABLE);
    if (ready == 0) {
        return false;
    }
    i32 signal = signal_choose(ready);
    *out = (struct queued_signal){.signal = signal};
    struct queued_signal *queued;
    struct queued_signal *following;
    u32 found = 0;
    list_for_each_safe(queued, following, &process->queued, node) {
        if (queued->signal != signal) {
            continue;
        }
        if (found++ > 0) {
            timers_signal_taken_locked(process, out);
            return true; // another one of the same: it stays pending
        }
        *out = *queued;
        queued_free_locked(queued);
    }
    process->pending &= ~signal_bit(signal);
    timers_signal_taken_locked(process, out);
    return true;
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
