// Events: all that an event is, every object has; these calls let users set it.
#include "kernel/handlers.h"
#include "object/handle.h"
#include "object/namespace.h"

const struct object_ops event_object_ops = {};

status_t sys_event_create(struct namespace *ns, struct object **event) {
    *event = object_alloc(ns, OBJ_EVENT, sizeof(**event));
    if (!*event) return ERR_NO_RESOURCES;
    object_publish(*event);
    return OK;
}

status_t sys_event_signal(struct object *event, u32 clear, u32 set) {
    object_signal(event, clear, set);
    return OK;
}

// ---- waiting for one object ----

status_t sys_object_wait(struct object *object, u32 signals, u32 flags, u64 deadline_ns,
                         u32 *observed) {
    for (;;) {
        lock_acquire(&object->lock);
        *observed = object->signals & signals;
        bool is_dead = object_is_dead(object);
        if (*observed || is_dead) {
            lock_release(&object->lock);
            return *observed ? OK : ERR_DEAD;
        }
        status_t status = waitq_block(&object->waiters, &object->lock, deadline_ns, flags);
        if (status != OK) return status;
    }
}
