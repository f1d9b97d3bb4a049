// Channel ends: making, closing, sending, receiving. Calls are in channel_call.c.
// States of an end: open → peer gone (peer is nullptr, the inbox can still be read) → closed.
// READABLE says that the inbox is not empty, but for messages that a waiting receiver was woken
// for. WRITABLE is taken from a sender that was refused, and given back when a message leaves.
#include "object/channel.h"

#include "kernel/handlers.h"
#include "object/namespace.h"
#include "object/thread_object.h"
#include "object/user.h"

enum : u32 { DEFAULT_SEND_BYTES = 64 << 10 };

// ---- making ----

// One end, without a peer, not published: nobody knows it yet, as in the next two. nullptr:
// NO_RESOURCES.
static struct channel *end_create(struct namespace *ns, u32 type, u32 messages_max,
                                  u32 bytes_max) NO_THREAD_SAFETY_ANALYSIS {
    struct channel *end = object_alloc(ns, type, sizeof(*end));
    if (!end) return nullptr;
    handle_holder_init(&end->holder, &end->base, &end->base.ns->ledger);
    end->call_bytes_max = CL_MESSAGE_BYTES_MAX;
    end->call_handles_max = CL_MESSAGE_HANDLES_MAX;
    end->messages_max = messages_max;
    end->send_bytes_max = bytes_max;
    lock_init(&end->lock, LOCK_OBJECT);
    list_init(&end->inbox);
    waitq_init(&end->receivers);
    end->base.signals = SIGNAL_WRITABLE;
    return end;
}

status_t sys_channel_create(struct namespace *first_ns, struct namespace *second_ns,
                            const struct cl_channel_options *options, struct channel **first,
                            struct channel **second) NO_THREAD_SAFETY_ANALYSIS {
    u32 bytes_max = options->send_bytes_max ? options->send_bytes_max : DEFAULT_SEND_BYTES;
    *first = end_create(first_ns, OBJ_CHANNEL, ~0u, options->first_bytes_max ?: bytes_max);
    if (!*first) return ERR_NO_RESOURCES;
    *second = end_create(second_ns, OBJ_CHANNEL, ~0u, bytes_max);
    if (!*second) {
        object_put(&(*first)->base);
        return ERR_NO_RESOURCES;
    }
    if (options->call_bytes_max) (*second)->call_bytes_max = options->call_bytes_max;
    if (options->call_handles_max) (*second)->call_handles_max = options->call_handles_max;
    object_get(&(*first)->base);
    object_get(&(*second)->base);
    (*first)->peer = *second;
    (*second)->peer = *first;
    object_publish(&(*first)->base);
    object_publish(&(*second)->base);
    return OK;
}

// A queue takes no calls, and needs no reference to itself.
status_t sys_queue_create(struct namespace *ns, u32 messages_max, u32 bytes_max,
                          struct channel **queue) NO_THREAD_SAFETY_ANALYSIS {
    *queue = end_create(ns, OBJ_QUEUE, messages_max, bytes_max);
    if (!*queue) return ERR_NO_RESOURCES;
    (*queue)->peer = *queue;
    object_publish(&(*queue)->base);
    return OK;
}

// ---- what both sides use ----

struct channel *channel_peer_get(struct channel *end) {
    lock_acquire(&end->lock);
    struct channel *peer = end->peer;
    if (peer) object_get(&peer->base);
    lock_release(&end->lock);
    return peer;
}

status_t channel_check_peer_locked(const struct channel *end, const struct channel *peer) {
    if (end->is_closed) return ERR_PEER_CLOSED;
    return end->peer == peer ? OK : ERR_DEAD;
}

void channel_show_readable_locked(struct channel *end) {
    u32 wanted = list_empty(&end->inbox) ? 0 : SIGNAL_READABLE;
    if (wanted == (object_signals(&end->base) & SIGNAL_READABLE)) return;
    object_signal(&end->base, SIGNAL_READABLE, wanted);
}

// ---- closing ----

// Calls end; one-way messages go to `dropped`, or stay when that is nullptr.
static void inbox_empty_locked(struct channel *end, status_t result, struct list *dropped)
    REQUIRES(&end->lock) {
    struct list all = LIST_INIT(all);
    struct message *message;
    list_splice_tail(&all, &end->inbox);
    while ((message = list_take_first(&all, struct message, link)) != nullptr)
        if (message->caller)
            call_end_locked(end, message->caller, result);
        else
            list_insert_tail(dropped ? dropped : &end->inbox, &message->link);
    struct index_node *node;
    while ((node = index_any(&end->calls)) != nullptr)
        call_end_locked(end, container_of(node, struct channel_caller, by_token), result);
    waitq_wake_all(&end->receivers, OK);
    channel_show_readable_locked(end);
}

