// The tree of processes, and what processes share: directories. Pids are not used again before
// they wrap at PID_MAX, nor while they name anything.
#include "linux/process.h"

#include "lib/heap.h"
#include "lib/string.h"
#include "linux/credentials.h"
#include "linux/descriptors.h"
#include "linux/kernel_if.h"
#include "linux/signal.h"

enum { PID_MAX = 4194304 };

struct tasks tasks = {
    .processes = LIST_INIT(tasks.processes),
    .next_pid = 1,
    .files_limit = {1024, 4096},
};

// A group or session outlives the process that it is named after.
static bool pid_is_in_use_locked(i32 pid) REQUIRES(&tasks.lock) {
    struct process *process;
    list_for_each(process, &tasks.processes, all) {
        if (process->pid == pid || process->group == pid || process->session == pid) return true;
    }
    return false;
}

static i32 pid_take_locked(void) REQUIRES(&tasks.lock) {
    do {
        if (tasks.next_pid >= PID_MAX) {
            tasks.next_pid = 2;
        }
        tasks.next_pid++;
    } while (pid_is_in_use_locked(tasks.next_pid - 1));
    return tasks.next_pid - 1;
}

// As Linux's first process has them on a machine of a usual size.
static void default_limits(struct linux_rlimit *limits) {
    enum { PROCESSES = 4096, SIGNALS = 4096 };
    for (usize i = 0; i < RLIMITS; i++) {
        limits[i] = (struct linux_rlimit){~0UL, ~0UL};
    }
    limits[RLIMIT_STACK].current = 8UL << 20;
    limits[RLIMIT_CORE].current = 0;
    limits[RLIMIT_NPROC] = (struct linux_rlimit){PROCESSES, PROCESSES};
    limits[RLIMIT_NOFILE] = tasks.files_limit;
    limits[RLIMIT_MEMLOCK] = (struct linux_rlimit){8UL << 20, 8UL << 20};
    limits[RLIMIT_SIGPENDING] = (struct linux_rlimit){SIGNALS, SIGNALS};
    limits[RLIMIT_MSGQUEUE] = (struct linux_rlimit){819200, 819200};
    limits[RLIMIT_NICE] = limits[RLIMIT_RTPRIO] = (struct linux_rlimit){};
}

static bool are_enough_locked(void) REQUIRES(&tasks.lock) {
    return tasks.limit != 0 && tasks.count >= tasks.limit;
}

// Signals to the group reach the child from the moment on that it is in the tree: what it does with
// them is decided by then.
static bool child_prepare_locked(struct process *process, struct process *parent)
    REQUIRES(&tasks.lock) {
    if (are_enough_locked()) return false;
    if (!parent->actions) return true;
    process->actions = signal_actions_copy_locked(parent);
    return process->actions != NULL;
}

struct process *process_alloc(struct process *parent) {
    struct process *process = heap_alloc_zero(sizeof(*process));
    if (!process) {
        return NULL;
    }
    waitqueue_init(&process->children_changed);
    list_init(&process->children);
    list_init(&process->sibling);
    list_init(&process->threads);
    list_init(&process->queued);
    process->exit_signal = SIGCHLD;
    process->start_ns = kernel_monotonic_ns();
    mutex_lock(&tasks.lock);
    if (parent && !child_prepare_locked(process, parent)) {
        mutex_unlock(&tasks.lock);
        heap_free(process);
        return NULL;
    }
    process->pid = pid_take_locked();
    process->parent = parent;
    if (parent) {
        process->credentials = credentials_get(parent->credentials);
        process->group = parent->group;
        process->session = parent->session;
        memcpy(process->limits, parent->limits, sizeof(parent->limits));
        process->nice = parent->nice;
        process->affinity = parent->affinity;
        process->io_priority = parent->io_priority;
        process->has_no_new_privileges = parent->has_no_new_privileges;
        process->persona = parent->persona;
        process->is_undumpable = parent->is_undumpable;
        memcpy(process->name, parent->name, sizeof(parent->name));
        list_insert_tail(&parent->children, &process->sibling);
    } else {
        process->credentials = credentials_get(&credentials_root);
        process->group = process->session = process->pid;
        default_limits(process->limits);
    }
    list_insert_tail(&tasks.processes, &process->all);
    tasks.count++;
    mutex_unlock(&tasks.lock);
    return process;
}

