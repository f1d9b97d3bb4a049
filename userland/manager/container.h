// Containers: a record each, from `run` until it is removed.
//
// States: RUNNING; ENDING (its namespace is killed and gives its pages back); EXITED (its first
// process has ended; the namespace with the personality and its files is kept, unless it crashed).
#pragma once

#include "lib/list.h"
#include "lib/manager_protocol.h"
#include "manager/images.h"
#include "manager/manager.h"

struct container {
    struct list link;  // all of them, in order of creation
    struct list timed; // those with a deadline
    struct list waiters;
    u32 last_call; // number of the last request that is reported DONE
    u32 flags;     // enum manager_flags
    // While it has a namespace, else 0:
    handle_t ns;      // with OWNER
    handle_t process; // the personality
    handle_t control;
    handle_t log;     // stays until it is removed
    bool is_attended; // it watches its control channel
    bool is_native;   // it is no personality, and keeps nothing
    u64 deadline_ns;  // by when it has to have ended
    u32 last_exec;    // number of the last EXEC
    u32 user;         // that its handle of its namespace carries
    char *words;      // heap: the records a, e and o of its start message
    u32 words_bytes;
    bool is_last_chance;
    const char *problem;
    char hostname[MANAGER_NAME_MAX + 1]; // its first name
    struct manager_container facts;
};

// A record of zeros, with its lists empty; NULL when there are too many.
struct container *container_record_alloc(void);
void container_record_free(struct container *container);

// Makes a container by a RUN request and starts it. NULL: *problem says why, and nothing is left.
// Takes the handles that it uses out of the records.
struct container *container_run(struct records *records, u32 flags, struct problem *problem);

// Runs the command of an EXITED one again, with the streams of the request. *is_anew: from the image,
// as its files are lost.
bool container_restart(struct container *container, struct records *records, bool *is_anew,
                       struct problem *problem);
bool container_rename(struct container *container, const char *name, struct problem *problem);

// Something happened on its control channel, or its namespace is gone: the port's event.
void container_event(struct container *container, u64 what);

// Kills its namespace; container_event ends it. `problem` is a constant text or NULL.
void container_kill(struct container *container, i32 status, const char *problem);
// Sends a signal to the first process. False: *problem says why not. SIGKILL has an effect in any
// case: where the personality does not do it, the namespace is killed a moment later.
bool container_signal(struct container *container, i32 signal, struct problem *problem);
// Sends a request without records.
bool container_tell(struct container *container, u32 operation, u32 id, i32 argument,
                    struct problem *problem);
// SIGTERM now, SIGKILL later.
bool container_stop(struct container *container, u64 timeout_ns, struct problem *problem);

// When the next deadline of a container is, and what is to be done when one has passed.
u64 containers_deadline(void);
void containers_expire(void);

// Forgets an EXITED container that has no namespace any more.
void container_forget(struct container *container);

struct container *container_find(const char *name);
// In order of creation; the first one has an id over `id`. NULL: there are no more.
struct container *container_after(u64 id);

// Kills what a manager before this one has left behind, with a line on the log for each.
void containers_clear(void);

u64 now_ns(void);
