// Signals: sending, masks, and delivery on the way back to Linux code.
#pragma once

#include "lib/list.h"
#include "lib/mutex.h"
#include "linux/abi.h"
#include "linux/process.h"

struct posix_timer;
struct thread;

static inline u64 signal_bit(i32 signal) { return 1UL << (signal - 1); }

enum : u64 { SIGNALS_UNBLOCKABLE = 1UL << (SIGKILL - 1) | 1UL << (SIGSTOP - 1) };
enum { SIGNAL_REALTIME_FIRST = 32 };

enum {
    SIGNAL_FROM_OUTSIDE = 1, // of the container: SIGKILL and SIGSTOP reach the first process too
};

// What a receiver is told: the fields of siginfo. An entry of process->queued.
struct queued_signal {
    struct list node;
    i32 signal;
    i32 code;
    i32 error;
    i32 pid; // of the sender; of a timer: its id
    u32 uid; // of the sender; of a timer: how often it ran over
    u32 traits;
    union {
        u64 value; // sent along
        i32 status;
    };
    u64 utime; // of a child, in hundredths of a second
    u64 stime;
    u64 address;               // of a fault
    struct posix_timer *timer; // that sent it; NULL: none
    bool is_counted;           // in tasks.signals_queued
};

// Sends to a process; it is the sender's to know that it exists. What can't be queued arrives
// without details. -EAGAIN: a real-time signal that there is no room for, sent with a value.
void signal_send(struct process *process, const struct queued_signal *signal) EXCLUDES(&tasks.lock);
int signal_send_locked(struct process *process, const struct queued_signal *signal)
    REQUIRES(&tasks.lock);
// A signal that the calling thread sends.
struct queued_signal signal_from(const struct thread *thread, i32 signal, i32 code);
// Sends it if it may: -EPERM, or as signal_send_locked. Signal 0 is only the question.
i64 signal_try_locked(const struct thread *thread, struct process *target,
                      const struct queued_signal *signal) REQUIRES(&tasks.lock);
void signal_send_thread(struct thread *thread, const struct queued_signal *signal)
    EXCLUDES(&tasks.lock);
// A fault of the calling thread: delivered even if blocked or ignored, then with the default action.
void signal_force(struct thread *thread, const struct queued_signal *signal) EXCLUDES(&tasks.lock);

// Has every thread look at what there is to do before it goes on.
void process_attend_locked(struct process *process) REQUIRES(&tasks.lock);
// Drops what is pending of these signals.
void signal_discard_locked(struct process *process, u64 mask) REQUIRES(&tasks.lock);
// Drops what timers have sent.
void signal_discard_timers_locked(struct process *process) REQUIRES(&tasks.lock);
// Takes the next one that `blocked` does not hold back; false when there is none.
bool signal_take_locked(struct process *process, u64 blocked, struct queued_signal *out)
    REQUIRES(&tasks.lock);
struct linux_sigaction signal_action_locked(const struct process *process, i32 signal)
    REQUIRES(&tasks.lock);
bool signal_is_ignored_locked(const struct process *process, const struct queued_signal *signal)
    REQUIRES(&tasks.lock);

enum signal_default { DEFAULT_END, DEFAULT_IGNORE, DEFAULT_STOP, DEFAULT_CONTINUE };
enum signal_default signal_default(i32 signal);

// Stopping: marks the process and tells its parent; its threads stay in process_stay_stopped until
// it is continued or killed.
void process_stop_locked(struct process *process, i32 signal) REQUIRES(&tasks.lock);
void process_stay_stopped(struct thread *thread) EXCLUDES(&tasks.lock);
// Ends a stop, if there is one, and tells the parent.
void process_continue_locked(struct process *process) REQUIRES(&tasks.lock);
// The same without telling: it runs on only to die.
void process_unstop_locked(struct process *process) REQUIRES(&tasks.lock);

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

void siginfo_fill(struct linux_siginfo *info, const struct queued_signal *signal);

// Builds a handler's frame on the Linux stack and points the registers at the handler. -EFAULT when
// the stack can't take it.
int signal_frame_push(struct thread *thread, const struct linux_sigaction *action,
                      const struct queued_signal *signal, u64 mask);
