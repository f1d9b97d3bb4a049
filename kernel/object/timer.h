// Timers: SIGNALED at a time, once or with a period.
//
// Rules:
// - Closing its last handle stops it.
#ifndef OBJECT_TIMER_H
#define OBJECT_TIMER_H

#include "object/object.h"
#include "sched/timer.h"

struct timer {
    struct object base;
    struct lock set_lock; // rank LOCK_OBJECT: one setter at a time
    struct ktimer ktimer;
    u64 period_ns; // atomic; of the running setting
};

#endif
