// Who waits for something of a container's: calls that are answered later, and channel ends that
// get a message. And what its personality owes: a report for each request, whether somebody waits or not.
// Rules:
// - a waiter has a container, and is in its list until it is told;
// - there are so many of a kind for a container, in the manager's heap: no container takes another's.
#pragma once

#include "lib/list.h"
#include "lib/manager_protocol.h"

struct container;

enum waiter_kind : u32 {
    WAITER_END,    // an answer, at the end of the first process
    WAITER_GONE,   // an answer, at the last page
    WAITER_NOTIFY, // a manager_end, at the end of the first process
    WAITER_REPORT, // an answer, at the report DONE of request `id`
    WAITER_EXEC,   // a manager_end, at the end of what EXEC `id` has started
};

struct waiter {
    struct list link;
    enum waiter_kind kind;
    u32 id;
    handle_t channel; // that gets it
    u64 token;        // without a channel: of the call that is answered; 0: nobody waits
};

// NULL: there are too many. The caller fills in id, and token or channel.
struct waiter *waiter_add(struct container *container, enum waiter_kind kind);
// The one of this kind and id, or NULL.
struct waiter *waiter_find(struct container *container, enum waiter_kind kind, u32 id);
// Each tells, or forgets, and frees it.
void waiter_notify(struct waiter *waiter, const struct manager_end *end);
void waiter_answer(struct waiter *waiter, const struct manager_reply *reply, usize size_bytes);
void waiter_refuse(struct waiter *waiter, const char *problem);
void waiter_free(struct waiter *waiter);

// Those who were attached learn that they are not any more, but for the one that is now (or NULL).
void waiters_leave(struct container *container, const struct waiter *attached);

// What those who wait for its end are told, taken while there is a container to ask.
struct ending {
    struct list waiters;
    struct manager_container facts;
    struct manager_end end;
};

// Takes those who wait for the end of the first process; ending_take_gone: all. Whoever waits for an
// EXEC is told at once by the first; the personality still owes its report.
void ending_take(struct ending *ending, struct container *container);
void ending_take_gone(struct ending *ending, struct container *container);
// Tells them. They may count the machine's pages next, so that nothing is given back after this.
void ending_tell(struct ending *ending);
