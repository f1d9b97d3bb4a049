// Processes: their threads, their end, their states.
// NEW → RUNNING (first thread) → EXITED, KILLED, CRASHED or FROZEN when the last thread is gone.
// Ending: is_ending is set and all threads are killed; each goes through process_thread_ended on
// its own stack, and the last one closes the handles and empties the address space, preemptibly,
// before the state changes and TERMINATED is signalled.
#include "object/process.h"

#include "kernel/handlers.h"
#include "object/namespace.h"
#include "object/trace.h"

struct process *process_current(void) {
    struct thread_object *thread = thread_object_current();
    return thread ? thread->process : nullptr;
}

status_t process_create(struct namespace *ns, struct process *from_template, struct process **out) {
    struct process *process = object_alloc(ns, OBJ_PROCESS, sizeof(*process));
    if (!process) return ns_is_alive(ns) ? ERR_NO_RESOURCES : ERR_BAD_STATE;
    lock_init(&process->lock, LOCK_PROCESS);
    list_init(&process->threads);
    list_init(&process->told);
    handle_holder_init(&process->handles.holder, &process->base, &ns->ledger);
    futex_table_init(&process->futexes);
    status_t status = from_template
                          ? aspace_copy(from_template->aspace, ns, &ns->ledger, &process->aspace)
                          : aspace_create(ns, nullptr, &process->aspace);
    if (status != OK) {
        object_put(&process->base);
        return status;
    }
    if (from_template) process->fixup = from_template->fixup;
    object_publish(&process->base);
    *out = process;
    return OK;
}

u32 process_state(struct process *process) {
    lock_acquire(&process->lock);
    u32 state = process->state;
    lock_release(&process->lock);
    return state;
}

bool process_state_change(struct process *process, u32 from, u32 to) {
    lock_acquire(&process->lock);
    bool is_same = process->state == from && process->end_state == 0;
    if (is_same) process->state = to;
    lock_release(&process->lock);
    return is_same;
}

bool process_thread_add(struct process *process, struct thread_object *thread) {
    lock_acquire(&process->lock);
    bool is_open = process->state == CL_PROCESS_STATE_RUNNING && process->end_state == 0;
    if (is_open) {
        process->thread_count++;
        object_get(&thread->base);
        list_insert_tail(&process->threads, &thread->process_link);
    }
    lock_release(&process->lock);
    return is_open;
}

static status_t bootstrap_move(struct process *process, handle_t bootstrap, handle_t *there) {
    if (bootstrap == CL_HANDLE_INVALID) return OK;
    status_t status = handles_reserve(&process->handles, 1, there);
    if (status != OK) return status;
    status = handle_move_to(&process->handles, *there, bootstrap, &process->base);
    if (status != OK) handles_unreserve(&process->handles, 1, there);
    return status;
}

// In a process that was claimed for this thread.
static status_t start_first(struct process *process, struct thread_object *thread,
                            handle_t bootstrap) {
    handle_t there = (handle_t)thread->start.arg[0];
    status_t status = bootstrap_move(process, bootstrap, &there);
    thread->start.arg[0] = there;
    if (status == OK && !thread_object_start(thread)) status = ERR_BAD_STATE;
    return status;
}

status_t process_start(struct process *process, const struct arch_user_start *start,
                       handle_t bootstrap) {
    struct thread_object *thread;
    if (!process_state_change(process, CL_PROCESS_STATE_NEW, CL_PROCESS_STATE_RUNNING))
        return ERR_BAD_STATE;
    status_t status = thread_object_create(process, start, &thread);
    if (status == OK) {
        status = start_first(process, thread, bootstrap);
        object_put(&thread->base);
    }
    if (status != OK) process_state_change(process, CL_PROCESS_STATE_RUNNING, CL_PROCESS_STATE_NEW);
    return status;
}

// ---- the end ----

// A thread that was not told yet, referenced; from now on it is.
static struct thread_object *thread_to_kill(struct process *process) {
    lock_acquire(&process->lock);
    struct thread_object *thread =
        list_take_first(&process->threads, struct thread_object, process_link);
    if (thread) {
        object_get(&thread->base);
        list_insert_tail(&process->told, &thread->process_link);
    }
    lock_release(&process->lock);
    return thread;
}

