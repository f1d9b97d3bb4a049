// Timers. Setting stops first (which waits for a running callback) and arms again, so the
// callback has the timer to itself.
#include "object/timer.h"

#include "arch/arch.h"
#include "kernel/handlers.h"
#include "object/handle.h"
#include "object/namespace.h"

static void timer_fired(struct ktimer *ktimer) {
    object_signal(&container_of(ktimer, struct timer, ktimer)->base, 0, SIGNAL_SIGNALED);
}

status_t sys_timer_create(struct namespace *ns, struct timer **out) {
    if (ledger_count_add(&ns->ledger, LEDGER_TIMERS, 1) != OK) return ERR_NO_RESOURCES;
    struct timer *timer = object_alloc(ns, OBJ_TIMER, sizeof(*timer));
    if (!timer) {
        ledger_count_sub(&ns->ledger, LEDGER_TIMERS, 1);
        return ERR_NO_RESOURCES;
    }
    lock_init(&timer->set_lock, LOCK_OBJECT);
    ktimer_init(&timer->ktimer, timer_fired);
    object_publish(&timer->base);
    *out = timer;
    return OK;
}

status_t sys_timer_set(struct timer *timer, u64 deadline_ns) {
    lock_acquire(&timer->set_lock);
    ktimer_cancel(&timer->ktimer);
    object_signal(&timer->base, SIGNAL_SIGNALED, 0);
    if (deadline_ns != CL_DEADLINE_NEVER && !object_is_dead(&timer->base))
        ktimer_arm(&timer->ktimer, deadline_ns);
    lock_release(&timer->set_lock);
    return OK;
}

static void timer_stop(struct object *object) {
    (void)sys_timer_set((struct timer *)object, CL_DEADLINE_NEVER);
}

static void timer_free(struct object *object) {
    timer_stop(object);
    ledger_count_sub(&object->ns->ledger, LEDGER_TIMERS, 1);
}

const struct object_ops timer_object_ops = {
    .close = timer_stop,
    .free = timer_free,
};
