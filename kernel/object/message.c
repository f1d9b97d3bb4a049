// Messages: making room, copying in and out, moving handles, dropping. No lock of its own: a
// message belongs to the thread that has it in hand, or to the queue or call that it is in.
#include "object/message.h"

#include "object/channel.h"
#include "object/namespace.h"
#include "object/process.h"
#include "object/user.h"

void channel_caller_init(struct channel_caller *caller, const struct process *process) {
    *caller = (struct channel_caller){.small.caller = caller};
    list_init(&caller->small.link);
    list_init(&caller->dropping);
    if (!process) return;
    caller->small.sender_namespace = process->base.ns->base.koid;
    caller->small.sender_process = process->base.koid;
}

u32 message_charge(u32 bytes_size, u32 handles_count) {
    return (u32)(offsetof(struct message, bytes) + bytes_size +
                 handles_count * sizeof(struct handle));
}

// ---- making ----

static bool pages_take(struct message *message, u32 bytes_max, struct ledger *payer) {
    u32 count = bytes_max <= MESSAGE_INLINE ? 0 : (bytes_max + PAGE_SIZE - 1) >> PAGE_SHIFT;
    while (message->page_count < count) {
        struct page *page = page_alloc(payer, PAGE_KERNEL | PAGE_DIRTY);
        if (!page) return false;
        message->pages[message->page_count++] = page;
    }
    return true;
}

static bool slots_take(struct message *message, u32 count, struct ledger *payer) {
    if (count == 0) return true;
    if (ledger_count_add(message->owner->holder.ledger, LEDGER_HANDLES, count) != OK) return false;
    message->slots_count = (u8)count;
    message->handles = heap_alloc(payer, count * sizeof(struct handle));
    return message->handles != nullptr;
}

struct message *message_alloc(struct ledger *payer, struct channel *owner, u32 bytes_max,
                              u32 handles_max, u32 charge) {
    const struct message *sender = &channel_caller_current()->small;
    struct message *message =
        heap_alloc(payer, offsetof(struct message, bytes) +
                              (bytes_max <= MESSAGE_INLINE ? bytes_max : sizeof(message->pages)));
    if (!message) return nullptr;
    object_get(&owner->base);
    message->owner = owner;
    message->sender_namespace = sender->sender_namespace;
    message->sender_process = sender->sender_process;
    if (ledger_count_add(owner->holder.ledger, LEDGER_MESSAGE_BYTES, charge) == OK) {
        message->charge = charge;
        if (pages_take(message, bytes_max, payer) && slots_take(message, handles_max, payer))
            return message;
    }
    message_destroy(message);
    return nullptr;
}

void message_destroy(struct message *message) {
    struct channel *owner = message->owner;
    u32 empty_slots = message->slots_count - message->handles_count;
    for (u32 i = 0; i < message->page_count; i++)
        page_put(message->pages[i]);
    handles_drop(message->handles, message->handles_count);
    ledger_count_sub(owner->holder.ledger, LEDGER_HANDLES, empty_slots);
    ledger_count_sub(owner->holder.ledger, LEDGER_MESSAGE_BYTES, message->charge);
    heap_free(message->handles);
    heap_free(message);
    object_put(&owner->base);
}

void messages_drop(struct list *messages) {
    struct channel_caller *self = channel_caller_current();
    list_splice_tail(&self->dropping, messages);
    if (self->is_dropping) return;
    self->is_dropping = true;
    struct message *message;
    while ((message = list_take_first(&self->dropping, struct message, link)) != nullptr) {
        message_destroy(message);
        sched_preempt_point();
    }
    self->is_dropping = false;
}

// ---- filling ----

enum direction { COPY_IN, COPY_OUT };

// Between user memory and the message.
static status_t bytes_copy(struct message *message, u64 user, enum direction direction) {
    status_t status = OK;
    for (u32 done = 0; done < message->bytes_size && status == OK; done += PAGE_SIZE) {
        void *kernel =
            message->page_count ? page_address(message->pages[done >> PAGE_SHIFT]) : message->bytes;
        u32 part = min(message->bytes_size - done, (u32)PAGE_SIZE);
        status = direction == COPY_IN ? arch_copy_from_user(kernel, user + done, part)
                                      : arch_copy_to_user(user + done, kernel, part);
    }
    return status;
}

status_t message_fill(struct message *message, const struct cl_message *from,
                      struct object *forbidden) {
    handle_t values[CL_MESSAGE_HANDLES_MAX];
    u32 count = from->handles_count;
    message->bytes_size = from->bytes_size;
    status_t status = bytes_copy(message, from->bytes, COPY_IN);
    if (status != OK || count == 0) return status;
    status = arch_copy_from_user(values, from->handles, count * sizeof(handle_t));
    if (status == OK)
        status = handles_take(values, count, forbidden, &message->owner->holder, message->handles);
    if (status == OK) message->handles_count = (u8)count;
    return status;
}

status_t message_create(struct ledger *payer, struct channel *owner, const struct cl_message *from,
                        u32 charge, struct object *forbidden, struct message **out) {
    *out = message_alloc(payer, owner, from->bytes_size, from->handles_count, charge);
    if (!*out) return ERR_NO_RESOURCES;
    status_t status = message_fill(*out, from, forbidden);
    if (status == OK) return OK;
    message_destroy(*out);
    *out = nullptr;
    return status;
}

// ---- delivering ----

status_t message_hand_over(struct message *message, const struct cl_message *room,
                           const handle_t *places) {
    u32 count = message->handles_count;
    status_t status = bytes_copy(message, room->bytes, COPY_OUT);
    if (status == OK) status = user_copy_out(room->handles, places, count * sizeof(handle_t));
    if (status == OK) handles_give(message->handles, count, places);
    return status;
}

status_t message_deliver(struct message *message, u64 token, const struct cl_message *room,
                         u64 received) {
    handle_t places[CL_MESSAGE_HANDLES_MAX];
    u32 count = message->handles_count;
    struct cl_received facts = message_facts(message, token);
    status_t status = arch_copy_to_user(received, &facts, sizeof(facts));
    if (status == OK) status = handles_reserve(handle_table_current(), count, places);
    if (status != OK) return status;
    status = message_hand_over(message, room, places);
    if (status != OK) handles_unreserve(handle_table_current(), count, places);
    return status;
}
