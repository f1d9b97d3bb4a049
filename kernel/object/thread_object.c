// Threads as objects: making, starting, ending.
// A thread's references: one for each handle; one of its own while it runs, which thread_left()
// drops on the next thread's stack, and with which everything of it goes.
#include "object/thread_object.h"

#include "kernel/handlers.h"
#include "object/namespace.h"
#include "object/process.h"
#include "object/trace.h"

static struct thread_object *object_of(struct thread *thread) {
    return container_of(thread, struct thread_object, thread);
}

struct thread_object *thread_object_current(void) {
    struct thread *thread = thread_current();
    return thread->killed ? object_of(thread) : nullptr;
}

// On another stack, after the last switch away from it.
static void thread_left(struct thread *thread) {
    struct thread_object *object = object_of(thread);
    struct namespace *ns = object->base.ns;
    arch_kstack_free(thread->arch.stack_top);
    thread->arch.stack_top = 0;
    heap_free(object->vector);
    object->vector = nullptr;
    ledger_count_sub(&ns->ledger, LEDGER_THREADS, 1);
    object_put(&object->base);
}

// The end of the current thread, whoever wanted it.
static void thread_exit_self(struct thread *thread) {
    struct thread_object *object = object_of(thread);
    if (object->restricted) (void)sys_thread_bind_aspace(nullptr);
    process_thread_ended(object->process, object);
    object_signal(&object->base, 0, SIGNAL_TERMINATED);
    thread_end();
}

static void thread_enter_user(void *argument) {
    struct thread_object *object = argument;
    if (thread_is_killed()) thread_exit_self(&object->thread);
    arch_user_enter(&object->start);
}

static void thread_enter_kernel(void *argument) {
    struct thread_object *object = argument;
    object->kernel_entry(object->kernel_argument);
    thread_end();
}

// Stack and vector state; the thread is counted. NO_RESOURCES, with nothing kept.
static status_t thread_equip(struct thread_object *object, void (*entry)(void *), bool has_vector,
                             struct sched_group *group) {
    struct ledger *ledger = &object->base.ns->ledger;
    if (ledger_count_add(ledger, LEDGER_THREADS, 1) != OK) return ERR_NO_RESOURCES;
    object->vector = has_vector ? heap_alloc(ledger, arch_vector_size()) : nullptr;
    u64 stack_top = arch_kstack_alloc(ledger, &ns_root->ledger);
    if (stack_top == 0 || (has_vector && !object->vector)) {
        if (stack_top) arch_kstack_free(stack_top);
        heap_free(object->vector);
        object->vector = nullptr;
        ledger_count_sub(ledger, LEDGER_THREADS, 1);
        return ERR_NO_RESOURCES;
    }
    if (has_vector) arch_vector_init(object->vector);
    object->thread.ended = thread_left;
    channel_caller_init(&object->caller, object->process);
    object->thread.ipc = &object->caller;
    thread_init(&object->thread, group, stack_top, object->vector, entry, object);
    return OK;
}

status_t thread_object_create(struct process *process, const struct arch_user_start *start,
                              struct thread_object **out) {
    struct namespace *ns = process->base.ns;
    struct thread_object *object = object_alloc(ns, OBJ_THREAD, sizeof(*object));
    if (!object) return ERR_NO_RESOURCES;
    list_init(&object->process_link);
    object->start = *start;
    object->process = process;
    object_get(&process->base);
    status_t status = thread_equip(object, thread_enter_user, true, &ns->group);
    if (status != OK) {
        object_put(&object->base);
        return status;
    }
    object->thread.killed = thread_exit_self;
    arch_thread_set_pmap(&object->thread, &process->aspace->pmap);
    object_publish(&object->base);
    *out = object;
    return OK;
}

void thread_object_start(struct thread_object *object) {
    object_get(&object->base);
    sched_make_runnable(&object->thread);
}

void thread_object_discard(struct thread_object *object) {
    object_get(&object->base);
    thread_left(&object->thread);
}

status_t thread_kernel_create(void (*entry)(void *), void *argument) {
    struct thread_object *object = object_alloc(ns_root, OBJ_THREAD, sizeof(*object));
    if (!object) return ERR_NO_RESOURCES;
    list_init(&object->process_link);
    object->kernel_entry = entry;
    object->kernel_argument = argument;
    status_t status = thread_equip(object, thread_enter_kernel, false, &ns_root->group);
    if (status != OK) {
        object_put(&object->base);
        return status;
    }
    object_publish(&object->base);
    sched_make_runnable(&object->thread);
    return OK;
}

// ---- the thread as an object ----

static void thread_object_kill(struct object *object) {
    struct thread_object *thread = (struct thread_object *)object;
    if (thread->process) thread_kill(&thread->thread);
}

static void thread_object_free(struct object *object) {
    struct thread_object *thread = (struct thread_object *)object;
    if (thread->process) object_put(&thread->process->base);
}

static void thread_object_describe(struct object *object, u64 detail[4]) {
    const struct thread *thread = &((struct thread_object *)object)->thread;
    detail[0] = thread_run_ns(thread);
    detail[1] = __atomic_load_n(&thread->state, __ATOMIC_RELAXED) <= THREAD_RUNNING;
}

const struct object_ops thread_object_ops = {
    .describe = thread_object_describe,
    .kill = thread_object_kill,
    .free = thread_object_free,
};

// ---- system calls ----

status_t sys_thread_create(u64 entry, u64 stack, u64 argument, struct thread_object **thread) {
    struct arch_user_start start = {.ip = entry, .sp = stack, .arg = {argument}};
    struct process *process = process_current();
    status_t status = thread_object_create(process, &start, thread);
    if (status != OK) return status;
    if (process_thread_add(process, *thread)) {
        thread_object_start(*thread);
        return OK;
    }
    thread_object_discard(*thread);
    object_put(&(*thread)->base);
    return ERR_BAD_STATE;
}

void sys_thread_exit(void) {
    thread_exit_self(thread_current());
    __builtin_unreachable();
}

status_t sys_thread_yield(void) {
    sched_yield();
    return OK;
}

status_t sys_thread_kick(struct thread_object *thread) {
    thread_kick(&thread->thread);
    return OK;
}

status_t sys_thread_info(u64 *koid, u64 *cpu_ns) {
    *koid = thread_object_current()->base.koid;
    *cpu_ns = thread_run_ns(thread_current());
    return OK;
}

status_t sys_thread_self(struct thread_object **thread) {
    *thread = thread_object_current();
    object_get(&(*thread)->base);
    return OK;
}

void sys_raw_restricted_enter(struct syscall_args *args) {
    struct thread_object *thread = thread_object_current();
    u64 state = args->arg[0];
    if (state < CL_PROCESS_BASE || state & 7 ||
        state > CL_PROCESS_LIMIT - sizeof(struct cl_restricted_state))
        args->status = state & 7 ? ERR_INVALID_ARGUMENT : ERR_BAD_POINTER;
    else if (!thread->restricted)
        args->status = ERR_BAD_STATE;
    else
        args->status = arch_restricted_arm(state);
}
