// System calls on processes.
#include "kernel/handlers.h"
#include "object/namespace.h"
#include "object/process.h"

status_t sys_process_create(struct namespace *ns, struct process **process,
                            struct aspace **aspace) {
    status_t status = process_create(ns, nullptr, process);
    if (status != OK) return status;
    *aspace = (*process)->aspace;
    object_get(&(*aspace)->base);
    return OK;
}

status_t sys_process_start(struct process *process, u64 entry, u64 stack, handle_t bootstrap,
                           u64 argument) {
    struct arch_user_start start = {.ip = entry, .sp = stack, .arg = {0, argument}};
    return process_start(process, &start, bootstrap);
}

void sys_process_exit(i32 status) {
    process_end(process_current(), CL_PROCESS_STATE_EXITED, status);
    sys_thread_exit();
    __builtin_unreachable();
}

status_t sys_process_kill(struct process *process) {
    process_end(process, CL_PROCESS_STATE_KILLED, 0);
    return OK;
}

// Its only thread's end makes it a template.
static status_t freeze_locked(struct process *process) REQUIRES(&process->lock) {
    bool is_alone = process->thread_count == 1 && process->end_state == 0;
    status_t status = is_alone ? aspace_freeze(process->aspace) : ERR_BAD_STATE;
    if (status == OK) process->end_state = CL_PROCESS_STATE_FROZEN;
    return status;
}

status_t sys_process_freeze(u64 entry, u64 stack) {
    struct process *process = process_current();
    if (thread_object_current()->restricted) return ERR_BAD_STATE;
    lock_acquire(&process->lock);
    status_t status = freeze_locked(process);
    lock_release(&process->lock);
    if (status != OK) return status;
    process->template_entry = entry;
    process->template_stack = stack;
    sys_thread_exit();
    __builtin_unreachable();
}

status_t sys_process_clone(struct process *process, struct namespace *ns,
                           const struct cl_clone_options *options, handle_t bootstrap,
                           struct process **clone) {
    if (process_state(process) != CL_PROCESS_STATE_FROZEN) return ERR_BAD_STATE;
    status_t status = process_create(ns, process, clone);
    if (status != OK) return status;
    struct arch_user_start start = {.ip = process->template_entry, .sp = process->template_stack};
    memcpy(&start.arg[1], options->random, sizeof(options->random));
    status = process_start(*clone, &start, bootstrap);
    if (status != OK) object_put(&(*clone)->base);
    return status;
}

status_t sys_fixup_register(u64 start, u64 end, u64 handler) {
    struct process *process = process_current();
    if (end <= start) return ERR_INVALID_ARGUMENT;
    lock_acquire(&process->lock);
    bool is_free = process->fixup.handler == 0 && process->thread_count == 1;
    if (is_free) process->fixup = (struct process_fixup){start, end, handler};
    lock_release(&process->lock);
    return is_free ? OK : ERR_BAD_STATE;
}