static void peer_part(struct channel *end, struct channel *peer) {
    lock_acquire(&peer->lock);
    bool had_reference = peer->peer == end;
    if (had_reference) {
        peer->peer = nullptr;
        inbox_empty_locked(peer, ERR_DEAD, nullptr);
        object_signal(&peer->base, SIGNAL_WRITABLE, SIGNAL_PEER_CLOSED);
    }
    lock_release(&peer->lock);
    if (had_reference) object_put(&end->base);
    object_put(&peer->base);
}

static void channel_close(struct object *object) {
    struct channel *end = (struct channel *)object;
    struct list dropped = LIST_INIT(dropped);
    lock_acquire(&end->lock);
    struct channel *peer = end->peer;
    end->peer = nullptr;
    end->is_closed = true;
    inbox_empty_locked(end, ERR_PEER_CLOSED, &dropped);
    lock_release(&end->lock);
    if (peer && peer != end) peer_part(end, peer);
    messages_drop(&dropped);
}

static void channel_describe(struct object *object, u64 detail[4]) {
    struct channel *peer = channel_peer_get((struct channel *)object);
    if (!peer) return;
    if (&peer->base != object) detail[0] = peer->base.koid; // a queue is its own
    object_put(&peer->base);
}

const struct object_ops channel_object_ops = {
    .close = channel_close,
    .describe = channel_describe,
};

// ---- one-way messages ----

static void charge_return(struct channel *end, u64 charge) {
    lock_acquire(&end->lock);
    end->inbox_count--;
    end->inbox_charge -= charge;
    if (end->peer && !(object_signals(&end->peer->base) & SIGNAL_WRITABLE))
        object_signal(&end->peer->base, 0, SIGNAL_WRITABLE);
    lock_release(&end->lock);
}

static status_t charge_take(struct channel *end, struct channel *sender, u64 charge) {
    if (charge > end->send_bytes_max) return ERR_TOO_BIG;
    lock_acquire(&end->lock);
    status_t status = channel_check_peer_locked(end, sender);
    bool is_full =
        end->inbox_count == end->messages_max || end->inbox_charge + charge > end->send_bytes_max;
    if (status == OK && is_full) {
        object_signal(&sender->base, SIGNAL_WRITABLE, 0);
        status = ERR_SHOULD_WAIT;
    }
    if (status == OK) {
        end->inbox_count++;
        end->inbox_charge += charge;
    }
    lock_release(&end->lock);
    return status;
}

static status_t inbox_add(struct channel *end, struct channel *sender, struct message *message) {
    lock_acquire(&end->lock);
    status_t status = channel_check_peer_locked(end, sender);
    if (status == OK) {
        list_insert_tail(&end->inbox, &message->link);
        if (!waitq_wake_one(&end->receivers, OK)) channel_show_readable_locked(end);
    }
    lock_release(&end->lock);
    return status;
}

static status_t send_paid(struct channel *end, struct channel *sender,
                          const struct cl_message *from, u32 charge) {
    struct message *message;
    status_t status =
        message_create(&end->base.ns->ledger, end, from, charge, &sender->base, &message);
    if (status != OK) return status;
    status = inbox_add(end, sender, message);
    if (status != OK) message_destroy(message);
    return status;
}

status_t sys_channel_send(struct channel *channel, const struct cl_message *from) {
    struct channel *end = channel_peer_get(channel);
    if (!end) return ERR_PEER_CLOSED;
    u32 charge = message_charge(from->bytes_size, from->handles_count);
    status_t status = charge_take(end, channel, charge);
    if (status == OK) {
        status = send_paid(end, channel, from, charge);
        if (status != OK) charge_return(end, charge);
    }
    object_put(&end->base);
    return status;
}

// ---- receiving ----

// The message is in hand now; a call can be answered.
static void take_locked(struct channel *end, struct message *message) REQUIRES(&end->lock) {
    struct channel_caller *caller = message->caller;
    list_remove(&message->link);
    if (caller) {
        caller->state = CALL_DELIVERED;
        caller->request = nullptr;
        index_insert(&end->calls, &caller->by_token);
        sched_work_begin(container_of(caller, struct thread_object, caller)->thread.group);
    }
    channel_show_readable_locked(end);
}

