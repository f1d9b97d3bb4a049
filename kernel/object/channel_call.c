// Calls: a request and its reply, in the caller's own memory (struct channel_caller).
// NONE → QUEUED (server's inbox) → DELIVERED (server's `calls`) → [ANSWERING →] REPLIED; or ENDED
// from any of these when an end closes. All under the server's lock. The room for the reply is
// taken before the request is sent, so that a reply can't fail for want of memory. A small message
// needs no memory: caller and server hand the CPU over and back.
#include "object/channel.h"

#include "kernel/handlers.h"
#include "object/namespace.h"
#include "object/thread_object.h"
#include "object/user.h"

// ---- the caller ----

// Takes a call that has not ended out of the server's hands.
static void call_withdraw_locked(struct channel *server, struct channel_caller *caller)
    REQUIRES(&server->lock) {
    if (caller->state == CALL_QUEUED) {
        list_remove(&caller->message.link);
        channel_show_readable_locked(server);
    } else {
        index_remove(&server->calls, &caller->by_token);
    }
}

// The caller's thread, off its wait; nullptr: something else ends that.
static struct thread *call_claim(struct channel_caller *caller) {
    struct thread *thread = &container_of(caller, struct thread_object, caller)->thread;
    return waitq_claim(thread, OK) ? thread : nullptr;
}

void call_end_locked(struct channel *server, struct channel_caller *caller, status_t result) {
    call_withdraw_locked(server, caller);
    caller->state = CALL_ENDED;
    caller->result = result;
    struct thread *thread = call_claim(caller);
    if (thread) sched_make_runnable(thread);
}

// Sets aside what the handles of a reply need: slots on the way, counted for the end's namespace,
// and places in the caller's table.
static SLOW_PATH status_t reply_slots_take(struct channel_caller *caller, u32 count,
                                           struct object *end) {
    status_t status = message_slots_alloc(count, end, &caller->reply_handles);
    if (status != OK) return status;
    status = ledger_count_add(&end->ns->ledger, LEDGER_HANDLES, count);
    if (status == OK) {
        status = handles_reserve(count);
        if (status == OK) {
            caller->reserved = count;
            return OK;
        }
        ledger_count_sub(&end->ns->ledger, LEDGER_HANDLES, count);
    }
    heap_free(caller->reply_handles);
    caller->reply_handles = nullptr;
    return status;
}

static SLOW_PATH void reply_slots_free(struct handle *slots, u32 count, struct object *end) {
    heap_free(slots);
    ledger_count_sub(&end->ns->ledger, LEDGER_HANDLES, count);
}

static SLOW_PATH status_t request_handles(struct channel_caller *caller, struct channel *channel,
                                          const struct cl_message *from, u32 reply_count) {
    struct message *message = &caller->message;
    status_t status = reply_count ? reply_slots_take(caller, reply_count, &channel->base) : OK;
    if (status != OK || from->handles_count == 0) return status;
    return message_take_handles(message, from, &channel->base, &channel->base, &channel->holder,
                                nullptr);
}

static status_t request_make(struct channel_caller *caller, struct channel *channel,
                             const struct cl_message *from, const struct cl_message *reply) {
    struct message *message = &caller->message;
    caller->reply_bytes_max = reply->bytes_size;
    caller->reply_handles_max = reply->handles_count;
    status_t status = message_copy_bytes(message, from);
    if (status != OK || (from->handles_count | reply->handles_count) == 0) return status;
    return request_handles(caller, channel, from, reply->handles_count);
}

// The deadline, or the thread's end. The reply may have come just before.
static SLOW_PATH void call_give_up(struct channel *server, struct channel_caller *caller) {
    lock_acquire(&server->lock);
    if (caller->state != CALL_REPLIED && caller->state != CALL_ENDED) {
        call_withdraw_locked(server, caller);
        caller->state = CALL_NONE;
    }
    lock_release(&server->lock);
}

// Queues the request, hands the CPU to a receiver that waits, and waits for the reply.
static status_t call_wait(struct channel *channel, struct channel *server,
                          struct channel_caller *caller, u64 deadline_ns) {
    lock_acquire(&server->lock);
    status_t status = channel_check_peer_locked(server, channel);
    if (status != OK) {
        lock_release(&server->lock);
        return status;
    }
    caller->by_token.key = ++server->token_last;
    caller->state = CALL_QUEUED;
    list_insert_tail(&server->inbox, &caller->message.link);
    struct thread *receiver = waitq_claim_one(&server->receivers, OK);
    if (!receiver) channel_show_readable_locked(server);
    status = waitq_block_handoff(nullptr, &server->lock, deadline_ns, 0, receiver);
    if (status != OK) call_give_up(server, caller);
    if (caller->state == CALL_REPLIED) return OK;
    return caller->state == CALL_ENDED ? caller->result : status;
}

