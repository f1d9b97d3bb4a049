// Messages with the manager, in the kernel's terms.
#include "linux/control.h"

#include "cloister.h"

#include "lib/container_protocol.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"

enum { ROOM_FIRST = 2048 };

static status_t receive(handle_t channel, char *buffer, u32 room, handle_t *handles,
                        struct cl_received *received) {
    struct cl_message message = {
        .bytes = (u64)buffer,
        .bytes_size = room,
        .handles_count = RECORDS_HANDLES_MAX,
        .handles = (u64)handles,
    };
    return channel_receive(channel, &message, (u64)received, 0, CL_DEADLINE_NEVER);
}

// How many bytes go on in a second message: what an `m` record at the beginning says, else 0.
static u32 rest_bytes(const char *buffer, u32 size) {
    u32 rest = 0;
    for (u32 i = 1; size > 0 && buffer[0] == 'm' && i < size && buffer[i] != 0; i++)
        rest = rest * 10 + (u32)(buffer[i] - '0');
    return rest;
}

// Gets the rest behind what is there.
static status_t receive_rest(handle_t channel, char **buffer, u32 *size, u32 rest) {
    struct cl_received received;
    handle_t handles[RECORDS_HANDLES_MAX];
    char *whole = rest <= CL_MESSAGE_BYTES_MAX ? heap_alloc(*size + rest) : NULL;
    if (!whole) return ERR_NO_RESOURCES;
    memcpy(whole, *buffer, *size);
    heap_free(*buffer);
    *buffer = whole;
    status_t status = receive(channel, whole + *size, rest, handles, &received);
    *size += status == OK ? received.bytes_size : 0;
    return status;
}

// Most messages are short; a longer one stays, and says how long it is.
int control_receive(handle_t channel, struct records *records, char **buffer) {
    handle_t handles[RECORDS_HANDLES_MAX];
    struct cl_received received;
    *buffer = heap_alloc(ROOM_FIRST);
    status_t status =
        *buffer ? receive(channel, *buffer, ROOM_FIRST, handles, &received) : ERR_NO_RESOURCES;
    if (status == ERR_BUFFER_TOO_SMALL) {
        heap_free(*buffer);
        *buffer = heap_alloc(received.bytes_size);
        status = *buffer ? receive(channel, *buffer, received.bytes_size, handles, &received)
                         : ERR_NO_RESOURCES;
    }
    u32 rest = status == OK ? rest_bytes(*buffer, received.bytes_size) : 0;
    if (rest > 0) status = receive_rest(channel, buffer, &received.bytes_size, rest);
    if (status != OK) return -EIO;
    return records_open(records, *buffer, received.bytes_size, handles, received.handles_count)
               ? 0
               : -EINVAL;
}

void control_report(handle_t channel, u32 kind, i32 status) {
    struct container_report report = {
        .version = CONTAINER_PROTOCOL_VERSION, .kind = kind, .status = status};
    struct cl_message message = {.bytes = (u64)&report, .bytes_size = sizeof(report)};
    channel_send(channel, &message);
    process_exit(0);
    __builtin_unreachable();
}

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
