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

enum { ROOM_FIRST = 2048, WORDS_BYTES_MAX = 2 * CL_MESSAGE_BYTES_MAX };

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

static void handles_close(const handle_t *handles, u32 count) {
    for (u32 i = 0; i < count; i++) {
        if (handles[i]) handle_close(handles[i]);
    }
}

// How many bytes go on in a second message: what an `m` record at the beginning says, else 0.
static u32 rest_bytes(const char *buffer, u32 size) {
    u32 rest = 0;
    for (u32 i = 1; size > 0 && buffer[0] == 'm' && i < size && buffer[i] != 0; i++)
        rest = rest * 10 + (u32)(buffer[i] - '0');
    return rest;
}

// Room for `rest` more bytes behind what is there. NULL: no memory.
static char *message_grow(struct control_message *message, u32 rest) {
    char *whole = rest <= WORDS_BYTES_MAX ? heap_alloc(message->size_bytes + rest) : NULL;
    if (!whole) return NULL;
    memcpy(whole, message->buffer, message->size_bytes);
    heap_free(message->buffer);
    message->buffer = whole;
    return whole + message->size_bytes;
}

// Gets the rest of a start message; it was sent before the first part could be taken.
static status_t receive_rest(struct control_message *message, u32 rest) {
    struct cl_received received;
    handle_t handles[RECORDS_HANDLES_MAX];
    char *end = message_grow(message, rest);
    if (!end) return ERR_NO_RESOURCES;
    status_t status = receive(end, rest, handles, &received, CONTROL_WAIT);
    if (status != OK) return status;
    handles_close(handles, received.handles_count);
    message->size_bytes += received.bytes_size;
    return OK;
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

static bool message_records(struct control_message *message, u32 head_size, const handle_t *handles,
                            u32 handles_count) {
    return records_open(&message->records, message->buffer + head_size,
                        message->size_bytes - head_size, handles, handles_count);
}

// -EINVAL: the handles are the caller's still.
static int message_open(struct control_message *message, u32 head_size, const handle_t *handles,
                        u32 handles_count) {
    if (message->size_bytes < head_size) return -EINVAL;
    bool is_start = head_size == 0;
    u32 rest = is_start ? rest_bytes(message->buffer, message->size_bytes) : 0;
    if (rest > 0 && receive_rest(message, rest) != OK) return -EINVAL;
    return message_records(message, head_size, handles, handles_count) ? 0 : -EINVAL;
}

// Appends the words of a request that are in a memory object. Where that can't be, they are missing: the
// request is done, and reported, as one without words.
static void words_append(struct control_message *message, u32 head_size) {
    const struct container_request *request = (const void *)message->buffer;
    u32 size = message->size_bytes;
    u32 words_size = (u32)request->argument;
    handle_t words = records_take(&message->records, "words");
    if (!words) return;
    char *end = message_grow(message, words_size);
    if (end && memobj_read(words, 0, end, words_size) == OK) message->size_bytes += words_size;
    handle_close(words);
    const struct records records = message->records;
    if (message_records(message, head_size, records.handles, records.handles_count)) return;
    message->size_bytes = size;
    message_records(message, head_size, records.handles, records.handles_count);
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
    int result = message_open(message, head_size, handles, received.handles_count);
    if (result != 0)
        handles_close(handles, received.handles_count);
    else if (head_size > 0)
        words_append(message, head_size);
    return result;
}

void control_message_free(struct control_message *message) {
    handles_close(message->records.handles, message->records.handles_count);
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