static status_t call_peer(struct channel *channel, struct channel *server,
                          const struct cl_message *from, const struct cl_message *reply,
                          u64 deadline_ns) {
    if (from->bytes_size > server->call_bytes_max || from->handles_count > server->call_handles_max)
        return ERR_TOO_BIG;
    struct channel_caller *caller = channel_caller_current();
    status_t status = message_init(&caller->message, max(from->bytes_size, reply->bytes_size),
                                   &ns_current()->ledger);
    if (status != OK) return status;
    status = request_make(caller, channel, from, reply);
    if (status == OK) status = call_wait(channel, server, caller, deadline_ns);
    if (status == OK) status = message_deliver_reply(&caller->message, reply, &caller->reserved);
    return status;
}

// Leaves the thread's part empty again.
static void call_release(struct channel_caller *caller, struct channel *channel) {
    message_release(&caller->message);
    if (caller->reserved) {
        handles_unreserve(caller->reserved);
        caller->reserved = 0;
    }
    if (caller->reply_handles) {
        reply_slots_free(caller->reply_handles, caller->reply_handles_max, &channel->base);
        caller->reply_handles = nullptr;
    }
}

status_t sys_channel_call(struct channel *channel, const struct cl_message *message,
                          const struct cl_message *reply, u64 deadline_ns, u32 *bytes_size,
                          u32 *handles_count) {
    struct channel *server = channel_peer_get(channel);
    if (!server) return ERR_PEER_CLOSED;
    struct channel_caller *caller = channel_caller_current();
    status_t status = call_peer(channel, server, message, reply, deadline_ns);
    if (status == OK) {
        *bytes_size = caller->message.bytes_size;
        *handles_count = caller->message.handles_count;
    }
    call_release(caller, channel);
    object_put(&server->base);
    return status;
}

// ---- the server ----

// The call that waits for an answer under this token, and whether the answer fits.
static status_t call_find_locked(struct channel *end, u64 token, enum call_state state,
                                 const struct cl_message *reply, struct channel_caller **out)
    REQUIRES(&end->lock) {
    struct index_node *node = index_find(&end->calls, token);
    if (!node) return ERR_NOT_FOUND;
    *out = container_of(node, struct channel_caller, by_token);
    if ((*out)->state != state) return ERR_NOT_FOUND;
    if (reply->bytes_size > (*out)->reply_bytes_max ||
        reply->handles_count > (*out)->reply_handles_max)
        return ERR_TOO_BIG;
    return OK;
}

// The reply is in the caller's hands. Its thread, to be made runnable or switched to; nullptr:
// something else ends its wait.
static struct thread *call_done_locked(struct channel *end, struct channel_caller *caller)
    REQUIRES(&end->lock) {
    index_remove(&end->calls, &caller->by_token);
    caller->state = CALL_REPLIED;
    return call_claim(caller);
}

// A small reply, without handles: its bytes are in the server's hands, and are copied.
static bool reply_is_small(const struct cl_message *from) {
    return from->bytes_size <= MESSAGE_INLINE && from->handles_count == 0;
}

static status_t reply_small_locked(struct channel *end, u64 token, const struct cl_message *from,
                                   const u8 *bytes, struct thread **claimed) REQUIRES(&end->lock) {
    struct channel_caller *caller;
    status_t status = call_find_locked(end, token, CALL_DELIVERED, from, &caller);
    if (status != OK) return status;
    struct message *message = &caller->message;
    message->bytes_size = from->bytes_size;
    message_copy_words(message->page_count ? page_address(message->pages[0]) : message->bytes,
                       bytes, from->bytes_size);
    *claimed = call_done_locked(end, caller);
    return OK;
}

// Any other: made without the lock in what the caller has set aside, which is taken over meanwhile.
struct reply {
    struct message message; // with references to the caller's pages
    struct channel *client; // referenced; nullptr: no handles
    struct handle *slots;   // the caller's, until they are filled
    u32 slots_count;        // reserved with them
};

static status_t reply_begin(struct channel *end, u64 token, const struct cl_message *from,
                            struct reply *reply) {
    struct channel_caller *caller;
    lock_acquire(&end->lock);
    status_t status = call_find_locked(end, token, CALL_DELIVERED, from, &caller);
    if (status == OK) {
        caller->state = CALL_ANSWERING;
        for (u32 i = 0; i < caller->message.page_count; i++) {
            reply->message.pages[i] = caller->message.pages[i];
            page_get(reply->message.pages[i]);
        }
        reply->message.page_count = caller->message.page_count;
        if (from->handles_count != 0) {
            reply->client = end->peer;
            object_get(&end->peer->base);
            reply->slots = caller->reply_handles;
            reply->slots_count = caller->reply_handles_max;
            caller->reply_handles = nullptr;
        }
    }
    lock_release(&end->lock);
    return status;
}

