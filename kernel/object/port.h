// Ports: waiting for many things.
//
// Rules:
// - A registration is on the object's list of observers and in the port's index, by key. It holds
//   no reference to either: whichever goes first takes it out of both. It is paid by the port.
// - Level-triggered: what is ready stays in the port's queue until a wait finds that the object
//   has none of the signals any more. One that was reported goes to the queue's end.
// - Lock order: object->lock, then port->lock. An object whose registration is found under the
//   port's lock can't be freed meanwhile, for it would have to take the registration out first.
#pragma once

#include "lib/index.h"
#include "object/revoker.h"

struct port_registration {
    struct port *port;
    struct object *object;
    struct list observer_link; // under object->lock
    struct index_node by_key;  // under port->lock, like the rest
    struct list ready_link;
    u32 signals;
    u32 flags; // CL_PORT_*
    struct revocable revocable;
};

struct port {
    struct object base;
    struct lock lock; // rank LOCK_PORT
    bool is_closed GUARDED_BY(&lock);
    struct index registrations GUARDED_BY(&lock);
    struct list ready GUARDED_BY(&lock); // struct port_registration
    struct waitq waiters GUARDED_BY(&lock);
};

// For object.c. An object has got new signals; `signals` are all that it has.
void port_observers_notify(struct object *object, u32 signals) REQUIRES(&object->lock);
// Ends all registrations of an object that dies or is freed.
void port_observers_drop(struct object *object);
