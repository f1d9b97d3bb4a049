// Messages: copying in and out, moving handles, paying, dropping. No lock of its own: a message
// belongs to the thread that has it in hand, or to the queue that it is in.
#include "object/message.h"

#include "object/namespace.h"
#include "object/process.h"
#include "object/user.h"

void channel_caller_init(struct channel_caller *caller) {
    *caller = (struct channel_caller){};
    caller->message.caller = caller;
    list_init(&caller->dropping);
}

u64 message_charge(u32 bytes_size, u32 handles_count) {
    return offsetof(struct message, bytes) + bytes_size + handles_count * sizeof(struct handle);
}

static void pages_put(struct message *message) {
    for (u32 i = 0; i < message->page_count; i++)
        page_put(message->pages[i]);
    message->page_count = 0;
}

static SLOW_PATH status_t pages_take(struct message *message, u32 bytes_max, struct ledger *payer) {
    u32 count = (u32)((bytes_max + PAGE_SIZE - 1) >> PAGE_SHIFT);
    while (message->page_count < count) {
        struct page *page = page_alloc(payer, PAGE_KERNEL | PAGE_DIRTY);
        if (!page) {
            pages_put(message);
            return ERR_NO_RESOURCES;
        }
        message->pages[message->page_count++] = page;
    }
    return OK;
}

status_t message_init(struct message *message, u32 bytes_max, struct ledger *payer) {
    struct process *sender = process_current();
    message->sender_namespace = sender->base.ns->base.koid;
    message->sender_process = sender->base.koid;
    return bytes_max <= MESSAGE_INLINE ? OK : pages_take(message, bytes_max, payer);
}

enum direction { COPY_IN, COPY_OUT };

// Between user memory and the message's pages.
static SLOW_PATH status_t pages_copy(struct message *message, u64 user, enum direction direction) {
    status_t status = OK;
    for (u32 done = 0; done < message->bytes_size && status == OK; done += PAGE_SIZE) {
        void *page = page_address(message->pages[done >> PAGE_SHIFT]);
        u32 part = min(message->bytes_size - done, (u32)PAGE_SIZE);
        status = direction == COPY_IN ? arch_copy_from_user(page, user + done, part)
                                      : arch_copy_to_user(user + done, page, part);
    }
    return status;
}

status_t message_copy_bytes(struct message *message, const struct cl_message *from) {
    message->bytes_size = from->bytes_size;
    if (unlikely(message->page_count != 0)) return pages_copy(message, from->bytes, COPY_IN);
    return message_bytes_in(message->bytes, from);
}

static status_t bytes_out(struct message *message, u64 to) {
    if (unlikely(message->page_count != 0)) return pages_copy(message, to, COPY_OUT);
    u32 size = message->bytes_size;
    return size == 0 ? OK : arch_copy_to_user(to, message->bytes, size);
}

// ---- handles ----

status_t message_slots_alloc(u32 count, struct object *owner, struct handle **slots) {
    *slots = nullptr;
    if (count == 0) return OK;
    *slots = heap_alloc(&owner->ns->ledger, count * sizeof(struct handle));
    return *slots ? OK : ERR_NO_RESOURCES;
}

status_t message_take_handles(struct message *message, const struct cl_message *from,
                              struct object *forbidden, struct object *owner,
                              struct handle_holder *holder, struct handle *counted) {
    u32 count = from->handles_count;
    handle_t values[CL_MESSAGE_HANDLES_MAX];
    struct handle *slots = counted;
    status_t status = arch_copy_from_user(values, from->handles, count * sizeof(handle_t));
    if (status == OK && !counted) status = message_slots_alloc(count, owner, &slots);
    if (status != OK) return status;
    status = counted ? handles_take_counted(values, count, forbidden, holder, slots)
                     : handles_take(values, count, forbidden, holder, slots);
    if (status != OK) {
        if (!counted) heap_free(slots);
        return status;
    }
    message->handles = slots;
    message->handles_count = (u8)count;
    if (!message->owner) object_get(owner);
    message->owner = owner;
    return OK;
}

// The values could not be told to the process: the handles come back into the message, or, where
// another thread was quicker with one of them, are closed.
static void handles_take_back(struct message *message, const handle_t *values,
                              struct handle_holder *holder) {
    u32 count = message->handles_count;
    if (handles_take(values, count, nullptr, holder, message->handles) == OK) return;
    for (u32 i = 0; i < count; i++)
        (void)handle_close(values[i]);
    message->handles_count = 0;
}