static status_t reply_fill(const struct cl_message *from, struct reply *reply) {
    status_t status = message_copy_bytes(&reply->message, from);
    if (status != OK || from->handles_count == 0) return status;
    struct channel *client = reply->client;
    status = message_take_handles(&reply->message, from, nullptr, &client->base, &client->holder,
                                  reply->slots);
    if (status != OK) return status;
    reply->slots = nullptr;
    ledger_count_sub(&client->base.ns->ledger, LEDGER_HANDLES,
                     reply->slots_count - from->handles_count);
    return OK;
}

// Hands the reply over; or, when it could not be made (`status`), the caller's room back. What the
// caller, gone meanwhile, does not take stays in `reply`.
static status_t reply_end(struct channel *end, u64 token, const struct cl_message *from,
                          struct reply *reply, status_t status, struct thread **claimed) {
    struct channel_caller *caller;
    lock_acquire(&end->lock);
    status_t found = call_find_locked(end, token, CALL_ANSWERING, from, &caller);
    if (found == OK && status == OK) {
        struct message *message = &caller->message;
        struct message *made = &reply->message;
        message->bytes_size = made->bytes_size;
        if (message->page_count == 0)
            message_copy_words(message->bytes, made->bytes, made->bytes_size);
        message->handles = made->handles;
        message->handles_count = made->handles_count;
        message->owner = made->owner;
        made->handles = nullptr;
        *claimed = call_done_locked(end, caller);
    } else if (found == OK) {
        caller->state = CALL_DELIVERED;
        if (reply->slots) caller->reply_handles = reply->slots;
        reply->slots = nullptr;
    }
    lock_release(&end->lock);
    return status == OK ? found : status;
}

// Nobody waits for the reply: its handles go where they would have gone with it.
static status_t reply_drop(const struct cl_message *from) {
    handle_t values[CL_MESSAGE_HANDLES_MAX];
    status_t status = user_copy_in(values, from->handles, from->handles_count * sizeof(handle_t));
    if (status != OK) return status;
    for (u32 i = 0; i < from->handles_count; i++)
        (void)handle_close(values[i]);
    return ERR_NOT_FOUND;
}

static SLOW_PATH status_t reply_large(struct channel *end, u64 token, const struct cl_message *from,
                                      struct thread **claimed) {
    struct reply reply;
    message_clear(&reply.message);
    reply.client = nullptr;
    reply.slots = nullptr;
    status_t status = reply_begin(end, token, from, &reply);
    if (status == ERR_NOT_FOUND) return reply_drop(from);
    if (status != OK) return status;
    status = reply_end(end, token, from, &reply, reply_fill(from, &reply), claimed);
    message_release(&reply.message);
    if (reply.slots) reply_slots_free(reply.slots, reply.slots_count, &reply.client->base);
    if (reply.client) object_put(&reply.client->base);
    return status;
}

// Whatever comes of it, the end's lock is held then.
ALWAYS_INLINE status_t reply_locking(struct channel *end, u64 token, const struct cl_message *from,
                                     struct thread **claimed) ACQUIRE(&end->lock) {
    alignas(u64) u8 bytes[MESSAGE_INLINE];
    bool is_small = reply_is_small(from);
    status_t status =
        likely(is_small) ? message_bytes_in(bytes, from) : reply_large(end, token, from, claimed);
    lock_acquire(&end->lock);
    if (unlikely(!is_small || status != OK)) return status;
    return reply_small_locked(end, token, from, bytes, claimed);
}

status_t sys_channel_reply(struct channel *channel, u64 token, const struct cl_message *message) {
    struct thread *claimed = nullptr;
    status_t status = reply_locking(channel, token, message, &claimed);
    lock_release(&channel->lock);
    if (claimed) sched_make_runnable(claimed);
    return status;
}

status_t sys_channel_reply_receive(struct channel *channel, u64 token,
                                   const struct cl_message *message, const struct cl_message *room,
                                   u64 received, u64 deadline_ns) {
    struct thread *claimed = nullptr;
    status_t status = reply_locking(channel, token, message, &claimed);
    if (status != OK && status != ERR_NOT_FOUND) {
        lock_release(&channel->lock);
        return status;
    }
    return channel_receive_locked(channel, room, received, 0, deadline_ns, claimed);
}
