// The timers of a process: the three interval timers, POSIX timers, and the limit of its processor
// time. They are made when the first one is set.
// Rules:
// - times of the real kind are monotonic; processor time is the process's own, and looked at by its
//   thread alone: a timer of the container kicks that thread when it could be time;
// - all is guarded by tasks.lock; events.lock is below it.
#pragma once

#include "linux/events.h"
#include "linux/process.h"
#include "linux/signal.h"

enum { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF, ITIMERS };

// Armed when the deadline is not 0.
struct timer_times {
    u64 deadline_ns;
    u64 interval_ns; // 0: once
};

// Passes the deadlines up to now, on the grid of the interval; returns how many.
u64 timer_times_forward(struct timer_times *times, u64 now_ns);

struct posix_timer {
    struct list node; // of process_timers.posix
    i32 id;
    u32 clock;
    u32 notify; // SIGEV_*
    i32 signal;
    u64 value;
    struct timer_times times;
    u64 overrun;     // of the last delivery
    bool is_waiting; // its signal is pending: goes on when that is taken
    struct event_timer event;
    struct process *process;
};

struct process_timers {
    struct process *process;
    struct timer_times interval[ITIMERS];
    struct event_timer real;
    bool real_is_waiting;   // has expired: goes on when SIGALRM is taken
    struct event_timer cpu; // looks at processor time
    struct list posix;
    i32 next_id;
};

// The caller's own; made if need be. NULL: no memory.
struct process_timers *timers_need(struct process *process) EXCLUDES(&tasks.lock);
struct process_timers *timers_need_locked(struct process *process) REQUIRES(&tasks.lock);
// At the end of a process.
void timers_release(struct process *process) EXCLUDES(&tasks.lock);
// execve keeps interval timers only, and nothing that POSIX timers have sent.
void timers_exec(struct process *process) EXCLUDES(&tasks.lock);

// Sets an interval timer; a deadline of the clock it runs by, 0 to stop it.
int timers_set_interval(struct process *process, u32 which, const struct timer_times *times,
                        struct timer_times *old) EXCLUDES(&tasks.lock);
struct timer_times timers_interval(struct process *process, u32 which) EXCLUDES(&tasks.lock);
// What a timer runs by: monotonic time, or processor time.
u64 timers_now_ns(const struct process *process, u32 which);

// Has been taken: a periodic timer goes on, and says how often it ran over meanwhile.
void timers_signal_taken_locked(struct process *process, struct queued_signal *signal)
    REQUIRES(&tasks.lock);
// The caller's processor time is looked at, on the way back to Linux code.
void timers_check_cpu(struct process *process) EXCLUDES(&tasks.lock);
// Whether that is needed at all.
static inline bool timers_watch_cpu(const struct process *process) {
    return process->timers != NULL || process->limits[RLIMIT_CPU].current != ~0UL;
}

// Processor time of the calling process, all its threads.
u64 process_cpu_ns(const struct process *process);

// posix_timers.c
struct posix_timer *posix_timer_find_locked(struct process_timers *timers, i32 id)
    REQUIRES(&tasks.lock);
bool posix_timer_uses_cpu(const struct posix_timer *timer);
int posix_timer_create(struct process *process, struct posix_timer *timer) EXCLUDES(&tasks.lock);
int posix_timer_delete(struct process *process, i32 id) EXCLUDES(&tasks.lock);
void posix_timers_release(struct process_timers *timers) EXCLUDES(&tasks.lock);
// Starts it, or stops it with a deadline of 0.
int posix_timer_set_locked(struct posix_timer *timer, const struct timer_times *times)
    REQUIRES(&tasks.lock);
// Sends its signal and finds when it is next.
void posix_timer_expire_locked(struct posix_timer *timer, u64 now_ns) REQUIRES(&tasks.lock);
void posix_timer_taken_locked(struct posix_timer *timer, struct queued_signal *signal)
    REQUIRES(&tasks.lock);
