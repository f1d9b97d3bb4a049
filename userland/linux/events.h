// The container's event thread: one thread of the personality that is nobody's Linux thread. It
// waits for what comes from outside (messages on channels) and for points in time, so that no
// Linux thread has to look again and again.
// Rules:
// - fire and ready run in the event thread, one at a time, without a lock: they must not block,
//   nor touch Linux memory; they may set and arm anything again;
// - a timer or watch is its owner's memory and must be cancelled before it is freed: after
//   event_timer_cancel or event_unwatch its function neither runs nor will run (called by the
//   function itself, it only will not run again);
// - a ready may come without a reason: look again. A watch reports once, then it must be armed
//   anew;
// - the thread is made when it is first needed: -ENOMEM or -EAGAIN when it can't be.
#pragma once

#include "abi/types.h"
#include "lib/list.h"
#include "lib/types.h"

struct event_timer {
    struct list node;
    u64 deadline_ns; // monotonic
    void (*fire)(struct event_timer *timer);
};

struct event_watch {
    struct list node;
    void (*ready)(struct event_watch *watch, u32 observed);
};

void event_timer_init(struct event_timer *timer, void (*fire)(struct event_timer *timer));
// Also when it is set already. DEADLINE_NEVER: as event_timer_stop.
int event_timer_set(struct event_timer *timer, u64 deadline_ns);
// Takes it back without waiting for a fire that runs just now.
void event_timer_stop(struct event_timer *timer);
void event_timer_cancel(struct event_timer *timer);

void event_watch_init(struct event_watch *watch,
                      void (*ready)(struct event_watch *watch, u32 observed));
// Reports the first of these signals of a channel or other object. Nothing when it is armed.
int event_watch_arm(struct event_watch *watch, handle_t object, u32 signals);
void event_unwatch(struct event_watch *watch);
