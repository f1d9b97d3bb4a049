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
        list_remove(&caller->request->link);
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

// Room for a reply that is not small: a message, and places in the caller's table.
static SLOW_PATH status_t reply_room(struct channel_caller *caller, struct channel *channel,
                                     const struct cl_message *reply) {
    u32 count = reply->handles_count;
    status_t status = handles_reserve(handle_table_current(), count, caller->places);
    if (status != OK) return status;
    caller->reply_handles_max = count;
    caller->reply = message_alloc(&ns_current()->ledger, channel, reply->bytes_size, count, 0);
    return caller->reply ? OK : ERR_NO_RESOURCES;
}

static SLOW_PATH status_t request_large(struct channel_caller *caller, struct channel *channel,
                                        const struct cl_message *from) {
    status_t status =
        message_create(&ns_current()->ledger, channel, from, 0, &channel->base, &caller->request);
    if (status == OK) caller->request->caller = caller;
    return status;
}

// The room for the reply first: with an error the request's handles have not moved.
static status_t request_make(struct channel_caller *caller, struct channel *channel,
                             const struct channel *server, const struct cl_message *from,
                             const struct cl_message *reply) {
    status_t status = OK;
    if (from->bytes_size > server->call_bytes_max || from->handles_count > server->call_handles_max)
        return ERR_TOO_BIG;
    caller->request = &caller->small;
    caller->reply_bytes_max = reply->bytes_size;
    if (unlikely(!message_is_small(reply->bytes_size, reply->handles_count)))
        status = reply_room(caller, channel, reply);
    if (unlikely(status != OK)) return status;
    if (unlikely(!message_is_small(from->bytes_size, from->handles_count)))
        return request_large(caller, channel, from);
    caller->small.bytes_size = from->bytes_size;
    return user_copy_in(caller->small.bytes, from->bytes, from->bytes_size);
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
    list_insert_tail(&server->inbox, &caller->request->link);
    struct thread *receiver = waitq_claim_one(&server->receivers, OK);
    if (!receiver) channel_show_readable_locked(server);
    status = waitq_block_handoff(nullptr, &server->lock, deadline_ns, 0, receiver);
    if (status != OK) call_give_up(server, caller);
    if (caller->state == CALL_REPLIED) return OK;
    return caller->state == CALL_ENDED ? caller->result : status;
}

static status_t reply_out(struct channel_caller *caller, const struct cl_message *reply) {
    struct message *small = &caller->small;
    if (likely(caller->answer == small))
        return user_copy_out(reply->bytes, small->bytes, small->bytes_size);
    return message_hand_over(caller->answer, reply, caller->places);
}

// Leaves the thread's part empty again; of the places, the first `used` are handles now.
static SLOW_PATH void call_release(struct channel_caller *caller, u32 used) {
    if (caller->request && caller->request != &caller->small) message_destroy(caller->request);
    if (caller->reply) message_destroy(caller->reply);
    caller->request = caller->reply = nullptr;
    handles_unreserve(handle_table_current(), caller->reply_handles_max - used,
                      caller->places + used);
    caller->reply_handles_max = 0;
}

status_t sys_channel_call(struct channel *channel, const struct cl_message *message,
                          const struct cl_message *reply, u64 deadline_ns, u32 *bytes_size,
                          u32 *handles_count) {
    struct channel *server = channel_peer_get(channel);
    if (!server) return ERR_PEER_CLOSED;
    struct channel_caller *caller = channel_caller_current();
    status_t status = request_make(caller, channel, server, message, reply);
    if (status == OK) status = call_wait(channel, server, caller, deadline_ns);
    if (status == OK) status = reply_out(caller, reply);
    if (status == OK) {
        *bytes_size = caller->answer->bytes_size;
        *handles_count = caller->answer->handles_count;
    }
    // After a small call nothing is left.
    if (unlikely(caller->request || caller->reply || caller->reply_handles_max))
        call_release(caller, status == OK ? *handles_count : 0);
    object_put(&server->base);
    return status;
}

// ---- the server ----

struct channel_caller *channel_call_find_locked(struct channel *end, u64 token,
                                                enum call_state state) {
    struct index_node *node = index_find(&end->calls, token);
    if (!node) return nullptr;
    struct channel_caller *caller = container_of(node, struct channel_caller, by_token);
    return caller->state == state ? caller : nullptr;
}

