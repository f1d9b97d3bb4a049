// Channels: two ends; messages of bytes and handles; calls.
//
// Rules:
// - Each end is an object of its own, charged to its own namespace. It refers to its peer until
//   one of them closes; nothing is shared, so that either's namespace can die completely.
// - What waits for an end is in that end's inbox, in the order it came: one-way messages, paid by
//   the end's namespace within its budget, and calls, which are made of their callers' memory.
// - A call's token is counted up for each end and never used again; `calls` holds the calls that
//   were received and not answered. The caller leaves when it likes (deadline, kill); who works
//   on its call without the lock looks it up again by its token.
// - Handles of a call and of its reply are held by the end that it was made through.
// - The locks of two ends are never held together.
// - A queue is an end that is its own peer: what is sent to it is received from it, by many. Its
//   namespace pays, within limits of bytes and of messages.
#pragma once

#include "object/message.h"

struct channel {
    struct object base;
    struct handle_holder holder;
    // constant:
    u32 call_bytes_max; // accepted in a call to this end
    u32 call_handles_max;
    u32 messages_max; // one-way messages in the inbox
    u32 send_bytes_max;

    struct lock lock;                       // rank LOCK_OBJECT
    struct channel *peer GUARDED_BY(&lock); // with a reference; nullptr when either has closed
    bool is_closed GUARDED_BY(&lock);
    struct list inbox GUARDED_BY(&lock);
    u32 inbox_count GUARDED_BY(&lock);  // of one-way messages, those on their way in or out too
    u64 inbox_charge GUARDED_BY(&lock); // of the same
    struct index calls GUARDED_BY(&lock);
    u64 token_last GUARDED_BY(&lock);
    struct waitq receivers GUARDED_BY(&lock);
};

// ---- between channel.c and channel_call.c ----

// The other end, referenced; nullptr when it is gone.
struct channel *channel_peer_get(struct channel *end);
// PEER_CLOSED when `end` has closed, DEAD when `peer` has: for what `peer` sends.
status_t channel_check_peer_locked(const struct channel *end, const struct channel *peer)
    REQUIRES(&end->lock);
// Makes the signal READABLE tell whether there is something in the inbox.
void channel_show_readable_locked(struct channel *end) REQUIRES(&end->lock);
// Takes the next message; `next`, claimed, is run first or gets this CPU if there is none.
status_t channel_receive_locked(struct channel *end, const struct cl_message *room, u64 received,
                                u32 flags, u64 deadline_ns, struct thread *next)
    RELEASE(&end->lock);
// The call of a token, if it is in this state.
struct channel_caller *channel_call_find_locked(struct channel *end, u64 token,
                                                enum call_state state) REQUIRES(&end->lock);
// Ends a call that is queued or delivered, for its caller.
void call_end_locked(struct channel *server, struct channel_caller *caller, status_t result)
    REQUIRES(&server->lock);
