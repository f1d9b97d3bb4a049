// Ports: waiting for many things.
//
// Rules:
// - A registration is on the object's list of observers and in the port. It keeps a reference to
//   both, and goes when either closes: with the last handle, or by death. It is paid by the port.
// - An object has at most CL_REGISTRATIONS_MAX (a timer CL_TIMER_REGISTRATIONS_MAX): a signal walks them with its lock held.
// - Level-triggered: what is ready stays in the port's queue until a wait finds that the object
//   has none of the signals any more. One that was reported goes to the queue's end.
// - Lock order: object->lock, then port->lock. Whoever takes a registration out of its port, under
//   the port's lock, ends it.
#pragma once

#include "lib/index.h"
#include "object/revoker.h"

struct port_registration {
    struct port *port;         // with a reference
    struct object *object;     // with a reference
    struct list observer_link; // under object->lock
    // under port->lock:
    struct list port_link;
    struct index_node by_key;
    struct list ready_link;
    u32 signals;
    u32 flags; // CL_PORT_*
    struct revocable revocable;
};

struct port {
    struct object base;
    struct lock lock; // rank LOCK_PORT
    bool is_closed GUARDED_BY(&lock);
    struct list registrations GUARDED_BY(&lock); // struct port_registration
    struct index by_key GUARDED_BY(&lock);       // of the same
    struct list ready GUARDED_BY(&lock);         // some of them
    struct waitq waiters GUARDED_BY(&lock);
};

// For object.c. An object has got new signals; `signals` are all that it has.
void port_observers_notify(struct object *object, u32 signals) REQUIRES(&object->lock);
// Ends all registrations of an object that closes or dies.
void port_observers_drop(struct object *object);
