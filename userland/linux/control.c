// Messages with the manager.
#include "linux/control.h"

#include "cloister.h"

#include "lib/container_protocol.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/events.h"
#include "linux/report.h"
#include "linux/thread.h"

enum { ROOM_FIRST = 2048 };

static handle_t control;
static struct event_watch watch;
static u32 is_attended; // atomic

static status_t receive(char *buffer, u32 room, handle_t *handles, struct cl_received *received,
                        enum control_wait wait) {
    struct cl_message message = {
        .bytes = (u64)buffer,
        .bytes_size = room,
        .handles_count = RECORDS_HANDLES_MAX,
        .handles = (u64)handles,
    };
    return channel_receive(control, &message, (u64)received, 0,
                           wait == CONTROL_WAIT ? CL_DEADLINE_NEVER : CL_DEADLINE_POLL);
}

// How many bytes go on in a second message: what an `m` record at the beginning says, else 0.
static u32 rest_bytes(const char *buffer, u32 size) {
    u32 rest = 0;
    for (u32 i = 1; size > 0 && buffer[0] == 'm' && i < size && buffer[i] != 0; i++)
        rest = rest * 10 + (u32)(buffer[i] - '0');
    return rest;
}

// Gets the rest behind what is there; it was sent before the first part could be taken.
static status_t receive_rest(struct control_message *message, u32 rest) {
    struct cl_received received;
    handle_t handles[RECORDS_HANDLES_MAX];
    char *whole = rest <= CL_MESSAGE_BYTES_MAX ? heap_alloc(message->size_bytes + rest) : NULL;
    if (!whole) return ERR_NO_RESOURCES;
    memcpy(whole, message->buffer, message->size_bytes);
    heap_free(message->buffer);
    message->buffer = whole;
    status_t status = receive(whole + message->size_bytes, rest, handles, &received, CONTROL_WAIT);
    message->size_bytes += status == OK ? received.bytes_size : 0;
    return status;
}

static int error_of(status_t status) {
    switch (status) {
    case OK: return 0;
    case ERR_SHOULD_WAIT: return -EAGAIN;
    case ERR_PEER_CLOSED: return -EPIPE;
    case ERR_NO_RESOURCES: return -ENOMEM;
    default: return -EIO;
    }
}

// Most messages are short; a longer one stays, and says how long it is.
int control_receive(struct control_message *message, u32 head_size, enum control_wait wait) {
    handle_t handles[RECORDS_HANDLES_MAX];
    struct cl_received received = {};
    *message = (struct control_message){.buffer = heap_alloc(ROOM_FIRST)};
    status_t status = message->buffer
                          ? receive(message->buffer, ROOM_FIRST, handles, &received, wait)
                          : ERR_NO_RESOURCES;
    if (status == ERR_BUFFER_TOO_SMALL) {
        heap_free(message->buffer);
        message->buffer = heap_alloc(received.bytes_size);
        status = message->buffer
                     ? receive(message->buffer, received.bytes_size, handles, &received, wait)
                     : ERR_NO_RESOURCES;
    }
    if (status != OK) return error_of(status);
    message->size_bytes = received.bytes_size;
    if (received.bytes_size < head_size) return -EINVAL;
    u32 rest = rest_bytes(message->buffer + head_size, received.bytes_size - head_size);
    if (rest > 0) status = receive_rest(message, rest);
    if (status != OK) return error_of(status);
    return records_open(&message->records, message->buffer + head_size,
                        message->size_bytes - head_size, handles, received.handles_count)
               ? 0
               : -EINVAL;
}

void control_message_free(struct control_message *message) {
    for (u32 i = 0; i < message->records.handles_count; i++) {
        if (message->records.handles[i]) handle_close(message->records.handles[i]);
    }
    heap_free(message->buffer);
}

void control_open(handle_t channel) { control = channel; }

handle_t control_channel(void) { return control; }

void control_report(u32 kind, u32 id, i32 status, const void *bytes, usize size) {
    struct {
        struct container_report head;
        char bytes[CONTAINER_REPORT_BYTES_MAX - sizeof(struct container_report)];
    } *message, *whole = size > 0 ? heap_alloc(sizeof(*message)) : NULL;
    struct container_report head = {
        .version = CONTAINER_PROTOCOL_VERSION, .kind = kind, .id = id, .status = status};
    struct cl_message out = {.bytes = (u64)&head, .bytes_size = sizeof(head)};
    if (whole) {
        whole->head = head;
        memcpy(whole->bytes, bytes, min(size, sizeof(whole->bytes)));
        out.bytes = (u64)whole;
        out.bytes_size += (u32)min(size, sizeof(whole->bytes));
    }
    u32 observed;
    while (channel_send(control, &out) == ERR_SHOULD_WAIT)
        object_wait(control, SIGNAL_WRITABLE | SIGNAL_PEER_CLOSED, 0, CL_DEADLINE_NEVER, &observed);
    heap_free(whole);
}

void control_exit(void) {
    process_exit(0);
    __builtin_unreachable();
}

static void control_listen(void) {
    if (event_watch_arm(&watch, control, SIGNAL_READABLE | SIGNAL_PEER_CLOSED) != 0)
        report_line("no memory to listen to the manager with");
}

static void control_ready(struct event_watch *, u32) {
    if (requests_serve() != -EPIPE) control_listen();
}

void control_kicked(void) {
    u32 observed;
    if (thread_current()->tid != 1 || control_is_attended()) return;
    if (object_wait(control, SIGNAL_READABLE, 0, CL_DEADLINE_POLL, &observed) != OK) return;
    __atomic_store_n(&is_attended, 1, __ATOMIC_SEQ_CST);
    event_watch_init(&watch, control_ready);
    control_listen();
}

bool control_is_attended(void) { return __atomic_load_n(&is_attended, __ATOMIC_SEQ_CST); }

u64 memobj_size(handle_t memobj) {
    struct cl_object_info info;
    return object_info(memobj, &info) == OK ? info.detail[0] : 0;
}

void ledger_pages(handle_t ns, u64 *limit_pages, u64 *used_pages) {
    struct cl_ns_info info = {};
    ns_info(ns, &info);
    *limit_pages = info.memory_limit_pages;
    *used_pages = info.memory_used_pages;
}
