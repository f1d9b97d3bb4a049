// Timers. Setting stops first (which waits for a running callback) and arms again, so the
// callback has the timer to itself; a periodic one re-arms in the callback.
#include "object/timer.h"

#include "arch/arch.h"
#include "kernel/handlers.h"
#include "object/handle.h"
#include "object/namespace.h"

enum : u64 { PERIOD_MIN_NS = 100'000 };

static void timer_fired(struct ktimer *ktimer) {
    struct timer *timer = container_of(ktimer, struct timer, ktimer);
    object_signal(&timer->base, 0, SIGNAL_SIGNALED);
    u64 period_ns = __atomic_load_n(&timer->period_ns, __ATOMIC_RELAXED), next_ns;
    if (period_ns == 0 || __builtin_add_overflow(ktimer->node.key, period_ns, &next_ns)) return;
    // Late by more than a period: the beats that were missed are not made up.
    next_ns = max(next_ns, arch_time_ns());
    ktimer_arm(ktimer, next_ns);
}

// A periodic timer re-arms while it runs: until neither is so.
static void timer_stop_locked(struct timer *timer) REQUIRES(&timer->set_lock) {
    __atomic_store_n(&timer->period_ns, 0, __ATOMIC_RELAXED);
    while (ktimer_cancel(&timer->ktimer))
        ;
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

status_t sys_timer_set(struct timer *timer, u64 deadline_ns, u64 period_ns) {
    if (period_ns != 0 && period_ns < PERIOD_MIN_NS) return ERR_OUT_OF_RANGE;
    lock_acquire(&timer->set_lock);
    timer_stop_locked(timer);
    object_signal(&timer->base, SIGNAL_SIGNALED, 0);
    if (deadline_ns != CL_DEADLINE_NEVER && !object_is_dead(&timer->base)) {
        __atomic_store_n(&timer->period_ns, period_ns, __ATOMIC_RELAXED);
        ktimer_arm(&timer->ktimer, deadline_ns);
    }
    lock_release(&timer->set_lock);
    return OK;
}

static void timer_stop(struct object *object) {
    struct timer *timer = (struct timer *)object;
    lock_acquire(&timer->set_lock);
    timer_stop_locked(timer);
    lock_release(&timer->set_lock);
}

static void timer_free(struct object *object) {
    timer_stop(object);
    ledger_count_sub(&object->ns->ledger, LEDGER_TIMERS, 1);
}

const struct object_ops timer_object_ops = {
    .close = timer_stop,
    .free = timer_free,
};
