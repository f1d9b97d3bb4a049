#include "cloister.h"

#include "abi/names.h"
#include "init/outside.h"
#include "init/service.h"
#include "lib/container_protocol.h"
#include "lib/format.h"
#include "lib/log.h"
#include "lib/message.h"

enum { LINUX_SIGHUP = 1, LINUX_SIGINT = 2, LINUX_SIGKILL = 9, LINUX_SIGTERM = 15 };
enum { REPORT_TEXT_MAX = 100 };

enum { SESSIONS_MAX = 16 };

// Shells that EXEC has started.
static struct session {
    u32 id; // 0: none
    handle_t process;
    handle_t control;
} sessions[SESSIONS_MAX];
static handle_t watch_port;
static u64 watch_key;

void outside_watch(handle_t port, u64 key) {
    watch_port = port;
    watch_key = key;
    if (!machine.outside) return;
    status_t status =
        port_register(port, machine.outside, SIGNAL_READABLE | SIGNAL_PEER_CLOSED, key, 0);
    if (status != OK)
        log_line("init: what the manager asks can't be seen: %s", cl_error_name(status));
}

static void report(u32 kind, u32 id, i32 status, const char *text) {
    struct {
        struct container_report head;
        char text[REPORT_TEXT_MAX];
    } report = {
        .head = {.version = CONTAINER_PROTOCOL_VERSION, .kind = kind, .id = id, .status = status}};
    usize size = format_text(report.text, sizeof(report.text), "%s", text);
    message_send(machine.outside, &report, sizeof(report.head) + min(size, sizeof(report.text) - 1),
                 NULL, 0);
}

// Its process is over, or is to be.
static void session_forget(struct session *session) {
    process_kill(session->process);
    handle_close(session->process);
    handle_close(session->control);
    *session = (struct session){};
}

static void session_begin(const struct container_request *request, const struct records *records) {
    u32 index = 0;
    while (index < SESSIONS_MAX && sessions[index].id)
        index++;
    if (index == SESSIONS_MAX) {
        report(CONTAINER_EXEC_ENDED, request->id, CONTAINER_STATUS_OURS, "it has too many shells");
        return;
    }
    struct session *session = &sessions[index];
    status_t status = service_session(records, &session->process, &session->control);
    if (status == OK) {
        status = port_register(watch_port, session->process, SIGNAL_TERMINATED,
                               watch_key + 1 + index, CL_PORT_ONCE);
        session->id = request->id;
    }
    if (status == OK) return;
    report(CONTAINER_EXEC_ENDED, request->id, CONTAINER_STATUS_OURS, cl_error_name(status));
    if (session->id) session_forget(session);
}

void session_ended(u64 key) {
    struct session *session = &sessions[key - watch_key - 1];
    struct cl_object_info info = {};
    bool has_exited =
        object_info(session->process, &info) == OK && info.detail[0] == CL_PROCESS_STATE_EXITED;
    report(CONTAINER_EXEC_ENDED, session->id,
           has_exited ? (i32)info.detail[1] & 255 : CONTAINER_STATUS_KILLED, "");
    session_forget(session);
}

static void session_signal(u32 id) {
    for (u32 i = 0; i < SESSIONS_MAX; i++)
        if (sessions[i].id == id) process_kill(sessions[i].process);
}

static void signal_take(u32 id, i32 signal) {
    bool is_end = signal == LINUX_SIGTERM || signal == LINUX_SIGKILL || signal == LINUX_SIGINT ||
                  signal == LINUX_SIGHUP;
    if (is_end && id != 0) session_signal(id);
    if (is_end && id == 0) machine_poweroff(CONTAINER_STATUS_SIGNAL + (u32)signal);
}

static void request_do(const struct container_request *request, const struct records *records) {
    switch (request->operation) {
    case CONTAINER_SIGNAL: signal_take(request->id, request->argument); break;
    case CONTAINER_EXEC: session_begin(request, records); break;
    case CONTAINER_ATTACH:
    case CONTAINER_DETACH:
    case CONTAINER_RESIZE:
    case CONTAINER_LIMIT: break;
    case CONTAINER_FOLLOW: service_follow(records_handle(records, "follow")); break;
    default:
        report(CONTAINER_DONE, request->id, CONTAINER_STATUS_OURS,
               "it runs a Cloister of its own, which does not do that");
    }
}

void outside_serve(void) {
    static union {
        struct container_request head;
        char bytes[CL_MESSAGE_BYTES_MAX];
    } request;
    handle_t handles[RECORDS_HANDLES_MAX];
    struct cl_received received;
    struct records records;
    status_t status = message_receive(machine.outside, &request, sizeof(request), handles,
                                      RECORDS_HANDLES_MAX, CL_DEADLINE_POLL, &received);
    if (status == ERR_SHOULD_WAIT) return;
    if (status != OK) machine_poweroff(CONTAINER_STATUS_KILLED); // the manager is gone
    u32 head_bytes = sizeof(request.head);
    if (received.bytes_size >= head_bytes &&
        records_open(&records, request.bytes + head_bytes, received.bytes_size - head_bytes,
                     handles, received.handles_count)) {
        request_do(&request.head, &records);
    } else {
        log_line("init: a request of the manager is not understood");
    }
    for (u32 i = 0; i < received.handles_count; i++)
        handle_close(handles[i]);
}
