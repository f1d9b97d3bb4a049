// Signals: sending, masks, and delivery on the way back to Linux code.
#pragma once

#include "lib/list.h"
#include "lib/mutex.h"
#include "linux/abi.h"
#include "linux/process.h"

struct thread;

static inline u64 signal_bit(i32 signal) { return 1UL << (signal - 1); }

// What a receiver is told. An entry of process->queued.
struct queued_signal {
    struct list node;
    i32 signal;
    i32 code;
    i32 pid;
    u32 uid;
    i32 status;
    u64 address;
};

// Sends to a process; it is the sender's to know that it exists. Never fails: what can't be queued
// arrives without details.
void signal_send(struct process *process, const struct queued_signal *signal) EXCLUDES(&tasks.lock);
void signal_send_locked(struct process *process, const struct queued_signal *signal)
    REQUIRES(&tasks.lock);
void signal_send_thread(struct thread *thread, const struct queued_signal *signal)
    EXCLUDES(&tasks.lock);
// A fault of the calling thread: delivered even if blocked or ignored, then with the default action.
void signal_force(struct thread *thread, const struct queued_signal *signal) EXCLUDES(&tasks.lock);

// Whether there is one to deliver to this thread, which is the calling one.
bool signal_is_pending(struct thread *thread);
bool signal_is_killed(struct thread *thread);

// Called before going back to Linux code: delivers what is pending. `result_is_restart` says that
// state.rax holds a restart error of an interrupted call.
void signal_deliver(struct thread *thread);

// Handlers are the old program's; ignored signals stay ignored.
void signal_actions_reset(struct process *process) EXCLUDES(&tasks.lock);
struct signal_actions *signal_actions_copy_locked(struct process *process) REQUIRES(&tasks.lock);

// Changes the calling thread's mask, and has what is pending looked at again.
void thread_set_blocked(struct thread *thread, u64 mask);

// Builds a handler's frame on the Linux stack and points the registers at the handler. -EFAULT when
// the stack can't take it.
int signal_frame_push(struct thread *thread, const struct linux_sigaction *action,
                      const struct queued_signal *signal, u64 mask);
