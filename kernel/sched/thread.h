// Threads, as the scheduler sees them.
//
// Rules:
// - Each CPU has a run queue; a thread is on one CPU's at most, and is switched to from there or
//   handed the CPU directly.
// - A thread that was switched away from may be made runnable before its CPU has left its stack;
//   nobody switches to it before (arch_thread_on_cpu).
// - `pending` is set by anybody; the thread itself acts on it before it returns to user mode.
#pragma once

#include "arch/arch.h"
#include "sched/group.h"
#include "sched/timer.h"
#include "sched/waitq.h"

enum thread_state : u32 { THREAD_RUNNABLE, THREAD_RUNNING, THREAD_BLOCKED, THREAD_ENDED };
// One word says both that a thread waits and whether kicks end that wait: a kick that comes late
// finds the next wait, not what it was meant for.
enum wait_state : u32 { WAIT_NONE, WAIT_WAITING, WAIT_KICKABLE, WAIT_CLAIMED };
enum : u32 { THREAD_KILL = 1 << 0 }; // pending

struct thread {
    struct arch_thread arch; // first: assembly knows it
    u32 state;               // enum thread_state
    u32 cpu;                 // whose run queue
    u32 pending;             // atomic
    u32 kick;                // atomic; sticky; ends a restricted run or a wait, and is consumed
    u32 is_idle;
    u32 is_relieving;           // gives pages back, which is not begun again meanwhile
    u32 relief;                 // CPU_WORK_RELIEF, while it does not run
    struct sched_group *group;  // constant
    struct sched_entity entity; // under the run queue's lock
    u32 queue_cpu;              // whose virtual time the entity has; under the run queue's lock
    u64 started_ns;             // when it was last switched to
    u64 debt_ns;                // what it has run and is not charged for yet; its own
    u64 run_ns;                 // processor time used before
    u64 charged_ns;             // what of it was charged
    u64 let_on_ns;              // when it had last slept for a cap
    // For whom it works now (atomic; nullptr: its own group), on that group's list; and what it had
    // run and was charged before, less what others did for it since.
    struct sched_group *works_for;
    struct list work_link;
    u64 work_run_ns;
    u64 work_charged_ns;
    // Waiting:
    u32 wait_state;        // atomic; WAIT_WAITING or _KICKABLE → WAIT_CLAIMED by exactly one
    struct list wait_link; // under the lock of the queue's owner
    status_t wait_status;
    struct ktimer wait_timer;
    // Message in hand, for channels (object/ only):
    void *ipc;
    // Called on another stack when the thread has left its own for ever.
    void (*ended)(struct thread *thread);
    // Called by the thread itself, without locks, when it is to end; does not return.
    void (*killed)(struct thread *thread);
};

static inline struct thread *thread_current(void) { return arch_current_thread(); }

// Boot CPU, then each other CPU: makes the run queue and the idle thread; the boot context
// becomes the idle thread.
void sched_init_cpu(void);
// The idle loop.
NORETURN void sched_idle(void);

// Prepares a thread that will run entry(argument); not runnable yet. The stack is the caller's.
void thread_init(struct thread *thread, struct sched_group *group, u64 stack_top, void *vector,
                 void (*entry)(void *), void *argument);
// Puts a thread that is not waiting onto a run queue.
void sched_make_runnable(struct thread *thread);
// Gives up the CPU; stays runnable.
void sched_yield(void);
// For waitq.c: the current thread has published its wait: runs others until it is claimed and its
// turn comes. `next`, claimed by the caller, gets this CPU at once.
void sched_block(struct thread *next);
// Ends the current thread; `ended` is called on the next thread's stack.
NORETURN void thread_end(void);
// Between steps of long work, no locks held: lets interrupts in and others run.
void sched_preempt_point(void);
// True if the current thread is to end: long work may stop, waits end with DEAD.
bool thread_is_killed(void);
// Marks, wakes and interrupts a thread so that it ends soon. Idempotent.
void thread_kill(struct thread *thread);
// Sticky kick (see restricted mode and WAIT_INTERRUPTIBLE).
void thread_kick(struct thread *thread);
// The current thread, which works for nobody, works for another group, which is there now; its own is
// none.
void sched_work_begin(struct sched_group *group);
// Its end, or nothing: what the current thread has run and was charged for goes over to that group, at
// most so much of it. `caller` was claimed (see waitq.h) and gets the CPU next; or nullptr. What goes
// over to its group is a part of what it does, if it works for a third.
void sched_work_end(struct thread *caller, u64 most_ns);
// Processor time used so far, of any thread.
u64 thread_run_ns(const struct thread *thread);
