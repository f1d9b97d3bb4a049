// Turns at the disk: whose request is next, and how much a namespace may transfer in a second.
//
// Rules:
// - A namespace that has a limit, or is below one that has, lets one thread at a time through to the
//   one around it, reads and writes apart; and so does each when the disk is busy. So siblings take turns, request by request,
//   however many threads each has; and what a namespace must wait for, those below it wait for, and
//   nobody beside it.
// - Between turn_begin() and turn_end() nothing blocks. Before turn_begin() nothing is held that
//   another would wait for: no lock, no page that is marked as being read.
// - A turn that is used has one of the disk's places until turn_done().
#pragma once

#include "drivers/blockdev.h"
#include "sched/waitq.h"

struct namespace;

enum turn_kind : u32 { TURN_READ, TURN_WRITE, TURN_KINDS };

// Of a namespace and all below it; under the namespace's lock.
struct turns {
    u64 bytes_limit;     // a second; 0: none; read anywhere
    u64 requests_limit;  // the same
    u64 bytes, requests; // transferred since it was made
    u64 free_at_ns;      // until then what it has transferred is not within its limits
    bool is_taken;       // somebody is in turn
    struct waitq line;   // who waits for that; who ends a turn gives it to the first
    struct waitq first;  // whose turn it is, until free_at_ns
};

// One that is under way.
struct turn {
    enum turn_kind kind;
    struct namespace *next; // this thread is in turn at all levels below this one
};

void turns_init(struct turns *turns);
// Others hold from now on, for those who wait too. The namespace's lock must be held.
void turns_limit(struct turns *turns, u64 bytes_limit, u64 requests_limit);

// Waits until the current thread's namespace, and all around it, may transfer something. DEAD: the
// thread is being killed, and there is no turn.
status_t turn_begin(enum block_operation operation, struct turn *turn);
// Says how much it will be: no pages, of what is no flush, make it unused.
void turn_end(enum block_operation operation, const struct turn *turn, u32 pages);
// The transfer has ended, or there is none: another gets the place at the disk.
void turn_done(enum block_operation operation);