// What could not be delivered is the next again, unless its call has ended or been answered. A small
// message has stayed with its caller: nullptr.
static SLOW_PATH void put_back(struct channel *end, struct message *message, u64 token) {
    lock_acquire(&end->lock);
    struct channel_caller *caller =
        token ? channel_call_find_locked(end, token, CALL_DELIVERED) : nullptr;
    bool is_kept = token ? caller != nullptr : !end->is_closed;
    if (caller) {
        index_remove(&end->calls, &caller->by_token);
        caller->state = CALL_QUEUED;
        if (!message) message = &caller->small;
        caller->request = message;
    }
    if (is_kept) {
        list_insert_head(&end->inbox, &message->link);
        if (!waitq_wake_one(&end->receivers, OK)) channel_show_readable_locked(end);
    }
    lock_release(&end->lock);
    sched_work_end(nullptr, 0);
    if (!is_kept && message) message_destroy(message);
}

static SLOW_PATH status_t receive_any_locked(struct channel *end, struct message *message,
                                             const struct cl_message *room, u64 received)
    RELEASE(&end->lock) {
    u64 token = message->caller ? message->caller->by_token.key : 0;
    take_locked(end, message);
    lock_release(&end->lock);
    status_t status = message_deliver(message, token, room, received);
    if (status != OK) {
        put_back(end, message, token);
    } else {
        if (!token) charge_return(end, message->charge);
        message_destroy(message);
    }
    return status;
}

// A small call: nothing is to be kept of it but its bytes.
static status_t receive_small_locked(struct channel *end, struct message *message,
                                     const struct cl_message *room, u64 received)
    RELEASE(&end->lock) {
    alignas(u64) u8 bytes[MESSAGE_INLINE];
    struct cl_received facts = message_facts(message, message->caller->by_token.key);
    message_copy_words(bytes, message->bytes, facts.bytes_size);
    take_locked(end, message);
    lock_release(&end->lock);
    status_t status = user_copy_out(room->bytes, bytes, facts.bytes_size);
    if (status == OK) status = user_copy_out(received, &facts, sizeof(facts));
    if (unlikely(status != OK)) put_back(end, nullptr, facts.token);
    return status;
}

static SLOW_PATH status_t refuse_locked(struct channel *end, const struct message *message,
                                        u64 received) RELEASE(&end->lock) {
    struct cl_received facts = message_facts(message, 0);
    channel_show_readable_locked(end);
    lock_release(&end->lock);
    status_t status = arch_copy_to_user(received, &facts, sizeof(facts));
    return status == OK ? ERR_BUFFER_TOO_SMALL : status;
}

static status_t empty_status_locked(const struct channel *end, u64 deadline_ns)
    REQUIRES(&end->lock) {
    if (end->is_closed) return ERR_DEAD;
    if (!end->peer) return ERR_PEER_CLOSED;
    return deadline_ns == CL_DEADLINE_POLL ? ERR_SHOULD_WAIT : OK;
}

status_t channel_receive_locked(struct channel *end, const struct cl_message *room, u64 received,
                                u32 flags, u64 deadline_ns, struct thread *next) {
    while (list_empty(&end->inbox)) {
        status_t status = empty_status_locked(end, deadline_ns);
        if (status != OK) {
            lock_release(&end->lock);
            if (next) sched_make_runnable(next);
            return status;
        }
        status = waitq_block_handoff(&end->receivers, &end->lock, deadline_ns, flags, next);
        if (status != OK) return status;
        next = nullptr;
        lock_acquire(&end->lock);
    }
    if (next) sched_make_runnable(next);
    struct message *first = list_first(&end->inbox, struct message, link);
    if (first->bytes_size > room->bytes_size || first->handles_count > room->handles_count)
        return refuse_locked(end, first, received);
    bool is_small = first->caller && first == &first->caller->small;
    return is_small ? receive_small_locked(end, first, room, received)
                    : receive_any_locked(end, first, room, received);
}

status_t sys_channel_receive(struct channel *channel, const struct cl_message *message,
                             u64 received, u32 flags, u64 deadline_ns) {
    sched_work_end(nullptr, CALL_BILL_NS);
    lock_acquire(&channel->lock);
    return channel_receive_locked(channel, message, received, flags, deadline_ns, nullptr);
}
