// fork, vfork and clone as they are used without threads: a new process whose one thread goes on
// where the caller is. With CLONE_VM the two share the memory; with CLONE_VFORK the caller waits
// until the child has a memory of its own or is gone.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/calls.h"
#include "linux/credentials.h"
#include "linux/descriptors.h"
#include "linux/kernel_if.h"
#include "linux/process.h"
#include "linux/signal.h"
#include "linux/thread.h"
#include "linux/timers.h"

enum : u64 {
    CLONE_SIGNAL_MASK = 0xff,
    CLONE_KNOWN = CLONE_SIGNAL_MASK | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_VFORK |
        CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID,
};

static int process_copy_parts(struct process *child, struct process *parent, u64 flags) {
    child->memory = flags & CLONE_VM ? memory_get(parent->memory) : memory_fork(parent->memory);
    if (!child->memory) {
        return -ENOMEM;
    }
    child->descriptors = flags & CLONE_FILES ? descriptors_get(parent->descriptors)
                                             : descriptors_copy(parent->descriptors);
    child->fs = flags & CLONE_FS ? fs_context_get(parent->fs) : fs_context_copy(parent->fs);
    if (!child->descriptors || !child->fs) {
        return -ENOMEM;
    }
    child->program = program_get(parent->program);
    return 0;
}

// The child starts as the caller is: registers, bases, vector state, mask.
static int thread_copy(struct thread *child, struct thread *parent, u64 flags, u64 stack, u64 tls) {
    child->state = parent->state;
    child->state.rax = 0;
    if (stack != 0) {
        child->state.rsp = stack;
    }
    child->fs_base = flags & CLONE_SETTLS ? tls : register_fs_base();
    child->gs_base = register_gs_base();
    child->blocked = parent->blocked;
    child->call_number = ~0UL;
    if (!(flags & CLONE_VM)) {
        child->signal_stack = parent->signal_stack;
    }
    // Below the child's block, where its stack is not in use yet.
    u8 *area = (u8 *)(((u64)child - vector_state_size() - THREAD_VECTOR_GAP_BYTES) & ~63UL);
    memset(area + 512, 0, 64);
    vector_save(area);
    child->vector_area = area;
    return 0;
}

static void child_abandon(struct process *child, struct thread *thread) {
    process_release(child);
    mutex_lock(&tasks.lock);
    process_free_locked(child);
    mutex_unlock(&tasks.lock);
    if (thread) {
        thread_free(thread);
    }
}

static void wait_for_vfork(struct thread *thread, struct vfork *vfork) {
    struct waiter waiter;
    waitqueue_add(&vfork->done, &waiter, thread);
    for (;;) {
        u32 ticket = thread_ticket(thread);
        if (__atomic_load_n(&vfork->is_over, __ATOMIC_SEQ_CST) ||
            thread_wait_killable(thread, ticket) != 0) {
            break;
        }
    }
    waitqueue_remove(&vfork->done, &waiter);
}

static i64 child_start(struct thread *thread, struct process *child, struct thread *child_thread,
                       u64 flags) {
    i32 pid = child->pid;
    struct vfork *vfork = NULL;
    if (flags & CLONE_VFORK) {
        vfork = heap_alloc_zero(sizeof(*vfork));
        if (!vfork) {
            child_abandon(child, child_thread);
            return -ENOMEM;
        }
        waitqueue_init(&vfork->done);
        vfork->references = 2;
        child->vfork = vfork;
    }
    mutex_lock(&tasks.lock);
    list_insert_tail(&child->threads, &child_thread->in_process);
    // What was sent to its group meanwhile; a limit to watch.
    child_thread->attention = child->pending != 0 || timers_watch_cpu(child);
    // Under the lock, so that nobody kicks a thread that has no handle yet.
    int result = kernel_thread_start(thread_main, child_thread->vector_area, child_thread,
                                     &child_thread->handle);
    if (result != 0) {
        list_remove(&child_thread->in_process);
    }
    mutex_unlock(&tasks.lock);
    if (result != 0) {
        process_vfork_done(child);
        child_abandon(child, child_thread);
        pid = -EAGAIN;
    } else if (vfork) {
        wait_for_vfork(thread, vfork);
    }
    vfork_put(vfork);
    return pid;
}

// RLIMIT_NPROC: root and who has the capabilities go on.
static bool is_over_limit(const struct process *process) {
    const struct credentials *own = process->credentials;
    struct process *other;
    u64 count = 0;
    if (own->uid == 0 || credentials_have(own, CAP_SYS_RESOURCE) ||
        credentials_have(own, CAP_SYS_ADMIN)) {
        return false;
    }
    mutex_lock(&tasks.lock);
    list_for_each(other, &tasks.processes, all) {
        count += other->credentials->uid == own->uid;
    }
    u64 limit = process->limits[RLIMIT_NPROC].current;
    mutex_unlock(&tasks.lock);
    return count >= limit;
}

static i64 process_fork(struct thread *thread, u64 flags, u64 stack, linux_ptr parent_tid,
                        linux_ptr child_tid, u64 tls) {
    bool is_refused = is_over_limit(thread->process);
    struct process *child = is_refused ? NULL : process_alloc(thread->process);
    if (!child) {
        return -EAGAIN;
    }
    // What was sent to the group before the child was in it must not miss the child.
    int result = signal_is_pending(thread) ? -ERESTARTNOINTR
                                           : process_copy_parts(child, thread->process, flags);
    struct thread *child_thread = result == 0 ? thread_alloc() : NULL;
    if (!child_thread) {
        child_abandon(child, NULL);
        return result != 0 ? result : -EAGAIN;
    }
    child->exit_signal = (i32)(flags & CLONE_SIGNAL_MASK);
    child_thread->process = child;
    child_thread->tid = child->pid;
    thread_copy(child_thread, thread, flags, stack, tls);
    if (flags & (CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID)) {
        child_thread->clear_tid = child_tid;
        child_thread->sets_tid = flags & CLONE_CHILD_SETTID;
        child_thread->clears_tid = flags & CLONE_CHILD_CLEARTID;
    }
    if ((flags & CLONE_PARENT_SETTID) &&
        copy_to_linux(parent_tid, &child->pid, sizeof(child->pid)) != 0) {
        child_abandon(child, child_thread);
        return -EFAULT;
    }
    return child_start(thread, child, child_thread, flags);
}

i64 linux_fork(struct thread *thread) {
    return process_fork(thread, SIGCHLD, 0, linux_pointer(0), linux_pointer(0), 0);
}

i64 linux_vfork(struct thread *thread) {
    return process_fork(thread, SIGCHLD | CLONE_VM | CLONE_VFORK, 0, linux_pointer(0),
                        linux_pointer(0), 0);
}

i64 linux_clone(struct thread *thread, u64 flags, u64 stack, linux_ptr parent_tid,
                linux_ptr child_tid, u64 tls) {
    if (flags & ~CLONE_KNOWN) {
        return -EINVAL;
    }
    // Memory shared without waiting would be a thread in another process.
    if ((flags & CLONE_VM) && !(flags & CLONE_VFORK)) {
        return -EINVAL;
    }
    return process_fork(thread, flags, stack, parent_tid, child_tid, tls);
}
