// Processes: an address space and a handle table, in one namespace for life.
//
// Rules:
// - A process ends when its last thread has ended: its handles are closed, its address space
//   emptied, TERMINATED is signalled. It can be asked for its status until its handles are gone.
// - A frozen process is a template: no threads, no handles, an address space nobody changes.
#ifndef OBJECT_PROCESS_H
#define OBJECT_PROCESS_H

#include "object/aspace.h"
#include "object/handle.h"
#include "object/thread_object.h"

struct process {
    struct object base;
    struct aspace *aspace; // constant, with a reference
    struct handle_table handles;
    // constant once set by fixup_register and process_freeze:
    u64 fixup_start, fixup_end, fixup_handler;
    u64 template_entry, template_stack;

    struct lock lock; // rank LOCK_PROCESS
    u32 state GUARDED_BY(&lock); // CL_PROCESS_STATE_*
    i32 exit_status GUARDED_BY(&lock);
    u32 thread_count GUARDED_BY(&lock);
    bool is_ending GUARDED_BY(&lock); // no new threads
    struct list threads GUARDED_BY(&lock);
};

struct process *process_current(void); // nullptr on kernel threads
status_t process_create(struct namespace *ns, struct process **out);
// First thread. `slot` is moved into the process's table (nullptr: none). BAD_STATE.
status_t process_start(struct process *process, const struct arch_user_start *start,
                       struct handle *slot);
// Ends all threads; `state` CL_PROCESS_STATE_KILLED or _CRASHED, or _EXITED with a status.
void process_end(struct process *process, u32 state, i32 exit_status);

#endif
