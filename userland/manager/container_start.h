// The start of a container.
#pragma once

#include "manager/images.h"
#include "manager/manager.h"

struct start {
    struct records *records; // the request
    const struct image *image;
    const char *name;
    const char *hostname;
    u64 id;
    bool is_kept; // the personality stays when the first process has ended
    bool may_nest;
    u32 user;     // for whom its handle of its namespace is; of no matter with OWNER
    handle_t log; // of a container that had one before; 0: it is made
    bool has_log; // there was one
    // Out:
    char *words; // heap: the records a, e and o of the start message
    u32 words_bytes;
    handle_t ns; // with OWNER
    handle_t control;
    handle_t process;
    bool is_native; // a system of its own, which keeps nothing when it has ended
};

// False: *problem says why, and nothing is left.
bool start_run(struct start *start, struct problem *problem);
// Takes back what it has made, but for the process's handle.
void start_undo(struct start *start);
