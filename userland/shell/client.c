#include "cloister.h"

#include "abi/names.h"
#include "lib/message.h"
#include "lib/string.h"
#include "shell/client.h"
#include "shell/output.h"

enum : u64 { RESTART_NS_MAX = 1'000'000'000, ANSWER_NS_MAX = 10'000'000'000 };

static union {
    struct manager_request head;
    char bytes[CL_MESSAGE_BYTES_MAX];
} request;
static union {
    struct manager_reply head;
    char bytes[CL_MESSAGE_BYTES_MAX + 1];
} answer;
static handle_t answer_handle;
static struct records_writer writer;
static handle_t channel;

static bool channel_is_open(void) {
    u32 observed;
    return channel && object_wait(channel, SIGNAL_PEER_CLOSED, 0, CL_DEADLINE_POLL, &observed) ==
                          ERR_TIMED_OUT;
}

static status_t channel_open(void) {
    static const char name[] = "channel";
    handle_t names = startup_handle(shell.startup, "names:manager");
    return ns_open(names, name, sizeof(name) - 1, RIGHT_CALL | RIGHT_WAIT, &channel);
}

// The manager may have died since: then its name leads to another channel as soon as init has
// started it again, which takes a moment.
static void channel_await(void) {
    u64 now_ns = 0;
    clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    u64 deadline_ns = now_ns + RESTART_NS_MAX;
    while (!channel_is_open() && now_ns < deadline_ns) {
        if (channel) handle_close(channel);
        channel = CL_HANDLE_INVALID;
        if (channel_open() != OK || !channel_is_open()) thread_yield();
        clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    }
}

struct records_writer *request_begin(enum manager_operation operation, u32 flags, u64 position) {
    channel_await();
    request.head = (struct manager_request){
        .version = MANAGER_PROTOCOL_VERSION,
        .operation = operation,
        .flags = flags,
        .position = position,
    };
    records_begin(&writer, request.bytes + sizeof(request.head),
                  sizeof(request.bytes) - sizeof(request.head));
    return &writer;
}

void request_set_id(u32 id) { request.head.id = id; }

handle_t request_handle_take(void) {
    handle_t handle = answer_handle;
    answer_handle = CL_HANDLE_INVALID;
    return handle;
}

static void request_handle_drop(void) {
    if (answer_handle) handle_close(request_handle_take());
}

// What a container's own system answers may never come; the rest does.
static u64 answer_deadline(void) {
    u64 now_ns = 0;
    if (request.head.operation != MANAGER_TOP) return CL_DEADLINE_NEVER;
    clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    return now_ns + ANSWER_NS_MAX;
}

static status_t request_call(u32 *reply_bytes) {
    u32 handles_count = 0;
    request_handle_drop();
    struct cl_message message = message_of(request.bytes, sizeof(request.head) + writer.size_bytes,
                                           writer.handles, writer.handles_count);
    struct cl_message room = message_of(answer.bytes, sizeof(answer.bytes) - 1, &answer_handle, 1);
    status_t status =
        channel_call(channel, &message, &room, answer_deadline(), reply_bytes, &handles_count);
    if (status != OK || handles_count == 0) answer_handle = CL_HANDLE_INVALID;
    return status;
}

void request_drop(void) {
    for (u32 i = 0; i < writer.handles_count; i++) {
        handle_close(writer.handles[i]);
    }
    writer.handles_count = 0;
}

bool request_send(const struct manager_reply **reply, i32 status_ours, i32 *status) {
    u32 reply_bytes = 0;
    status_t result = ERR_TOO_BIG;
    *status = status_ours;
    if (!writer.is_full) {
        result = channel ? OK : ERR_PEER_CLOSED;
    }
    if (result == OK) {
        result = request_call(&reply_bytes);
    }
    if (result != OK) {
        request_drop();
        error_print("the manager can't be asked: %s", cl_error_name(result));
        return false;
    }
    answer.bytes[reply_bytes] = 0;
    *reply = &answer.head;
    if (reply_bytes < sizeof(answer.head)) {
        error_print("the manager's answer is too short");
        return false;
    }
    if (answer.head.status != 0) {
        *status = answer.head.status;
        error_print("%s", answer.bytes + sizeof(answer.head));
        return false;
    }
    *status = STATUS_OK;
    return true;
}
