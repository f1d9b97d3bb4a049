// Queues: mailboxes for many senders and receivers.
//
// Rules:
// - The queue's namespace pays for the messages in it, up to both of the queue's limits.
// - Handles in its messages are held by the queue.
// - When its last handle is closed (a name counts as one), the messages are dropped.
#ifndef OBJECT_QUEUE_H
#define OBJECT_QUEUE_H

#include "object/message.h"

struct queue {
    struct object base;
    struct handle_holder holder;
    // constant:
    u32 messages_max;
    u32 bytes_max;

    struct lock lock; // rank LOCK_OBJECT
    bool is_closed GUARDED_BY(&lock);
    bool is_readable GUARDED_BY(&lock); // what the signals say
    bool is_full GUARDED_BY(&lock);     // not WRITABLE: somebody was refused
    struct list messages GUARDED_BY(&lock);
    u32 count GUARDED_BY(&lock);  // of messages, those on their way in or out too
    u64 charge GUARDED_BY(&lock); // of the same
    struct waitq receivers GUARDED_BY(&lock);
};

extern const struct object_ops queue_object_ops;

#endif
