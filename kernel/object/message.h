// Messages: bytes and handles between two processes.
//
// Rules:
// - Up to MESSAGE_INLINE bytes are in the struct; more are in whole pages, all taken before
//   anything is copied. Handles sit in an array of slots of the heap.
// - `owner` is the object whose holder the slots belong to and, for a one-way message, whose
//   namespace pays. A one-way message keeps a reference to it; a call's has an owner, referenced,
//   just as long as it has handles.
// - User memory is copied without locks: a message is taken off its queue first, and put back
//   when it can't be delivered.
// - Messages that go unread are dropped through messages_drop(): their handles may close other
//   channels, whose messages join the list of the thread that is dropping; nothing recurses.
#ifndef OBJECT_MESSAGE_H
#define OBJECT_MESSAGE_H

#include "lib/index.h"
#include "mm/page.h"
#include "object/handle.h"
#include "sched/thread.h"

enum : u32 { MESSAGE_INLINE = 192, MESSAGE_PAGES_MAX = 16 };

struct channel_caller;

struct message {
    struct list link;              // in a queue
    struct channel_caller *caller; // nullptr for a one-way message
    struct object *owner;
    u64 sender_namespace; // koids
    u64 sender_process;
    struct handle *handles; // nullptr: none
    u32 bytes_size;
    u8 handles_count;
    u8 handles_charged; // of a one-way message, when it was made
    u16 page_count;     // 0: the bytes are inline
    union {
        alignas(u64) u8 bytes[MESSAGE_INLINE];
        struct page *pages[MESSAGE_PAGES_MAX];
    };
};
static_assert(MESSAGE_PAGES_MAX * PAGE_SIZE == CL_MESSAGE_BYTES_MAX);

enum call_state : u32 {
    CALL_NONE,
    CALL_QUEUED,    // in the server's inbox
    CALL_DELIVERED, // received, or being copied out to the receiver
    CALL_ANSWERING, // its reply is being copied in
    CALL_REPLIED,
    CALL_ENDED, // an end is gone: `result`
};

// A thread's own part in IPC; thread->ipc points to it. A call is made of nothing else.
struct channel_caller {
    struct message message;     // the request, then the reply
    struct index_node by_token; // in server->calls; the key is the token
    enum call_state state;      // this and the next under the server's lock
    status_t result;            // with CALL_ENDED
    u32 reply_bytes_max;
    u32 reply_handles_max;
    struct handle *reply_handles; // slots for the reply's handles, counted
    u32 reserved;                 // places in the process's table for them
    // Of the thread alone:
    struct list dropping; // messages that it still has to drop
    bool is_dropping;
    u64 futex_address; // under the futex table's lock
};

// For whoever makes threads, kernel threads too.
void channel_caller_init(struct channel_caller *caller);
static inline struct channel_caller *channel_caller_current(void) { return thread_current()->ipc; }

// What a one-way message counts as, in its budget and in LEDGER_MESSAGE_BYTES.
u64 message_charge(u32 bytes_size, u32 handles_count);

// Fills the sender in and makes room for `bytes_max` bytes, paid by `payer`. NO_RESOURCES.
// *message is empty before; bytes beyond what is written stay undefined.
status_t message_init(struct message *message, u32 bytes_max, struct ledger *payer);
// Copies the bytes in: into a buffer, into the message. Their range was checked with the structure,
// unless they are none. BAD_POINTER.
static inline status_t message_bytes_in(void *to, const struct cl_message *from) {
    return from->bytes_size ? arch_copy_from_user(to, from->bytes, from->bytes_size) : OK;
}
status_t message_copy_bytes(struct message *message, const struct cl_message *from);
// Moves handles of the current process into slots: `counted`, heap memory that was counted for the
// holder's namespace before and is consumed on success; or, nullptr, new ones. NO_RESOURCES, and
// errors as handles_take.
status_t message_take_handles(struct message *message, const struct cl_message *from,
                              struct object *forbidden, struct object *owner,
                              struct handle_holder *holder, struct handle *counted);
// Allocates slots for `count` handles, on the ledger of the owner's namespace; nullptr for 0.
status_t message_slots_alloc(u32 count, struct object *owner, struct handle **slots);

// Copies between inline bytes, in whole words: what is beyond `size` has no meaning anyway.
static inline void message_copy_words(void *to, const void *from, u32 size) {
    u64 *t = to;
    const u64 *f = from;
    for (usize words = ((usize)size + 7) / 8; words != 0; words--)
        *t++ = *f++;
}

// A copy for a receiver that works without locks: the bytes, or references to the pages; the
// handles move. The lock of the message's queue is held.
void message_borrow(struct message *copy, struct message *message);
// The copy was not delivered: its handles go back. The same lock is held.
void message_restore(struct message *message, struct message *copy);
// Gives everything to the current process: bytes and handles into `room` (it is large enough),
// the facts to `received`. On failure the message has its handles as before.
// BAD_POINTER, NO_RESOURCES.
status_t message_deliver(struct message *message, u64 token, const struct cl_message *room,
                         u64 received);
// The same for a reply, whose handles have places set aside (as many as *reserved, which is
// lowered). BAD_POINTER.
status_t message_deliver_reply(struct message *message, const struct cl_message *room,
                               u32 *reserved);
static inline struct cl_received message_facts(const struct message *message, u64 token) {
    return (struct cl_received){
        .bytes_size = message->bytes_size,
        .handles_count = message->handles_count,
        .token = token,
        .sender_namespace = message->sender_namespace,
        .sender_process = message->sender_process,
    };
}
// Copies out only the facts, for a message that stays. BAD_POINTER, else BUFFER_TOO_SMALL.
status_t message_too_big(const struct cl_received *facts, u64 received);
// Of a call, holding nothing.
void message_clear(struct message *message);
// Gives back pages and handles.
void message_release(struct message *message);

// One-way messages: made of heap memory, paid by the owner's namespace. Errors: of the above.
status_t message_create(const struct cl_message *from, struct object *owner,
                        struct handle_holder *holder, struct object *forbidden,
                        struct message **out);
void message_destroy(struct message *message);
// Destroys all messages of the list, now or, from within a destruction, soon. No locks held.
void messages_drop(struct list *messages);

#endif
