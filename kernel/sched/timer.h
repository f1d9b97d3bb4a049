// Kernel timers: call a function at a time.
//
// Rules:
// - A timer is embedded in its owner and sits in the heap of the CPU that armed it.
// - The callback runs in the timer interrupt, with no locks held; it must be short and may take
//   locks from LOCK_SIGNALS on.
// - ktimer_cancel() returns after a running callback has ended.
#pragma once

#include "lib/skew.h"

struct ktimer {
    struct skew_node node; // the heap's; its key is the deadline
    void (*callback)(struct ktimer *timer);
    u32 cpu_plus_one; // 0: not armed
};

static inline void ktimer_init(struct ktimer *timer, void (*callback)(struct ktimer *timer)) {
    *timer = (struct ktimer){.callback = callback};
}
// Arms on this CPU; must not be armed.
void ktimer_arm(struct ktimer *timer, u64 deadline_ns);
// Disarms; true if it had not fired.
bool ktimer_cancel(struct ktimer *timer);
// Called by sched/ in the timer interrupt; runs what is due.
void ktimer_run_due(u64 now_ns);
u64 ktimer_next_deadline_ns(void);
