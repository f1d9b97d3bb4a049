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

static void thread_release(struct thread_object *object) {
    if (object->thread.arch.stack_top) arch_kstack_free(object->thread.arch.stack_top);
    object->thread.arch.stack_top = 0;
    heap_free(object->vector);
    object->vector = nullptr;
    if (object->is_counted) ledger_count_sub(&object->base.ns->ledger, LEDGER_THREADS, 1);
    object->is_counted = false;
}

// On another stack, after the last switch away from it.
static void thread_left(struct thread *thread) {
    thread_release(object_of(thread));
    object_put(&object_of(thread)->base);
}

// The end of the current thread, whoever wanted it.
static void thread_exit_self(struct thread *thread) {
    struct thread_object *object = object_of(thread);
    sched_work_end(nullptr, CALL_BILL_NS);
    if (object->restricted) (void)sys_thread_bind_aspace(nullptr);
    process_thread_ended(object->process, object);
    object_signal(&object->base, 0, SIGNAL_TERMINATED);
    thread_end();
}

static void thread_enter(void *argument) {
    struct thread_object *object = argument;
    if (!object->process) {
        ((void (*)(void *))object->start.ip)((void *)object->start.arg[0]);
        thread_end();
    }
    if (thread_is_killed()) thread_exit_self(&object->thread);
    // It may be beyond its cap before it has begun.
    while (arch_this_cpu()->work & CPU_WORK_RESCHED)
        sched_return_work();
    arch_user_enter(&object->start);
}

// Stack and vector state; what there is goes with the object.
static bool thread_equip(struct thread_object *object, struct namespace *ns) {
    bool has_vector = object->process != nullptr;
    object->is_counted = ledger_count_add(&ns->ledger, LEDGER_THREADS, 1) == OK;
    if (!object->is_counted) return false;
    u64 stack_top = arch_kstack_alloc(&ns->ledger, &ns_root->ledger);
    object->thread.arch.stack_top = stack_top;
    if (has_vector) object->vector = heap_alloc(&ns->ledger, arch_vector_size());
    if (stack_top == 0 || (has_vector && !object->vector)) return false;
    if (has_vector) arch_vector_init(object->vector);
    thread_init(&object->thread, &ns->group, stack_top, object->vector, thread_enter, object);
    return true;
}

status_t thread_object_create(struct process *process, const struct arch_user_start *start,
                              struct thread_object **out) {
    struct namespace *ns = process ? process->base.ns : ns_root;
    struct thread_object *object = object_alloc(ns, OBJ_THREAD, sizeof(*object));
    if (!object) return ERR_NO_RESOURCES;
    list_init(&object->process_link);
    channel_caller_init(&object->caller, process);
    object->start = *start;
    object->process = process;
    if (process) object_get(&process->base);
    if (!thread_equip(object, ns)) {
        object_put(&object->base);
        return ERR_NO_RESOURCES;
    }
    object->thread.ipc = &object->caller;
    object->thread.ended = thread_left;
    if (process) {
        object->thread.killed = thread_exit_self;
        arch_thread_set_pmap(&object->thread, &process->aspace->pmap);
    }
    object_publish(&object->base);
    *out = object;
    return OK;
}

bool thread_object_start(struct thread_object *object) {
    if (object->process && !process_thread_add(object->process, object)) return false;
    object_get(&object->base);
    sched_make_runnable(&object->thread);
    return true;
}

status_t thread_kernel_create(void (*entry)(void *), void *argument) {
    struct arch_user_start start = {.ip = (u64)entry, .arg = {(u64)argument}};
    struct thread_object *object;
    status_t status = thread_object_create(nullptr, &start, &object);
    if (status != OK) return status;
    thread_object_start(object);
    object_put(&object->base);
    return OK;
}

// ---- the thread as an object ----

static void thread_object_kill(struct object *object) {
    struct thread_object *thread = (struct thread_object *)object;
    if (thread->process) thread_kill(&thread->thread);
}

static void thread_object_free(struct object *object) {
    struct thread_object *thread = (struct thread_object *)object;
    thread_release(thread);
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
    status_t status = thread_object_create(process_current(), &start, thread);
    if (status != OK) return status;
    if (thread_object_start(*thread)) return OK;
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
