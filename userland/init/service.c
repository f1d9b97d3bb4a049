// A service's namespace is `services/NAME`; it gets it without OWNER, and nothing of the root's.
// What a service serves is a channel whose first end is bound as `channel` in its namespace: when
// the service is started again, the name leads to a new channel.
#include "cloister.h"

#include "abi/names.h"
#include "init/gifts.h"
#include "init/outside.h"
#include "init/service.h"
#include "lib/container_protocol.h"
#include "lib/format.h"
#include "lib/loader.h"
#include "lib/log.h"
#include "lib/message.h"
#include "lib/string.h"

enum : u64 { READY_SLOW_NS = 10'000'000'000, KEY_OUTSIDE = SERVICES_MAX };

static struct {
    u32 services_count;
    struct service services[SERVICES_MAX];
    handle_t port;
} here;

void service_prepare(const struct manifest_line *line) {
    char path[MACHINE_PATH_MAX + 1];
    const char *format = line->kind == MANIFEST_SERVICE ? "services/%s" : "%s";
    const char *name = line->kind == MANIFEST_TEMPLATE ? "templates" : line->name;
    format_text(path, sizeof(path), format, name);
    handle_t ns = machine_namespace(path);
    u64 pages = manifest_number(line, "reserve=");
    if (startup_handle(machine.startup, "block0")) pages += manifest_number(line, "disk-reserve=");
    if (ns && pages > 0) machine_reserve(ns, pages, path);
}

static status_t service_run(struct service *service) {
    static char bytes[CL_MESSAGE_BYTES_MAX];
    struct records_writer records;
    const char *problem = "";
    records_begin(&records, bytes, sizeof(bytes));
    gifts_give(&records, service, &machine.startup->records);
    status_t status = ERR_TOO_BIG;
    if (!records.is_full) {
        status = program_start(service->ns, machine.bundle, service->line.name, &records,
                               &service->process, &service->control, &problem);
    }
    if (status != OK) {
        records_writer_close(&records);
        log_line("init: service %s does not start: %s %s", service->line.name,
                 cl_error_name(status), problem);
        return status;
    }
    u64 key = (u64)(service - here.services);
    return port_register(here.port, service->process, SIGNAL_TERMINATED, key, CL_PORT_ONCE);
}

// The one with the console, or NULL.
static struct service *console_service(void) {
    for (u32 i = 0; i < here.services_count; i++)
        if (manifest_has_word(&here.services[i].line, "console")) return &here.services[i];
    return NULL;
}

// It looks for who follows when it has written. What it wrote before it could know is told here.
void service_follow(handle_t channel) {
    handle_t copy;
    const u8 byte = 0;
    const struct service *service = console_service();
    if (!service || !service->process || handle_duplicate(channel, CL_RIGHTS_SAME, &copy) != OK)
        return;
    if (message_send(service->control, NULL, 0, &copy, 1) != OK) handle_close(copy);
    message_send(channel, &byte, sizeof(byte), NULL, 0);
}

status_t service_session(const struct records *session, handle_t *process, handle_t *control) {
    static char bytes[CL_MESSAGE_BYTES_MAX];
    struct records_writer records;
    const char *problem;
    struct service *service = console_service();
    if (!service) return ERR_NOT_FOUND;
    records_begin(&records, bytes, sizeof(bytes));
    gifts_give(&records, service, session);
    status_t status = records.is_full ? ERR_TOO_BIG : OK;
    if (status == OK)
        status = program_start(service->ns, machine.bundle, service->line.name, &records, process,
                               control, &problem);
    for (u32 i = 0; i < records.handles_count; i++)
        handle_close(records.handles[i]);
    return status;
}

// As long as it takes: without it the next ones could do nothing. Whoever looks at the log is told
// what the boot waits for.
static void service_wait_ready(const struct service *service) {
    u32 observed = 0;
    u64 now_ns = 0;
    clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    status_t status = object_wait(service->control, SIGNAL_READABLE | SIGNAL_PEER_CLOSED, 0,
                                  now_ns + READY_SLOW_NS, &observed);
    if (status == ERR_TIMED_OUT) {
        log_line("init: service %s is not ready yet; the boot waits for it", service->line.name);
        status = object_wait(service->control, SIGNAL_READABLE | SIGNAL_PEER_CLOSED, 0,
                             CL_DEADLINE_NEVER, &observed);
    }
    if (status != OK || !(observed & SIGNAL_READABLE))
        log_line("init: service %s has not become ready: %s", service->line.name,
                 status == OK ? "it ended" : cl_error_name(status));
}

void service_add(const struct manifest_line *line) {
    char path[MACHINE_PATH_MAX + 1];
    if (here.services_count == SERVICES_MAX || (!here.port && port_create(0, &here.port) != OK)) {
        log_line("init: service %s: there are too many", line->name);
        return;
    }
    struct service *service = &here.services[here.services_count++];
    manifest_copy(&service->line, line);
    format_text(path, sizeof(path), "services/%s", line->name);
    service->ns = machine_namespace(path);
    bool is_running = service->ns && service_run(service) == OK;
    if (!is_running && manifest_has_word(line, "last")) machine_poweroff(CONTAINER_STATUS_OURS);
    if (is_running && manifest_has_word(line, "wait")) service_wait_ready(service);
}

// How a process ended, in words.
static void end_describe(handle_t process, char *text, usize size) {
    struct cl_object_info info = {};
    status_t status = object_info(process, &info);
    if (status != OK) {
        format_text(text, size, "ended (%s)", cl_error_name(status));
    } else if (info.detail[0] == CL_PROCESS_STATE_CRASHED) {
        format_text(text, size, "crashed with exception %lu", info.detail[1]);
    } else if (info.detail[0] == CL_PROCESS_STATE_KILLED) {
        format_text(text, size, "was killed");
    } else {
        format_text(text, size, "ended with status %ld", (i64)info.detail[1]);
    }
}

// The last service has ended by itself, and with it the system.
static void last_check(const struct service *service) {
    struct cl_object_info info = {};
    if (manifest_has_word(&service->line, "last") && object_info(service->process, &info) == OK &&
        info.detail[0] == CL_PROCESS_STATE_EXITED)
        machine_poweroff((u32)info.detail[1]);
}

static void service_ended(struct service *service) {
    char how[64];
    last_check(service);
    end_describe(service->process, how, sizeof(how));
    handle_close(service->process);
    handle_close(service->control);
    service->process = 0;
    bool comes_again =
        manifest_has_word(&service->line, "restart") && service->restarts++ < SERVICE_RESTARTS_MAX;
    log_line("init: service %s %s; %s", service->line.name, how,
             comes_again ? "it is started again" : "it stays away");
    if (comes_again) {
        service_run(service);
    }
}

void services_watch(void) {
    if (here.services_count == 0) {
        log_line("init: the manifest has no service; nothing is left to do");
        machine_poweroff(1);
    }
    outside_watch(here.port, KEY_OUTSIDE);
    for (;;) {
        u64 key;
        u32 signals;
        if (port_wait(here.port, 0, CL_DEADLINE_NEVER, &key, &signals) != OK) continue;
        if (key == KEY_OUTSIDE)
            outside_serve();
        else if (key > KEY_OUTSIDE)
            session_ended(key);
        else
            service_ended(&here.services[key]);
    }
}
