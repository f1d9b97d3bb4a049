// Timers: SIGNALED at a time. Whoever wants a period sets it again.
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
};