// `reserved`: places that were set aside before; nullptr: none.
static SLOW_PATH status_t handles_out(struct message *message, u64 to, u32 *reserved) {
    u32 count = message->handles_count;
    handle_t values[CL_MESSAGE_HANDLES_MAX];
    struct handle_holder *holder = message->handles[0].holder;
    status_t status = reserved ? OK : handles_reserve(count);
    if (status != OK) return status;
    handles_give_reserved(message->handles, count, values);
    if (reserved) *reserved -= count;
    status = arch_copy_to_user(to, values, count * sizeof(handle_t));
    if (status != OK) handles_take_back(message, values, holder);
    return status;
}

void message_clear(struct message *message) {
    message->caller = channel_caller_current();
    message->owner = nullptr;
    message->handles = nullptr;
    message->handles_count = 0;
    message->page_count = 0;
}

// ---- delivering ----

void message_borrow(struct message *copy, struct message *message) {
    copy->caller = message->caller;
    copy->owner = message->owner;
    copy->sender_namespace = message->sender_namespace;
    copy->sender_process = message->sender_process;
    copy->handles = message->handles;
    copy->bytes_size = message->bytes_size;
    copy->handles_count = message->handles_count;
    copy->page_count = message->page_count;
    if (likely(copy->page_count == 0))
        message_copy_words(copy->bytes, message->bytes, message->bytes_size);
    for (u32 i = 0; i < copy->page_count; i++) {
        page_get(message->pages[i]);
        copy->pages[i] = message->pages[i];
    }
    message->handles = nullptr;
    message->handles_count = 0;
    message->owner = nullptr;
}

void message_restore(struct message *message, struct message *copy) {
    pages_put(copy);
    message->handles = copy->handles;
    message->handles_count = copy->handles_count;
    message->owner = copy->owner;
}

status_t message_deliver(struct message *message, u64 token, const struct cl_message *room,
                         u64 received) {
    struct cl_received facts = message_facts(message, token);
    status_t status = arch_copy_to_user(received, &facts, sizeof(facts));
    return status == OK ? message_deliver_reply(message, room, nullptr) : status;
}

status_t message_deliver_reply(struct message *message, const struct cl_message *room,
                               u32 *reserved) {
    status_t status = bytes_out(message, room->bytes);
    if (status != OK || message->handles_count == 0) return status;
    return handles_out(message, room->handles, reserved);
}

status_t message_too_big(const struct cl_received *facts, u64 received) {
    status_t status = arch_copy_to_user(received, facts, sizeof(*facts));
    return status == OK ? ERR_BUFFER_TOO_SMALL : status;
}

static SLOW_PATH void release(struct message *message) {
    pages_put(message);
    if (!message->handles) return;
    handles_drop(message->handles, message->handles_count);
    heap_free(message->handles);
    message->handles = nullptr;
    message->handles_count = 0;
    if (!message->caller) return;
    object_put(message->owner);
    message->owner = nullptr;
}

void message_release(struct message *message) {
    if (message->page_count != 0 || message->handles) release(message);
}

// ---- one-way messages ----

status_t message_create(const struct cl_message *from, struct object *owner,
                        struct handle_holder *holder, struct object *forbidden,
                        struct message **out) {
    struct ledger *payer = &owner->ns->ledger;
    i64 charge = (i64)message_charge(from->bytes_size, from->handles_count);
    usize size = offsetof(struct message, bytes) + (from->bytes_size <= MESSAGE_INLINE
                                                        ? from->bytes_size
                                                        : sizeof((struct message *)0)->pages);
    if (ledger_count_add(payer, LEDGER_MESSAGE_BYTES, charge) != OK) return ERR_NO_RESOURCES;
    struct message *message = heap_alloc(payer, size);
    if (!message) {
        ledger_count_sub(payer, LEDGER_MESSAGE_BYTES, charge);
        return ERR_NO_RESOURCES;
    }
    object_get(owner);
    message->owner = owner;
    message->bytes_size = from->bytes_size;
    message->handles_charged = (u8)from->handles_count;
    status_t status = message_init(message, from->bytes_size, payer);
    if (status == OK) status = message_copy_bytes(message, from);
    if (status == OK && from->handles_count != 0)
        status = message_take_handles(message, from, forbidden, owner, holder, nullptr);
    if (status == OK)
        *out = message;
    else
        message_destroy(message);
    return status;
}

void message_destroy(struct message *message) {
    struct object *owner = message->owner;
    struct ledger *payer = &owner->ns->ledger;
    u64 charge = message_charge(message->bytes_size, message->handles_charged);
    message_release(message);
    heap_free(message);
    ledger_count_sub(payer, LEDGER_MESSAGE_BYTES, (i64)charge);
    object_put(owner);
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
