#include "cloister.h"

#include "abi/names.h"
#include "init/machine.h"
#include "init/outside.h"
#include "lib/container_protocol.h"
#include "lib/format.h"
#include "lib/log.h"
#include "lib/message.h"

enum { LINUX_SIGHUP = 1, LINUX_SIGINT = 2, LINUX_SIGKILL = 9, LINUX_SIGTERM = 15 };

void outside_watch(handle_t port, u64 key) {
    if (!machine.outside) return;
    status_t status =
        port_register(port, machine.outside, SIGNAL_READABLE | SIGNAL_PEER_CLOSED, key, 0);
    if (status != OK)
        log_line("init: what the manager asks can't be seen: %s", cl_error_name(status));
}

static void report_refusal(const struct container_request *request) {
    static const char text[] = "it runs a Cloister of its own, which does not do that";
    struct {
        struct container_report head;
        char text[sizeof(text)];
    } report = {.head = {.version = CONTAINER_PROTOCOL_VERSION,
                         .kind = request->operation == CONTAINER_EXEC ? CONTAINER_EXEC_ENDED
                                                                      : CONTAINER_DONE,
                         .id = request->id,
                         .status = CONTAINER_STATUS_OURS}};
    format_text(report.text, sizeof(report.text), "%s", text);
    message_send(machine.outside, &report, sizeof(report.head) + sizeof(text) - 1, NULL, 0);
}

static void signal_take(i32 signal) {
    bool is_end = signal == LINUX_SIGTERM || signal == LINUX_SIGKILL || signal == LINUX_SIGINT ||
                  signal == LINUX_SIGHUP;
    if (is_end) machine_poweroff(CONTAINER_STATUS_SIGNAL + (u32)signal);
}

void outside_serve(void) {
    static union {
        struct container_request head;
        char bytes[CL_MESSAGE_BYTES_MAX];
    } request;
    handle_t handles[RECORDS_HANDLES_MAX];
    struct cl_received received;
    status_t status = message_receive(machine.outside, &request, sizeof(request), handles,
                                      RECORDS_HANDLES_MAX, CL_DEADLINE_POLL, &received);
    if (status == ERR_SHOULD_WAIT) return;
    if (status != OK) machine_poweroff(CONTAINER_STATUS_KILLED); // the manager is gone
    for (u32 i = 0; i < received.handles_count; i++)
        handle_close(handles[i]);
    switch (request.head.operation) {
    case CONTAINER_SIGNAL: signal_take(request.head.argument); break;
    case CONTAINER_ATTACH:
    case CONTAINER_DETACH:
    case CONTAINER_RESIZE:
    case CONTAINER_FOLLOW: break;
    default: report_refusal(&request.head);
    }
}