bool processes_are_enough(void) {
    mutex_lock(&tasks.lock);
    bool is_full = are_enough_locked();
    mutex_unlock(&tasks.lock);
    return is_full;
}

struct process *process_find_locked(i32 pid) {
    struct process *process;
    list_for_each(process, &tasks.processes, all) {
        if (process->pid == pid) {
            return process;
        }
    }
    return NULL;
}

void process_free_locked(struct process *process) {
    signal_discard_locked(process, ~0UL);
    list_remove(&process->sibling);
    list_remove(&process->all);
    tasks.count--;
    credentials_put(process->credentials);
    heap_free(process);
}

// What others can look at through /proc is taken away under the lock, given up without it.
void process_release(struct process *process) {
    mutex_lock(&tasks.lock);
    struct descriptors *descriptors = process->descriptors;
    struct fs_context *fs = process->fs;
    struct signal_actions *actions = process->actions;
    struct program *program = process->program;
    struct memory *memory = process->memory;
    process->memory = NULL;
    process->descriptors = NULL;
    process->fs = NULL;
    process->actions = NULL;
    process->program = NULL;
    mutex_unlock(&tasks.lock);
    descriptors_put(descriptors);
    fs_context_put(fs);
    program_put(program);
    if (actions && __atomic_fetch_sub(&actions->references, 1, __ATOMIC_ACQ_REL) == 1) {
        heap_free(actions);
    }
    memory_put(memory);
}

void vfork_put(struct vfork *vfork) {
    if (vfork && __atomic_fetch_sub(&vfork->references, 1, __ATOMIC_ACQ_REL) == 1) {
        heap_free(vfork);
    }
}

void process_vfork_done(struct process *process) {
    struct vfork *vfork = process->vfork;
    process->vfork = NULL;
    if (vfork) {
        __atomic_store_n(&vfork->is_over, 1, __ATOMIC_SEQ_CST);
        waitqueue_wake(&vfork->done);
        vfork_put(vfork);
    }
}

struct fs_context *fs_context_create(struct path root)
    THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct fs_context *context = heap_alloc_zero(sizeof(*context));
    if (context) {
        context->references = 1;
        context->root = path_get(root);
        context->cwd = path_get(root);
        context->umask = 022;
    }
    return context;
}

struct fs_context *fs_context_copy(struct fs_context *source)
    THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct fs_context *context = heap_alloc_zero(sizeof(*context));
    if (context) {
        mutex_lock(&source->lock);
        context->references = 1;
        context->root = path_get(source->root);
        context->cwd = path_get(source->cwd);
        context->umask = source->umask;
        mutex_unlock(&source->lock);
    }
    return context;
}

struct fs_context *fs_context_get(struct fs_context *context) {
    __atomic_fetch_add(&context->references, 1, __ATOMIC_RELAXED);
    return context;
}

void fs_context_put(struct fs_context *context) THREAD_ANNOTATION(no_thread_safety_analysis) {
    if (context && __atomic_fetch_sub(&context->references, 1, __ATOMIC_ACQ_REL) == 1) {
        path_put(context->root);
        path_put(context->cwd);
        heap_free(context);
    }
}

struct path fs_context_root(struct fs_context *context) {
    mutex_lock(&context->lock);
    struct path root = path_get(context->root);
    mutex_unlock(&context->lock);
    return root;
}

struct path fs_context_cwd(struct fs_context *context) {
    mutex_lock(&context->lock);
    struct path cwd = path_get(context->cwd);
    mutex_unlock(&context->lock);
    return cwd;
}

void fs_context_set_cwd(struct fs_context *context, struct path cwd) {
    mutex_lock(&context->lock);
    struct path old = context->cwd;
    context->cwd = path_get(cwd);
    mutex_unlock(&context->lock);
    path_put(old);
}

u32 fs_context_umask(struct fs_context *context) {
    mutex_lock(&context->lock);
    u32 mask = context->umask;
    mutex_unlock(&context->lock);
    return mask;
}

void fs_context_set_root(struct fs_context *context, struct path root) {
    mutex_lock(&context->lock);
    struct path old = context->root;
    context->root = path_get(root);
    mutex_unlock(&context->lock);
    path_put(old);
}
