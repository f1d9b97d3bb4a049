// Processes: an address space and a handle table, in one namespace for life.
//
// Rules:
// - A process ends when its last thread has ended: its handles are closed, its address space
//   emptied, TERMINATED is signalled. It can be asked for its status until its handles are gone.
// - A frozen process is a template: no threads, no handles, an address space nobody changes.
#pragma once

#include "object/aspace.h"
#include "object/futex.h"
#include "object/handle.h"
#include "object/thread_object.h"

// Where a fault at a Linux address resumes at `handler`; handler 0: nowhere.
struct process_fixup {
    u64 start, end, handler;
};

struct process {
    struct object base;
    struct aspace *aspace; // constant, with a reference
    struct handle_table handles;
    struct futex_table futexes;
    // constant once set by fixup_register and process_freeze:
    struct process_fixup fixup;
    u64 template_entry, template_stack;

    struct lock lock;            // rank LOCK_PROCESS
    u32 state GUARDED_BY(&lock); // CL_PROCESS_STATE_*
    // 0, or what `state` becomes with the last thread: then no thread can be added. FROZEN can still
    // become another while threads are left (is_ending is false).
    u32 end_state GUARDED_BY(&lock);
    bool is_ending GUARDED_BY(&lock);
    i32 exit_status GUARDED_BY(&lock);
    u32 thread_count GUARDED_BY(&lock);
    struct list threads GUARDED_BY(&lock);
    struct list told GUARDED_BY(&lock); // threads that were killed
};

struct process *process_current(void); // nullptr on kernel threads
// With an empty address space, or (template) a copy-on-write twin of another's.
status_t process_create(struct namespace *ns, struct process *from_template, struct process **out);
// First thread; `bootstrap` is a handle of the current process that moves into it; its value there
// goes to rdi (0: start->arg[0] does). BAD_STATE.
status_t process_start(struct process *process, const struct arch_user_start *start,
                       handle_t bootstrap);
// Ends all threads; `state` CL_PROCESS_STATE_KILLED, _CRASHED or _EXITED, with a status.
void process_end(struct process *process, u32 state, i32 exit_status);

u32 process_state(struct process *process);
// From one state to another, unless it has another or is to end.
bool process_state_change(struct process *process, u32 from, u32 to);

// For thread_object.c: a thread, not started yet; false when the process is ending.
bool process_thread_add(struct process *process, struct thread_object *thread);
// The current thread ends; with the last one the process does.
void process_thread_ended(struct process *process, struct thread_object *thread);