// The call that waits for an answer under this token, and whether the answer fits.
static status_t call_to_answer_locked(struct channel *end, u64 token,
                                      const struct cl_message *reply, struct channel_caller **out)
    REQUIRES(&end->lock) {
    *out = channel_call_find_locked(end, token, CALL_DELIVERED);
    if (!*out) return ERR_NOT_FOUND;
    bool fits = reply->bytes_size <= (*out)->reply_bytes_max &&
                reply->handles_count <= (*out)->reply_handles_max;
    return fits ? OK : ERR_TOO_BIG;
}

// The caller has its answer. Its thread, to be made runnable or switched to; nullptr: something else
// ends its wait.
static struct thread *call_done_locked(struct channel *end, struct channel_caller *caller,
                                       struct message *answer) REQUIRES(&end->lock) {
    index_remove(&end->calls, &caller->by_token);
    caller->answer = answer;
    caller->state = CALL_REPLIED;
    return call_claim(caller);
}

static status_t reply_small_locked(struct channel *end, u64 token, const struct cl_message *from,
                                   const u8 *bytes, struct thread **claimed) REQUIRES(&end->lock) {
    struct channel_caller *caller;
    status_t status = call_to_answer_locked(end, token, from, &caller);
    if (status != OK) return status;
    caller->small.bytes_size = from->bytes_size;
    message_copy_words(caller->small.bytes, bytes, from->bytes_size);
    *claimed = call_done_locked(end, caller, &caller->small);
    return OK;
}

// Any other reply is made without the lock, in the message that its caller has set aside, which the
// server has in hand meanwhile.
static status_t reply_begin(struct channel *end, u64 token, const struct cl_message *from,
                            struct message **reply) {
    struct channel_caller *caller;
    lock_acquire(&end->lock);
    status_t status = call_to_answer_locked(end, token, from, &caller);
    if (status == OK) {
        caller->state = CALL_ANSWERING;
        *reply = caller->reply;
        caller->reply = nullptr;
    }
    lock_release(&end->lock);
    return status;
}

// Hands it to the caller; or, when it could not be made (`status`), the empty room back.
static status_t reply_end(struct channel *end, u64 token, struct message *reply, status_t status,
                          struct thread **claimed) {
    lock_acquire(&end->lock);
    struct channel_caller *caller = channel_call_find_locked(end, token, CALL_ANSWERING);
    if (caller) {
        caller->reply = reply;
        caller->state = CALL_DELIVERED;
        if (status == OK) *claimed = call_done_locked(end, caller, reply);
    }
    lock_release(&end->lock);
    if (caller) return status;
    message_destroy(reply);
    return status == OK ? ERR_NOT_FOUND : status;
}

// Nobody waits for the reply: its handles go where they would have gone with it.
static status_t reply_drop(const struct cl_message *from) {
    handle_t values[CL_MESSAGE_HANDLES_MAX];
    status_t status = user_copy_in(values, from->handles, from->handles_count * sizeof(handle_t));
    if (status != OK) return status;
    for (u32 i = 0; i < from->handles_count; i++)
        (void)sys_handle_close(values[i]);
    return ERR_NOT_FOUND;
}

static SLOW_PATH status_t reply_large(struct channel *end, u64 token, const struct cl_message *from,
                                      struct thread **claimed) {
    struct message *reply;
    status_t status = reply_begin(end, token, from, &reply);
    if (status == ERR_NOT_FOUND) return reply_drop(from);
    if (status != OK) return status;
    return reply_end(end, token, reply, message_fill(reply, from, nullptr), claimed);
}

// Whatever comes of it, the end's lock is held then.
ALWAYS_INLINE status_t reply_locking(struct channel *end, u64 token, const struct cl_message *from,
                                     struct thread **claimed) ACQUIRE(&end->lock) {
    alignas(u64) u8 bytes[MESSAGE_INLINE];
    bool is_small = message_is_small(from->bytes_size, from->handles_count);
    status_t status = likely(is_small) ? user_copy_in(bytes, from->bytes, from->bytes_size)
                                       : reply_large(end, token, from, claimed);
    lock_acquire(&end->lock);
    if (unlikely(!is_small || status != OK)) return status;
    return reply_small_locked(end, token, from, bytes, claimed);
}

status_t sys_channel_reply(struct channel *channel, u64 token, const struct cl_message *message) {
    struct thread *claimed = nullptr;
    status_t status = reply_locking(channel, token, message, &claimed);
    lock_release(&channel->lock);
    sched_work_end(claimed, CALL_BILL_NS);
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
    sched_work_end(claimed, CALL_BILL_NS);
    return channel_receive_locked(channel, room, received, 0, deadline_ns, claimed);
}
