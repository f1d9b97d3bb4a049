// System calls about signals.
#include "lib/heap.h"
#include "linux/calls.h"
#include "linux/kernel_if.h"
#include "linux/signal.h"
#include "linux/thread.h"

// What is pending of it is dropped. That the first process has no handler is no reason: it may get
// one while the signal is blocked.
static bool handler_ignores(u64 handler, i32 signal) {
    enum signal_default does = signal_default(signal);
    return handler == SIG_IGN ||
           (handler == SIG_DFL && (does == DEFAULT_IGNORE || does == DEFAULT_CONTINUE));
}

static int action_swap(struct process *process, i32 signal, const struct linux_sigaction *action,
                       struct linux_sigaction *old) {
    int result = 0;
    mutex_lock(&tasks.lock);
    *old = process->actions ? process->actions->actions[signal - 1] : (struct linux_sigaction){};
    if (action && !process->actions) {
        process->actions = signal_actions_copy_locked(process);
        result = process->actions ? 0 : -ENOMEM;
    }
    if (action && result == 0) {
        process->actions->actions[signal - 1] = *action;
        if (handler_ignores(action->handler, signal)) {
            signal_discard_locked(process, signal_bit(signal));
        }
    }
    mutex_unlock(&tasks.lock);
    return result;
}

i64 linux_rt_sigaction(struct thread *thread, i32 signal, linux_ptr action_ptr, linux_ptr old_ptr,
                       usize mask_size) {
    struct linux_sigaction action;
    struct linux_sigaction old;
    bool sets = !linux_is_null(action_ptr);
    if (signal < 1 || signal > SIGNALS_MAX || mask_size != sizeof(u64) ||
        (sets && (SIGNALS_UNBLOCKABLE & signal_bit(signal)))) {
        return -EINVAL;
    }
    if (sets && copy_from_linux(&action, action_ptr, sizeof(action)) != 0) {
        return -EFAULT;
    }
    int result = action_swap(thread->process, signal, sets ? &action : NULL, &old);
    if (result == 0 && !linux_is_null(old_ptr)) {
        result = copy_to_linux(old_ptr, &old, sizeof(old));
    }
    return result;
}

void thread_set_blocked(struct thread *thread, u64 mask) {
    mutex_lock(&tasks.lock);
    thread->blocked = mask & ~SIGNALS_UNBLOCKABLE;
    mutex_unlock(&tasks.lock);
    __atomic_store_n(&thread->attention, 1, __ATOMIC_RELEASE);
}

i64 linux_rt_sigprocmask(struct thread *thread, i32 how, linux_ptr set_ptr, linux_ptr old_ptr,
                         usize mask_size) {
    u64 old = thread->blocked;
    u64 set;
    if (mask_size != sizeof(u64)) {
        return -EINVAL;
    }
    if (!linux_is_null(set_ptr)) {
        if (copy_from_linux(&set, set_ptr, sizeof(set)) != 0) {
            return -EFAULT;
        }
        switch (how) {
        case SIG_BLOCK: set |= old; break;
        case SIG_UNBLOCK: set = old & ~set; break;
        case SIG_SETMASK: break;
        default: return -EINVAL;
        }
        thread_set_blocked(thread, set);
    }
    return linux_is_null(old_ptr) ? 0 : copy_to_linux(old_ptr, &old, sizeof(old));
}

i64 linux_rt_sigpending(struct thread *thread, linux_ptr set, usize mask_size) {
    if (mask_size != sizeof(u64)) {
        return -EINVAL;
    }
    mutex_lock(&tasks.lock);
    u64 pending = thread->process->pending & thread->blocked;
    mutex_unlock(&tasks.lock);
    return copy_to_linux(set, &pending, sizeof(pending));
}

static i64 thread_pause(struct thread *thread) {
    for (;;) {
        if (thread_wait(thread, thread_ticket(thread), DEADLINE_NEVER) == -ERESTARTSYS) {
            return -ERESTARTNOHAND;
        }
    }
}

i64 linux_rt_sigsuspend(struct thread *thread, linux_ptr set, usize mask_size) {
    u64 mask;
    if (mask_size != sizeof(u64)) {
        return -EINVAL;
    }
    if (copy_from_linux(&mask, set, sizeof(mask)) != 0) {
        return -EFAULT;
    }
    thread->saved_blocked = thread->blocked;
    thread->restores_blocked = true;
    thread_set_blocked(thread, mask);
    return thread_pause(thread);
}

i64 linux_pause(struct thread *thread) { return thread_pause(thread); }

i64 linux_sigaltstack(struct thread *thread, linux_ptr stack_ptr, linux_ptr old_ptr) {
    struct linux_stack old = thread->signal_stack;
    struct linux_stack stack;
    bool is_on_it = thread->state.rsp - old.pointer < old.size;
    old.flags = old.size == 0 ? SS_DISABLE : is_on_it ? SS_ONSTACK : old.flags;
    if (!linux_is_null(stack_ptr)) {
        if (copy_from_linux(&stack, stack_ptr, sizeof(stack)) != 0) {
            return -EFAULT;
        }
        if (is_on_it) {
            return -EPERM;
        }
        if (stack.flags & ~(SS_DISABLE | SS_ONSTACK)) {
            return -EINVAL;
        }
        if (!(stack.flags & SS_DISABLE) && stack.size < LINUX_MINSIGSTKSZ) {
            return -ENOMEM;
        }
        thread->signal_stack =
            stack.flags & SS_DISABLE ? (struct linux_stack){.flags = SS_DISABLE} : stack;
    }
    return linux_is_null(old_ptr) ? 0 : copy_to_linux(old_ptr, &old, sizeof(old));
}
