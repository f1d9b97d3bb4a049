// Ports. A registration is unlinked from its object first, then from its port, by whoever finds
// it on the object's list under the object's lock; that one frees it.
#include "object/port.h"

#include "kernel/handlers.h"
#include "object/namespace.h"

static struct port_registration *registration_of(struct index_node *node) {
    return container_of(node, struct port_registration, by_key);
}

// ---- signals ----

static void ready_add_locked(struct port *port, struct port_registration *registration)
    REQUIRES(&port->lock) {
    if (!list_empty(&registration->ready_link)) return;
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

// Out of the port too; the object's lock is held, or the caller has taken it off the object.
static void registration_unlink(struct port_registration *registration) {
    struct port *port = registration->port;
    list_remove(&registration->observer_link);
    lock_acquire(&port->lock);
    index_remove(&port->registrations, &registration->by_key);
    list_remove(&registration->ready_link);
    lock_release(&port->lock);
}

static void registration_free(struct port_registration *registration) {
    revocable_unlink(&registration->revocable);
    heap_free(registration);
}

void port_observers_drop(struct object *object) {
    for (;;) {
        lock_acquire(&object->lock);
        struct port_registration *registration =
            list_first(&object->observers, struct port_registration, observer_link);
        if (registration) registration_unlink(registration);
        lock_release(&object->lock);
        if (!registration) return;
        registration_free(registration);
    }
}

// Which registration of a port to end: that of a key, one that was reported, one of a revoker,
// or any.
struct choice {
    enum { CHOOSE_KEY, CHOOSE_REPORTED, CHOOSE_REVOKER, CHOOSE_ANY } by;
    u64 key;
    const struct revoker *revoker;
};

// Recursion is at most 64 deep (lib/index.h).
static struct index_node *node_of_revoker(struct index_node *node, const struct revoker *revoker) {
    while (node) {
        if (registration_of(node)->revocable.revoker == revoker) return node;
        struct index_node *found = node_of_revoker(node->child[0], revoker);
        if (found) return found;
        node = node->child[1];
    }
    return nullptr;
}

static struct index_node *choose_locked(struct port *port, const struct choice *choice)
    REQUIRES(&port->lock) {
    if (choice->by == CHOOSE_REVOKER)
        return node_of_revoker(port->registrations.root, choice->revoker);
    if (choice->by == CHOOSE_ANY) return index_any(&port->registrations);
    struct index_node *node = index_find(&port->registrations, choice->key);
    // A reported one waits for nothing more; else the key has been taken anew.
    bool is_other = node && choice->by == CHOOSE_REPORTED && registration_of(node)->signals != 0;
    return is_other ? nullptr : node;
}

// Ends one registration from the port's side; false: there is none. The object is referenced under
// the port's lock and locked before the port, so the choice is made again. An object that is being
// freed (its last reference is gone) ends its registrations itself, right now.
static bool registration_end(struct port *port, const struct choice *choice) {
    bool is_done = false;
    while (!is_done) {
        lock_acquire(&port->lock);
        struct index_node *node = choose_locked(port, choice);
        struct object *object = node ? registration_of(node)->object : nullptr;
        bool is_held = object && object_tryget(object);
        lock_release(&port->lock);
        if (!object) return false;
        arch_spin_poll();
        if (!is_held) continue;
        struct port_registration *registration = nullptr;
        lock_acquire(&object->lock);
        lock_acquire(&port->lock);
        node = choose_locked(port, choice);
        if (node && registration_of(node)->object == object) registration = registration_of(node);
        lock_release(&port->lock);
        if (registration) registration_unlink(registration);
        lock_release(&object->lock);
        if (registration) registration_free(registration);
        object_put(object);
        is_done = registration != nullptr;
    }
    return true;
}

static void registrations_end_all(struct port *port, const struct choice *choice) {
    while (registration_end(port, choice))
        sched_preempt_point();
}

static void port_revoke(struct object *owner, struct revoker *revoker) {
    struct choice choice = {.by = CHOOSE_REVOKER, .revoker = revoker};
    registrations_end_all((struct port *)owner, &choice);
}

static void port_close(struct object *object) {
    struct port *port = (struct port *)object;
    struct choice choice = {.by = CHOOSE_ANY};
    lock_acquire(&port->lock);
    port->is_closed = true;
    waitq_wake_all(&port->waiters, OK);
    lock_release(&port->lock);
    registrations_end_all(port, &choice);
}

static bool port_kill(struct object *object) {
    port_close(object);
    return true;
}

const struct object_ops port_object_ops = {
    .unhandled = port_close,
    .kill = port_kill,
    .free = port_close,
};

// ---- system calls ----

status_t sys_port_create(struct namespace *ns, struct port **out) {
    struct port *port = object_alloc(ns, OBJ_PORT, sizeof(*port));
    if (!port) return ERR_NO_RESOURCES;
    lock_init(&port->lock, LOCK_PORT);
    lock_acquire(&port->lock);
    list_init(&port->ready);
    waitq_init(&port->waiters);
    lock_release(&port->lock);
    object_publish(&port->base);
    *out = port;
    return OK;
}

// Puts a registration into both places; what the object signals already is ready at once.
static status_t registration_link(struct port_registration *registration) {
    struct port *port = registration->port;
    struct object *object = registration->object;
    lock_acquire(&object->lock);
    lock_acquire(&port->lock);
    status_t status = port->is_closed || object_is_dead(object) ? ERR_DEAD : OK;
    if (status == OK && !index_insert(&port->registrations, &registration->by_key))
        status = ERR_ALREADY_EXISTS;
    if (status == OK) {
        list_insert_tail(&object->observers, &registration->observer_link);
        if (object->signals & registration->signals) ready_add_locked(port, registration);
    }
    lock_release(&port->lock);
    lock_release(&object->lock);
    return status;
}

status_t sys_port_register(struct port *port, const struct handle_info *object, u32 signals,
                           u64 key, u32 flags) {
    struct port_registration *registration =
        heap_alloc(&port->base.ns->ledger, sizeof(*registration));
    if (!registration) return ERR_NO_RESOURCES;
    registration->port = port;
    registration->object = object->object;
    registration->by_key.key = key;
    registration->signals = signals;
    registration->flags = flags;
    list_init(&registration->observer_link);
    list_init(&registration->ready_link);
    // First the revoker: a revocation that goes on now waits until it finds us in the port, or
    // until we have given up.
    status_t status =
        revocable_link(&registration->revocable, object->revoker, &port->base, port_revoke);
    if (status == OK) status = registration_link(registration);
    if (status != OK) registration_free(registration);
    return status;
}

status_t sys_port_unregister(struct port *port, u64 key) {
    struct choice choice = {.by = CHOOSE_KEY, .key = key};
    return registration_end(port, &choice) ? OK : ERR_NOT_FOUND;
}

// The next one that is really ready, moved to the end of the queue.
static struct port_registration *ready_next_locked(struct port *port, u32 *signals)
    REQUIRES(&port->lock) {
    struct port_registration *registration;
    while ((registration = list_take_first(&port->ready, struct port_registration, ready_link))) {
        *signals = __atomic_load_n(&registration->object->signals, __ATOMIC_RELAXED) &
                   registration->signals;
        if (*signals == 0) continue; // a new signal puts it back
        if (registration->flags & CL_PORT_ONCE)
            registration->signals = 0;
        else
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
            struct choice reported = {.by = CHOOSE_REPORTED, .key = registration->by_key.key};
            bool is_once = registration->flags & CL_PORT_ONCE;
            *key = reported.key;
            // What is still ready is for the next who waits; it was told of the first only.
            if (!list_empty(&port->ready)) waitq_wake_one(&port->waiters, OK);
            lock_release(&port->lock);
            if (is_once) (void)registration_end(port, &reported);
            return OK;
        }
        if (port->is_closed) {
            lock_release(&port->lock);
            return ERR_DEAD;
        }
        status_t status = waitq_block(&port->waiters, &port->lock, deadline_ns, flags);
        if (status != OK) return status;
    }
}
