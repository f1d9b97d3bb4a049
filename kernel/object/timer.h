// Timers: SIGNALED at a time, once or with a period.
//
// Rules:
// - Closing its last handle stops it.
#pragma once

#include "object/object.h"
#include "sched/timer.h"

struct timer {
    struct object base;
    struct lock set_lock; // rank LOCK_OBJECT: one setter at a time
    struct ktimer ktimer;
    u64 period_ns; // atomic; of the running setting
};
