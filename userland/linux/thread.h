// One Linux thread: one kernel thread of the personality, with a stack of its own and this block at
// the top of it.
// Rules:
// - only the thread itself touches its registers and what is not marked otherwise;
// - `attention` is set by others, together with a kick, when there may be a signal to deliver.
#pragma once

#include "abi/types.h"
#include "lib/list.h"
#include "linux/abi.h"
#include "linux/copy.h"

struct process;
struct thread;

// A call that restart_syscall goes on with.
struct call_restart {
    i64 (*resume)(struct thread *thread); // NULL: none
    u64 deadline_ns;
    linux_ptr pointer;
    u32 count;
};

enum {
    THREAD_STACK_BYTES = 16 << 10,  // of the personality, this block included
    THREAD_STRIDE_BYTES = 32 << 10, // the rest is never mapped: a guard
    THREAD_VECTOR_GAP_BYTES = 64,   // between a block and a vector state left for the thread
};

struct thread {
    struct cl_restricted_state state;
    struct process *process;
    i32 tid;
    handle_t handle; // of the kernel thread, for kicks
    u64 call_number; // of the call that is running, for a restart
    u64 fs_base;     // of a thread that has not started yet
    u64 gs_base;
    void *vector_area; // the parent's vector state, until the thread has loaded it; may be NULL
    linux_ptr clear_tid;
    linux_ptr robust_list;
    struct linux_stack signal_stack;
    struct call_restart restart;
    i32 ends_with;     // the wait status that the process ends with at the next chance; 0: none
    u64 saved_blocked; // to be restored after a sigsuspend
    bool restores_blocked;
    bool sets_tid;   // a new thread stores its id at clear_tid
    bool clears_tid; // its end stores 0 there and wakes who waits for that

    // any thread:
    u32 wake_word; // what the thread sleeps on; counts wakes
    u32 attention; // atomic
    u32 stack_in_use;

    // under tasks.lock:
    u64 blocked;        // signals; read by the thread itself without the lock, as only it writes
    u64 really_blocked; // in sigtimedwait: the mask without what it waits for; else 0
    struct list in_process;
};

// A stack with its block, or NULL. thread_free is for one that never ran.
struct thread *thread_alloc(void);
void thread_free(struct thread *thread);
// Gives the pages of free stacks back, but for a few.
void threads_trim(void);
void *thread_stack_top(struct thread *thread);

// The calling thread, found by its stack.
struct thread *thread_current(void);

// Runs Linux code until the thread ends.
[[noreturn]] void thread_loop(struct thread *thread);
// Entry of a new kernel thread: its argument is the struct thread.
[[noreturn]] void thread_main(void *argument);
// Ends the calling thread, its block and stack.
[[noreturn]] void thread_end(struct thread *thread);
