// Queues. As in a channel's inbox, room is taken first, then the message is copied without a
// lock; a message that a receiver has in hand still counts, and goes back to the head when it
// can't be delivered.
#include "object/queue.h"

#include "kernel/handlers.h"
#include "object/namespace.h"

// ---- life ----

status_t sys_queue_create(struct namespace *ns, u32 messages_max, u32 bytes_max, handle_t *handle) {
    struct queue *queue = object_alloc(ns_or_current(ns), OBJ_QUEUE, sizeof(*queue));
    if (!queue) return ERR_NO_RESOURCES;
    handle_holder_init(&queue->holder, &queue->base, &queue->base.ns->ledger);
    queue->messages_max = messages_max;
    queue->bytes_max = bytes_max;
    lock_init(&queue->lock, LOCK_OBJECT);
    lock_acquire(&queue->lock);
    list_init(&queue->messages);
    waitq_init(&queue->receivers);
    lock_release(&queue->lock);
    object_signal(&queue->base, 0, SIGNAL_WRITABLE);
    object_publish(&queue->base);
    return handle_for_new(&queue->base, handle);
}

static void queue_close(struct object *object) {
    struct queue *queue = (struct queue *)object;
    struct list dropped = LIST_INIT(dropped);
    lock_acquire(&queue->lock);
    queue->is_closed = true;
    list_splice_tail(&dropped, &queue->messages);
    waitq_wake_all(&queue->receivers, OK);
    lock_release(&queue->lock);
    messages_drop(&dropped);
}

static bool queue_kill(struct object *object) {
    queue_close(object);
    return true;
}

const struct object_ops queue_object_ops = {.unhandled = queue_close, .kill = queue_kill};

// ---- sending ----

static status_t room_take(struct queue *queue, u64 charge) {
    if (charge > queue->bytes_max) return ERR_TOO_BIG;
    status_t status = OK;
    lock_acquire(&queue->lock);
    if (queue->is_closed) {
        status = ERR_DEAD;
    } else if (queue->count == queue->messages_max || queue->charge + charge > queue->bytes_max) {
        status = ERR_SHOULD_WAIT;
        queue->is_full = true;
        object_signal(&queue->base, SIGNAL_WRITABLE, 0);
    } else {
        queue->count++;
        queue->charge += charge;
    }
    lock_release(&queue->lock);
    return status;
}

static void room_return(struct queue *queue, u64 charge) {
    lock_acquire(&queue->lock);
    queue->count--;
    queue->charge -= charge;
    if (queue->is_full) {
        queue->is_full = false;
        object_signal(&queue->base, 0, SIGNAL_WRITABLE);
    }
    lock_release(&queue->lock);
}

static void show_readable_locked(struct queue *queue) REQUIRES(&queue -> lock) {
    bool has_message = !list_empty(&queue->messages);
    if (has_message == queue->is_readable) return;
    queue->is_readable = has_message;
    object_signal(&queue->base, has_message ? 0 : SIGNAL_READABLE,
                  has_message ? SIGNAL_READABLE : 0);
}

enum place { AT_TAIL, AT_HEAD };

// DEAD when the queue has closed; the message is still the caller's then.
static status_t message_add(struct queue *queue, struct message *message, enum place place) {
    lock_acquire(&queue->lock);
    status_t status = queue->is_closed ? ERR_DEAD : OK;
    if (status == OK) {
        if (place == AT_HEAD)
            list_insert_head(&queue->messages, &message->link);
        else
            list_insert_tail(&queue->messages, &message->link);
        if (!waitq_wake_one(&queue->receivers, OK)) show_readable_locked(queue);
    }
    lock_release(&queue->lock);
    return status;
}

status_t sys_queue_send(struct queue *queue, const struct cl_message *from) {
    u64 charge = message_charge(from->bytes_size, from->handles_count);
    status_t status = room_take(queue, charge);
    if (status != OK) return status;
    struct message *message;
    status = message_create(from, &queue->base, &queue->holder, &queue->base, &message);
    if (status == OK) {
        status = message_add(queue, message, AT_TAIL);
        if (status != OK) message_destroy(message);
    }
    if (status != OK) room_return(queue, charge);
    return status;
}

// ---- receiving ----

static status_t deliver(struct queue *queue, struct message *message, const struct cl_message *room,
                        u64 received) {
    status_t status = message_deliver(message, 0, room, received);
    if (status != OK && message_add(queue, message, AT_HEAD) == OK) return status;
    room_return(queue, message_charge(message->bytes_size, message->handles_charged));
    message_destroy(message);
    return status;
}

status_t sys_queue_receive(struct queue *queue, const struct cl_message *room, u64 received,
                           u32 flags, u64 deadline_ns) {
    lock_acquire(&queue->lock);
    while (list_empty(&queue->messages)) {
        if (queue->is_closed || deadline_ns == CL_DEADLINE_POLL) {
            status_t status = queue->is_closed ? ERR_DEAD : ERR_SHOULD_WAIT;
            lock_release(&queue->lock);
            return status;
        }
        status_t status = waitq_block(&queue->receivers, &queue->lock, deadline_ns, flags);
        if (status != OK) return status;
        lock_acquire(&queue->lock);
    }
    struct message *first = list_first(&queue->messages, struct message, link);
    if (first->bytes_size > room->bytes_size || first->handles_count > room->handles_count) {
        struct cl_received facts = message_facts(first, 0);
        show_readable_locked(queue);
        lock_release(&queue->lock);
        return message_too_big(&facts, received);
    }
    list_remove(&first->link);
    show_readable_locked(queue);
    lock_release(&queue->lock);
    return deliver(queue, first, room, received);
}
