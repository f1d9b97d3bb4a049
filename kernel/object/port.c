// Ports. Who takes a registration out of its port (claim_locked) finishes it, without that lock; for
// everybody else it has gone already.
#include "object/port.h"

#include "kernel/handlers.h"
#include "object/namespace.h"

enum : u32 { LOOKED_MAX = 64 };

// ---- signals ----

static void ready_add_locked(struct port *port, struct port_registration *registration)
    REQUIRES(&port->lock) {
    bool has_ended = list_empty(&registration->port_link);
    if (has_ended || !list_empty(&registration->ready_link)) return;
    list_insert_tail(&port->ready, &registration->ready_link);
    waitq_wake_one(&port->waiters, OK);
}

void port_observers_notify(struct object *object, u32 signals) {
    struct port_registration *registration;
    list_for_each(registration, &object->observers, observer_link) {
        struct port *port = registration->port;
        lock_acquire(&port->lock);
        if (registration->signals & signals) ready_add_locked(port, registration);
        lock_release(&port->lock);
    }
}

// ---- ending registrations ----

// False: another has it in hand already.
static bool claim_locked(struct port *port, struct port_registration *registration)
    REQUIRES(&port->lock) {
    if (list_empty(&registration->port_link)) return false;
    list_remove(&registration->port_link);
    list_remove(&registration->ready_link);
    index_remove(&port->by_key, &registration->by_key);
    return true;
}

// Of one that was claimed, or never linked. No locks.
static void registration_finish(struct port_registration *registration) {
    list_remove_under(&registration->object->lock, &registration->observer_link);
    revocable_unlink(&registration->revocable);
    object_put(registration->object);
    object_put(&registration->port->base);
    heap_free(registration);
}

void port_observers_drop(struct object *object) {
    struct port_registration *registration, *claimed;
    do {
        claimed = nullptr;
        lock_acquire(&object->lock);
        list_for_each(registration, &object->observers, observer_link) {
            struct port *port = registration->port;
            lock_acquire(&port->lock);
            if (claim_locked(port, registration)) claimed = registration;
            lock_release(&port->lock);
            if (claimed) break;
        }
        lock_release(&object->lock);
        if (claimed) registration_finish(claimed);
    } while (claimed);
}

static bool registration_end_locked(struct port *port, struct port_registration *registration)
    RELEASE(&port->lock) {
    if (registration) claim_locked(port, registration);
    lock_release(&port->lock);
    if (registration) registration_finish(registration);
    return registration != nullptr;
}

// Ends the registration under a key, if it is the revoker's (nullptr: anybody's); false: there is none.
static bool registration_end(struct port *port, u64 key, const struct revoker *revoker) {
    lock_acquire(&port->lock);
    struct index_node *node = index_find(&port->by_key, key);
    struct port_registration *registration =
        node ? container_of(node, struct port_registration, by_key) : nullptr;
    bool is_it = registration && (!revoker || registration->revocable.revoker == revoker);
    return registration_end_locked(port, is_it ? registration : nullptr);
}

static void port_revoke(struct object *owner, struct revoker *revoker, u64 key) {
    (void)registration_end((struct port *)owner, key, revoker);
}

static bool registration_end_first(struct port *port) {
    lock_acquire(&port->lock);
    return registration_end_locked(
        port, list_first(&port->registrations, struct port_registration, port_link));
}

static void port_close(struct object *object) {
    struct port *port = (struct port *)object;
    lock_acquire(&port->lock);
    port->is_closed = true;
    waitq_wake_all(&port->waiters, OK);
    lock_release(&port->lock);
    while (registration_end_first(port))
        sched_preempt_point();
}

const struct object_ops port_object_ops = {.close = port_close};

// ---- system calls ----

status_t sys_port_create(struct namespace *ns, struct port **out) {
    struct port *port = object_alloc(ns, OBJ_PORT, sizeof(*port));
    if (!port) return ERR_NO_RESOURCES;
    lock_init(&port->lock, LOCK_PORT);
    lock_acquire(&port->lock);
    list_init(&port->registrations);
    list_init(&port->ready);
    waitq_init(&port->waiters);
    lock_release(&port->lock);
    object_publish(&port->base);
    *out = port;
    return OK;
}

