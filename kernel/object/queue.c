// Queues: what is sent is received at the same end.
#include "object/queue.h"

#include "kernel/handlers.h"
#include "object/namespace.h"

status_t sys_queue_create(struct namespace *ns, u32 messages_max, u32 bytes_max,
                          struct queue **queue) {
    struct channel *end = channel_end_create(ns, OBJ_QUEUE, messages_max, bytes_max);
    if (!end) return ERR_NO_RESOURCES;
    lock_acquire(&end->lock);
    end->peer = end;
    lock_release(&end->lock);
    object_publish(&end->base);
    *queue = container_of(end, struct queue, end);
    return OK;
}

status_t sys_queue_send(struct queue *queue, const struct cl_message *message) {
    status_t status = channel_send_to(&queue->end, &queue->end, message);
    return status == ERR_PEER_CLOSED ? ERR_DEAD : status;
}

status_t sys_queue_receive(struct queue *queue, const struct cl_message *room, u64 received,
                           u32 flags, u64 deadline_ns) {
    return sys_channel_receive(&queue->end, room, received, flags, deadline_ns);
}