// Nobody runs in the process any more. Of a template the address space stays.
static void process_empty(struct process *process, u32 state) {
    bool is_frozen = state == CL_PROCESS_STATE_FROZEN;
    handle_table_close(&process->handles);
    if (!is_frozen) aspace_clear(process->aspace);
    lock_acquire(&process->lock);
    process->thread_count = 0;
    process->state = state;
    lock_release(&process->lock);
    object_signal(&process->base, 0, is_frozen ? SIGNAL_FROZEN : SIGNAL_TERMINATED);
}

void process_end(struct process *process, u32 state, i32 exit_status) {
    lock_acquire(&process->lock);
    bool was_first = !process->is_ending;
    bool had_threads = process->thread_count != 0;
    if (was_first) {
        process->is_ending = true;
        process->exit_status = exit_status;
        process->end_state = state;
    }
    lock_release(&process->lock);
    if (!was_first) return;
    struct thread_object *thread;
    while ((thread = thread_to_kill(process)) != nullptr) {
        thread_kill(&thread->thread);
        object_put(&thread->base);
    }
    if (!had_threads) process_empty(process, state);
}

void process_thread_ended(struct process *process, struct thread_object *thread) {
    lock_acquire(&process->lock);
    list_remove(&thread->process_link);
    bool was_last = process->thread_count == 1;
    if (!was_last) {
        process->thread_count--;
    } else { // no thread can come any more; the count falls when all is done
        process->is_ending = true;
        if (process->end_state == 0) process->end_state = CL_PROCESS_STATE_EXITED;
    }
    u32 state = process->end_state;
    lock_release(&process->lock);
    object_put(&thread->base); // the list's
    if (was_last) process_empty(process, state);
}

// ---- exceptions ----

u64 thread_exception(u64 ip, u64 sp, u32 vector, u64 address, u64 error_code) {
    enum { PAGE_FAULT = 14 };
    struct process *process = process_current();
    // A fault inside the registered fixup range resumes at the handler.
    bool is_fault = vector == PAGE_FAULT || vector == CL_CRASH_NO_MEMORY;
    if (is_fault && address < CL_PROCESS_LIMIT && ip >= process->fixup.start &&
        ip < process->fixup.end)
        return process->fixup.handler;
    // In a namespace that is killed, memory may go before the threads.
    if (ns_is_alive(process->base.ns)) {
        trace_event(TRACE_CRASH, process->base.koid, vector);
        klog(LOG_WARNING,
             "process %lu of namespace %lu crashed: exception %u (error %lx) at ip %lx, "
             "address %lx, sp %lx\n",
             process->base.koid, process->base.ns->base.koid, vector, error_code, ip, address, sp);
    }
    process_end(process, CL_PROCESS_STATE_CRASHED, (i32)vector);
    sys_thread_exit();
}

// ---- the process as an object ----

static void process_kill(struct object *object) {
    process_end((struct process *)object, CL_PROCESS_STATE_KILLED, 0);
}

static void process_free(struct object *object) {
    struct process *process = (struct process *)object;
    handle_table_close(&process->handles);
    handle_table_free(&process->handles);
    if (process->aspace) object_put(&process->aspace->base);
}

// One that nobody started and nobody can start any more.
static void process_close(struct object *object) {
    struct process *process = (struct process *)object;
    if (process_state(process) == CL_PROCESS_STATE_NEW)
        process_end(process, CL_PROCESS_STATE_KILLED, 0);
}

static void process_describe(struct object *object, u64 detail[4]) {
    struct process *process = (struct process *)object;
    lock_acquire(&process->lock);
    // How it ends is known before its last thread is gone; its handles close in between, and whoever
    // sees a channel's end by that may ask.
    detail[0] = max(process->state, process->end_state);
    detail[1] = (u64)(i64)process->exit_status;
    detail[2] = process->thread_count;
    struct thread_object *first = list_first(&process->threads, struct thread_object, process_link);
    detail[3] = first ? first->base.koid : 0;
    lock_release(&process->lock);
}

const struct object_ops process_object_ops = {
    .close = process_close,
    .kill = process_kill,
    .free = process_free,
    .describe = process_describe,
};