// As many as a signal tells in one go: a timer's in an interrupt, which is on nobody's account.
static bool is_crowded_locked(struct object *object) REQUIRES(&object->lock) {
    u32 count = 0;
    const struct port_registration *registration;
    list_for_each(registration, &object->observers, observer_link)
        count++;
    return count >= (object->type == OBJ_TIMER ? CL_TIMER_REGISTRATIONS_MAX : CL_REGISTRATIONS_MAX);
}

// Puts a registration into both places; what the object signals already is ready at once.
static status_t registration_link(struct port_registration *registration) {
    struct port *port = registration->port;
    struct object *object = registration->object;
    lock_acquire(&object->handles_lock);
    lock_acquire(&object->lock);
    lock_acquire(&port->lock);
    // Whoever closes the last handle, or kills, comes for the observers after that.
    bool is_open = object->handle_count != 0 && !object_is_dead(object) && !port->is_closed;
    status_t status = is_open ? OK : ERR_DEAD;
    if (status == OK && is_crowded_locked(object)) status = ERR_LIMIT;
    if (status == OK && !index_insert(&port->by_key, &registration->by_key))
        status = ERR_ALREADY_EXISTS;
    if (status == OK) {
        list_insert_tail(&port->registrations, &registration->port_link);
        list_insert_tail(&object->observers, &registration->observer_link);
        if (object->signals & registration->signals) ready_add_locked(port, registration);
    }
    lock_release(&port->lock);
    lock_release(&object->lock);
    lock_release(&object->handles_lock);
    return status;
}

status_t sys_port_register(struct port *port, const struct handle_info *object, u32 signals,
                           u64 key, u32 flags) {
    struct port_registration *registration =
        heap_alloc(&port->base.ns->ledger, sizeof(*registration));
    if (!registration) return ERR_NO_RESOURCES;
    object_get(&port->base);
    BREAK(REFERENCE, object_get(object->object), (void)0);
    registration->port = port;
    registration->object = object->object;
    registration->by_key.key = key;
    registration->signals = signals;
    registration->flags = flags;
    list_init(&registration->observer_link);
    list_init(&registration->port_link);
    list_init(&registration->ready_link);
    // First the revoker: a revocation that goes on now waits until it finds us in the port, or
    // until we have given up.
    status_t status =
        revocable_link(&registration->revocable, object->revoker, &port->base, key, port_revoke);
    if (status == OK) status = registration_link(registration);
    if (status != OK) registration_finish(registration);
    return status;
}

status_t sys_port_unregister(struct port *port, u64 key) {
    return registration_end(port, key, nullptr) ? OK : ERR_NOT_FOUND;
}

// The next one that is really ready, moved to the end of the queue; of a few that may be: who signals
// one of these objects waits for the lock.
static struct port_registration *ready_next_locked(struct port *port, u32 *signals)
    REQUIRES(&port->lock) {
    for (u32 looked = 0; looked < LOOKED_MAX && !list_empty(&port->ready); looked++) {
        struct port_registration *registration =
            list_take_first(&port->ready, struct port_registration, ready_link);
        *signals = object_signals(registration->object) & registration->signals;
        if (*signals == 0) continue; // a new signal puts it back
        list_insert_tail(&port->ready, &registration->ready_link);
        return registration;
    }
    return nullptr;
}

status_t sys_port_wait(struct port *port, u32 flags, u64 deadline_ns, u64 *key, u32 *signals) {
    for (;;) {
        lock_acquire(&port->lock);
        struct port_registration *registration = ready_next_locked(port, signals);
        if (registration) {
            *key = registration->by_key.key;
            bool is_once = registration->flags & CL_PORT_ONCE;
            if (is_once) claim_locked(port, registration);
            // What is still ready is for the next who waits; it was told of the first only.
            if (!list_empty(&port->ready)) waitq_wake_one(&port->waiters, OK);
            lock_release(&port->lock);
            if (is_once) registration_finish(registration);
            return OK;
        }
        bool is_more = !list_empty(&port->ready);
        if (is_more || port->is_closed) {
            lock_release(&port->lock);
            if (!is_more) return ERR_DEAD;
            sched_preempt_point();
            continue;
        }
        status_t status = waitq_block(&port->waiters, &port->lock, deadline_ns, flags);
        if (status != OK) return status;
    }
}
