#include "cloister.h"

#include "abi/names.h"
#include "lib/message.h"
#include "lib/string.h"
#include "shell/client.h"
#include "shell/input.h"
#include "shell/output.h"

enum { KEY_ANSWER = 1, KEY_CONSOLE = 2 };
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

// What depends on a container may take long, or never come: it comes on a channel of its own
// (lib/manager_protocol.h), so that Ctrl-C leaves it. The rest the manager answers at once.
static bool answer_is_late(void) {
    switch (request.head.operation) {
    case MANAGER_KILL:
    case MANAGER_STOP:
    case MANAGER_WAIT:
    case MANAGER_REMOVE:
    case MANAGER_TOP:
    case MANAGER_COPY: return true;
    default: return false;
    }
}

// What a container's own system answers may never come.
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
        channel_call(channel, &message, &room, CL_DEADLINE_NEVER, reply_bytes, &handles_count);
    if (status != OK || handles_count == 0) answer_handle = CL_HANDLE_INVALID;
    if (status == OK) writer.handles_count = 0; // they have moved
    return status;
}

void request_drop(void) { records_writer_close(&writer); }

static status_t answer_take(handle_t late, u32 *reply_bytes) {
    struct cl_received received;
    status_t status = message_receive(late, answer.bytes, sizeof(answer.bytes) - 1, NULL, 0,
                                      CL_DEADLINE_POLL, &received);
    if (status == OK) *reply_bytes = received.bytes_size;
    return status;
}

// INTERRUPTED: Ctrl-C was typed; SHOULD_WAIT: not yet.
static status_t console_look(void) {
    input_poll(INPUT_DROP);
    if (input_interrupted()) return ERR_INTERRUPTED;
    if (input_has_ended()) port_unregister(shell.port, KEY_CONSOLE);
    return ERR_SHOULD_WAIT;
}

static status_t answer_await(handle_t late, u32 *reply_bytes) {
    u64 deadline_ns = answer_deadline();
    bool has_console = shell.console.is_terminal && console_watch(KEY_CONSOLE);
    status_t status =
        port_register(shell.port, late, SIGNAL_READABLE | SIGNAL_PEER_CLOSED, KEY_ANSWER, 0);
    if (status == OK) status = has_console ? console_look() : ERR_SHOULD_WAIT;
    while (status == ERR_SHOULD_WAIT) {
        u64 key;
        u32 signals;
        status = port_wait(shell.port, 0, deadline_ns, &key, &signals);
        if (status == OK)
            status = key == KEY_ANSWER ? answer_take(late, reply_bytes) : console_look();
    }
    port_unregister(shell.port, KEY_ANSWER);
    if (has_console) port_unregister(shell.port, KEY_CONSOLE);
    return status;
}

// Makes the channel for a late answer; the far end goes with the request.
static status_t late_make(handle_t *late) {
    struct cl_channel_options options = {};
    handle_t theirs = CL_HANDLE_INVALID;
    status_t status = channel_create(0, 0, &options, late, &theirs);
    if (status == OK) records_add_handle(&writer, "answer", theirs);
    return status;
}

static status_t request_ask(handle_t late, u32 *reply_bytes) {
    status_t status = writer.is_full ? ERR_TOO_BIG : channel ? OK : ERR_PEER_CLOSED;
    if (status == OK) status = request_call(reply_bytes);
    bool is_late =
        status == OK && late && *reply_bytes >= sizeof(answer.head) && answer.head.status == 0;
    return is_late ? answer_await(late, reply_bytes) : status;
}

void request_post(void) {
    u32 reply_bytes;
    handle_t late = CL_HANDLE_INVALID;
    status_t status = late_make(&late);
    if (status == OK) {
        handle_close(late);
        status = request_ask(CL_HANDLE_INVALID, &reply_bytes);
    }
    if (status != OK) request_drop();
}

bool request_send(const struct manager_reply **reply, i32 status_ours, i32 *status) {
    u32 reply_bytes = 0;
    handle_t late = CL_HANDLE_INVALID;
    status_t result = answer_is_late() ? late_make(&late) : OK;
    *status = status_ours;
    if (result == OK) result = request_ask(late, &reply_bytes);
    if (late) handle_close(late);
    if (result == ERR_INTERRUPTED) {
        output_print("^C\n");
        *status = STATUS_INTERRUPTED;
        return false;
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
        char *problem = answer.bytes + sizeof(answer.head);
        line_disarm(problem); // the words may be a container's
        error_print("%s", problem);
        return false;
    }
    *status = STATUS_OK;
    return true;
}
