// Who waits for something of a container's: calls that are answered later, and channel ends that
// get a message when it has ended.
// Rules:
// - a waiter has a container, and is in its list until it is told;
// - there are WAITERS_MAX at a time, for all containers.
#pragma once

#include "lib/list.h"
#include "lib/manager_protocol.h"

struct container;

enum { WAITERS_MAX = 512 };

enum waiter_kind : u32 {
    WAITER_END,    // a call, for the end of the first process
    WAITER_GONE,   // a call, for the last page
    WAITER_NOTIFY, // a channel end, for the end of the first process
    WAITER_REPORT, // a call, for the report DONE of request `id`
    WAITER_EXEC,   // a channel end, for the end of what EXEC `id` has started
};

struct waiter {
    struct list link;
    enum waiter_kind kind;
    u32 id;
    handle_t notify; // of those that are a channel end
    u64 token;       // of those that are a call
};

// NULL: there are too many. The caller fills in token or notify.
struct waiter *waiter_add(struct container *container, enum waiter_kind kind);
// The one of this kind and id, or NULL.
struct waiter *waiter_find(struct container *container, enum waiter_kind kind, u32 id);
// Tells one that is a channel end.
void waiter_notify(struct waiter *waiter, const struct manager_end *end);
void waiter_free(struct waiter *waiter);
// Answers one that is a call, with an error.
void waiter_refuse(struct waiter *waiter, const char *problem);

// Forgets all, without telling them.
void waiters_drop(struct container *container);

// What those who wait for its end are told, taken while there is a container to ask.
struct ending {
    struct list waiters;
    struct manager_container facts;
    struct manager_end end;
};

// Takes those who wait for the end of the first process; ending_take_gone: all.
void ending_take(struct ending *ending, struct container *container);
void ending_take_gone(struct ending *ending, struct container *container);
// Tells them. They may count the machine's pages next, so that nothing is given back after this.
void ending_tell(struct ending *ending);
