// Threads as objects.
//
// Rules:
// - A running thread keeps a reference to itself and to its process; both go when it has left its
//   stack for ever.
#pragma once

#include "object/channel.h"
#include "object/object.h"
#include "sched/thread.h"

struct process;

// The most that a call can cost its caller beyond what that does itself: a server need not be its friend.
enum : u64 { CALL_BILL_NS = 10'000'000 };

struct thread_object {
    struct object base;
    struct thread thread;
    struct process *process;      // with a reference; constant
    struct aspace *restricted;    // bound, with a reference; of the thread itself
    struct list process_link;     // under process->lock
    struct arch_user_start start; // constant
    bool is_counted;              // in LEDGER_THREADS
    void *vector;                 // state area, on the heap; none for kernel threads
    struct channel_caller caller; // its call in progress
};

// The running thread's object; nullptr on kernel threads.
struct thread_object *thread_object_current(void);
// Makes a thread of `process` that starts in user mode, or (nullptr) of the kernel, which calls `ip`.
// Not running yet.
status_t thread_object_create(struct process *process, const struct arch_user_start *start,
                              struct thread_object **out);
// False when the process takes no thread any more; what was made goes with the last reference.
bool thread_object_start(struct thread_object *thread);
// A kernel thread (the reaper): charged to the root namespace.
status_t thread_kernel_create(void (*entry)(void *), void *argument);
