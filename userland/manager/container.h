// Containers: a record each, from `run` until it is removed.
//
// States: RUNNING; ENDING (its namespace is killed and gives its pages back); EXITED (only the
// record is left, charged to the manager).
#pragma once

#include "lib/list.h"
#include "lib/manager_protocol.h"
#include "manager/images.h"
#include "manager/manager.h"

struct container {
    struct list link; // all of them, in order of creation
    u32 flags;        // enum manager_flags
    // While it is not EXITED:
    handle_t ns;      // with OWNER
    handle_t process; // the personality
    handle_t control;
    handle_t notify;   // 0: nobody waits for its end
    u64 waiting_token; // a call that is answered when it has ended; 0: none
    const char *problem;
    struct manager_container facts;
};

// A record of zeros, with its node empty; NULL when there are too many.
struct container *container_record_alloc(void);
void container_record_free(struct container *container);

// Makes a container by a RUN request and starts it. NULL: *problem says why, and nothing is left.
// Takes the handles that it uses out of the records.
struct container *container_run(struct records *records, u32 flags, struct problem *problem);

// Something happened on its control channel, or its namespace is gone: the port's event.
void container_event(struct container *container, u64 what);

// Kills it; container_event ends it. `problem` is a constant text or NULL.
void container_kill(struct container *container, i32 status, const char *problem);

// Forgets an EXITED container.
void container_forget(struct container *container);

struct container *container_find(const char *name);
// In order of creation; the first one has an id over `id`. NULL: there are no more.
struct container *container_after(u64 id);

// Kills what a manager before this one has left behind, with a line on the log for each.
void containers_clear(void);
