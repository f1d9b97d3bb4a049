// Messages: bytes and handles between two processes.
//
// Rules:
// - A message is made with all the room that it will need: bytes in the struct or in whole pages,
//   handles in slots that are counted already. What is filled in later can't fail for memory.
// - `owner` is the end whose holder the slots belong to; a message keeps a reference to it.
// - A message has one owner of the pointer: the inbox, the call that it belongs to, or the thread
//   that has it in hand. User memory is copied in hand, without locks; what can't be delivered
//   goes back to where it was.
// - Small requests and replies (MESSAGE_INLINE bytes, no handles) need none of this: their bytes
//   lie in the caller's thread.
// - Messages that go unread are dropped through messages_drop(): their handles may close other
//   channels, whose messages join the list of the thread that is dropping; nothing recurses.
#pragma once

#include "lib/index.h"
#include "mm/page.h"
#include "object/handle.h"
#include "sched/thread.h"

enum : u32 { MESSAGE_INLINE = 192, MESSAGE_PAGES_MAX = 16 };

struct channel;
struct channel_caller;

struct message {
    struct list link;              // in an inbox
    struct channel_caller *caller; // whose call it is; nullptr for a one-way message
    struct channel *owner;         // nullptr: the small one of a caller
    u64 sender_namespace;          // koids
    u64 sender_process;
    struct handle *handles; // slots
    u32 bytes_size;
    u32 charge;       // one-way: what it counts as in its budget and in LEDGER_MESSAGE_BYTES
    u8 handles_count; // in the first slots
    u8 slots_count;
    u16 page_count; // 0: the bytes are inline
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
    struct message small; // a small request, then a small reply
    // This and the following under the server's lock while a call goes on:
    struct message *request;    // &small, or one that was made; nullptr: received
    struct message *reply;      // room for a reply that is not small; nullptr: the server fills it
    struct message *answer;     // with CALL_REPLIED: &small or `reply`
    struct index_node by_token; // in server->calls; the key is the token
    enum call_state state;
    status_t result; // with CALL_ENDED
    u32 reply_bytes_max;
    u32 reply_handles_max;
    handle_t places[CL_MESSAGE_HANDLES_MAX]; // set aside in the process's table, for as many
    // Of the thread alone:
    struct list dropping; // messages that it still has to drop
    bool is_dropping;
    u64 futex_address; // under the futex table's lock
};

// For whoever makes threads; nullptr for a kernel thread.
void channel_caller_init(struct channel_caller *caller, const struct process *process);
static inline struct channel_caller *channel_caller_current(void) { return thread_current()->ipc; }

// What a one-way message counts as.
u32 message_charge(u32 bytes_size, u32 handles_count);

// An empty message from the current thread, with room for so many bytes and handles. Memory is on
// `payer`; handles, and a charge, count for the owner's namespace. nullptr: NO_RESOURCES.
struct message *message_alloc(struct ledger *payer, struct channel *owner, u32 bytes_max,
                              u32 handles_max, u32 charge);
// Copies the bytes in and moves the handles; there is room. With an error no handle has moved.
// BAD_POINTER, and errors as handles_take.
status_t message_fill(struct message *message, const struct cl_message *from,
                      struct object *forbidden);
// Both in one, just large enough.
status_t message_create(struct ledger *payer, struct channel *owner, const struct cl_message *from,
                        u32 charge, struct object *forbidden, struct message **out);
// Gives bytes and handles to the current process: into `room`, which is large enough, and `places`
// of its table. With an error the message has its handles as before. BAD_POINTER.
status_t message_hand_over(struct message *message, const struct cl_message *room,
                           const handle_t *places);
// The same with the facts, to `received`, and with places taken now. Also NO_RESOURCES.
status_t message_deliver(struct message *message, u64 token, const struct cl_message *room,
                         u64 received);
void message_destroy(struct message *message);
// Destroys all messages of the list, now or, from within a destruction, soon. No locks held.
void messages_drop(struct list *messages);

static inline bool message_is_small(u32 bytes_size, u32 handles_count) {
    return bytes_size <= MESSAGE_INLINE && handles_count == 0;
}
// Copies between inline bytes, in whole words: what is beyond `size` has no meaning anyway.
static inline void message_copy_words(void *to, const void *from, u32 size) {
    u64 *t = to;
    const u64 *f = from;
    for (usize words = ((usize)size + 7) / 8; words != 0; words--)
        *t++ = *f++;
}
static inline struct cl_received message_facts(const struct message *message, u64 token) {
    return (struct cl_received){
        .bytes_size = message->bytes_size,
        .handles_count = message->handles_count,
        .token = token,
        .sender_namespace = message->sender_namespace,
        .sender_process = message->sender_process,
    };
}
