// Queues: mailboxes for many senders and receivers.
//
// Rules:
// - A queue is a channel end that is its own peer (without a reference), and takes no calls.
// - The queue's namespace pays for the messages in it, up to both of the queue's limits.
// - Handles in its messages are held by the queue.
// - When its last handle is closed (a name counts as one), the messages are dropped.
#pragma once

#include "object/channel.h"

struct queue {
    struct channel end;
};
