// The end of containers: what their personalities report, deadlines, namespaces that are gone.
#include "cloister.h"

#include "lib/container_protocol.h"
#include "lib/format.h"
#include "lib/log.h"
#include "lib/log_writer.h"
#include "lib/marker.h"
#include "lib/message.h"
#include "lib/string.h"
#include "manager/container.h"
#include "manager/container_ask.h"
#include "manager/waiters.h"

enum { LINUX_SIGKILL = 9, LINUX_SIGTERM = 15 };
enum : u64 { LAST_CHANCE_NS = 5'000'000'000 };

static struct list timed = LIST_INIT(timed);

static void deadline_clear(struct container *container) { list_remove(&container->timed); }

static void deadline_set(struct container *container, u64 delay_ns) {
    deadline_clear(container);
    u64 now = now_ns();
    container->deadline_ns = delay_ns < ~0ull - now ? now + delay_ns : ~0ull;
    list_insert_tail(&timed, &container->timed);
}

u64 containers_deadline(void) {
    u64 first_ns = CL_DEADLINE_NEVER;
    const struct container *container;
    list_for_each(container, &timed, timed) {
        first_ns = min(first_ns, container->deadline_ns);
    }
    return first_ns;
}

void containers_expire(void) {
    u64 now = now_ns();
    struct problem ignored;
    struct container *container, *following;
    list_for_each_safe(container, following, &timed, timed) {
        if (container->deadline_ns > now) continue;
        deadline_clear(container);
        if (container->is_last_chance)
            container_kill(container, CONTAINER_STATUS_KILLED, "its personality did not answer");
        else
            container_signal(container, LINUX_SIGKILL, &ignored);
    }
}

void container_kill(struct container *container, i32 status, const char *problem) {
    deadline_clear(container);
    container->facts.state = MANAGER_STATE_ENDING;
    container->facts.status = status;
    container->problem = problem;
    port_unregister(manager.port, (u64)container);
    ns_kill(container->ns);
    status_t result = port_register(manager.port, container->ns, SIGNAL_TERMINATED,
                                    (u64)container | KEY_NAMESPACE, CL_PORT_ONCE);
    if (result != OK)
        log_line("manager: the end of container %s can't be watched", container->facts.name);
}

bool container_signal(struct container *container, i32 signal, struct problem *problem) {
    if (signal == LINUX_SIGKILL && container->is_native) {
        container_kill(container, CONTAINER_STATUS_KILLED, NULL);
        return true;
    }
    bool is_told = container_tell(container, CONTAINER_SIGNAL, 0, signal, problem);
    if (signal != LINUX_SIGKILL) return is_told;
    container->is_last_chance = true;
    deadline_set(container, is_told ? LAST_CHANCE_NS : 0);
    return true;
}

bool container_stop(struct container *container, u64 timeout_ns, struct problem *problem) {
    if (container->is_last_chance) return true; // it was killed already
    if (timeout_ns == 0) return container_signal(container, LINUX_SIGKILL, problem);
    if (!container_signal(container, LINUX_SIGTERM, problem)) timeout_ns = 0;
    deadline_set(container, timeout_ns);
    return true;
}

// The first process has ended, and the personality stays.
static void process_ended(struct container *container, i32 status) {
    struct ending ending;
    deadline_clear(container);
    container->facts.state = MANAGER_STATE_EXITED;
    container->facts.status = status;
    container->facts.ended_ns = now_ns();
    ending_take(&ending, container);
    ending_tell(&ending);
}

// Its personality is no good any more. A first process that has ended keeps its status.
static void personality_lost(struct container *container, const char *problem) {
    bool has_exited = container->facts.state == MANAGER_STATE_EXITED;
    container_kill(container, has_exited ? container->facts.status : CONTAINER_STATUS_KILLED,
                   problem);
}

i64 log_memobj_read(handle_t memobj, u64 offset, void *bytes, usize size) {
    return memobj_read(memobj, offset, bytes, size);
}

i64 log_memobj_write(handle_t memobj, u64 offset, const void *bytes, usize size) {
    return memobj_write(memobj, offset, bytes, size);
}

u64 log_time_ns(void) {
    u64 now_ns = 0;
    clock_get(CL_CLOCK_REALTIME, &now_ns);
    return now_ns;
}

// The container's own log says it, too: nobody writes there any more.
static void crash_tell(struct container *container, const char *problem, u64 vector) {
    char line[MANAGER_PROBLEM_MAX];
    struct log_writer writer;
    bool is_memory = vector == CL_CRASH_NO_MEMORY;
    log_line("manager: %s: %s (exception %lu)", container->facts.name, problem, vector);
    log_writer_open(&writer, container->log, 0);
    usize size = format_text(line, sizeof(line), "%s%s\n", problem,
                             is_memory ? " (see `update -m` and `--memory-reservation`)" : "");
    log_writer_write(&writer, LOG_SYSTEM, line, size);
}

// The personality has ended without a word. A native program may.
static void control_closed(struct container *container) {
    struct cl_object_info info = {};
    bool is_known = object_info(container->process, &info) == OK;
    bool has_crashed = is_known && info.detail[0] == CL_PROCESS_STATE_CRASHED;
    if (container->is_native && is_known && info.detail[0] == CL_PROCESS_STATE_EXITED) {
        container_kill(container, (i32)info.detail[1] & 255, NULL);
        return;
    }
    const char *problem = !has_crashed ? "its personality was killed"
                          : info.detail[1] == CL_CRASH_NO_MEMORY
                              ? "out of memory: its personality was killed"
                              : "its personality crashed";
    if (has_crashed) crash_tell(container, problem, info.detail[1]);
    personality_lost(container, problem);
}

// A report that nobody is owed, or a second one, is nonsense.
static bool exec_ended(struct container *container, const struct container_report *report,
                       usize size_bytes) {
    struct waiter *waiter = waiter_find(container, WAITER_EXEC, report->id);
    struct manager_end end = {.version = MANAGER_PROTOCOL_VERSION, .status = report->status};
    if (!waiter) return false;
    memcpy(end.problem, report + 1, min(size_bytes - sizeof(*report), (usize)MANAGER_PROBLEM_MAX));
    waiter_notify(waiter, &end);
    return true;
}

// What the personality was asked is passed on as it is: the client knows what it has asked for.
static bool request_done(struct container *container, const struct container_report *report,
                         usize size_bytes) {
    static struct {
        struct manager_reply head;
        char bytes[CONTAINER_REPORT_BYTES_MAX];
    } reply;
    struct waiter *waiter = waiter_find(container, WAITER_REPORT, report->id);
    usize size = size_bytes - sizeof(*report);
    if (!waiter) return false;
    reply.head = (struct manager_reply){.status = report->status, .count = (u32)size};
    memcpy(reply.bytes, report + 1, size);
    waiter_answer(waiter, &reply.head, sizeof(reply.head) + size);
    return true;
}

static bool report_serve(struct container *container, const struct container_report *report,
                         usize size_bytes) {
    bool is_running = container->facts.state == MANAGER_STATE_RUNNING;
    bool is_kept = !(container->flags & MANAGER_FLAG_REMOVE) && !container->is_native;
    bool has_status = (report->status & ~255) == 0;
    switch (report->kind) {
    case CONTAINER_EXITED:
        if (!is_running || !has_status) return false;
        if (is_kept)
            process_ended(container, report->status);
        else
            container_kill(container, report->status, NULL);
        return true;
    case CONTAINER_FAILED:
        if (!has_status) return false;
        container_kill(container, report->status, "its personality gave up");
        return true;
    case CONTAINER_DONE: return request_done(container, report, size_bytes);
    case CONTAINER_EXEC_ENDED: return has_status && exec_ended(container, report, size_bytes);
    default: return false;
    }
}

static void control_event(struct container *container) {
    static union {
        struct container_report head;
        char bytes[CONTAINER_REPORT_BYTES_MAX];
    } report;
    struct cl_received received;
    // No handles: to close what a container sends can be a lot of work, and would be done here.
    status_t status = message_receive(container->control, &report, sizeof(report), NULL, 0,
                                      CL_DEADLINE_POLL, &received);
    if (status == ERR_PEER_CLOSED || status == ERR_DEAD) {
        control_closed(container);
        return;
    }
    if (status == ERR_SHOULD_WAIT) return;
    if (status != OK || received.bytes_size < sizeof(report.head) ||
        report.head.version != CONTAINER_PROTOCOL_VERSION ||
        !report_serve(container, &report.head, received.bytes_size))
        personality_lost(container, "its personality talked nonsense");
}

static void namespace_gone(struct container *container) {
    MARK(MARKER_CONTAINER_GONE);
    struct ending ending;
    handle_close(container->ns);
    handle_close(container->process);
    handle_close(container->control);
    container->ns = container->process = container->control = CL_HANDLE_INVALID;
    container->facts.state = MANAGER_STATE_EXITED;
    if (container->facts.ended_ns == 0) container->facts.ended_ns = now_ns();
    ending_take_gone(&ending, container);
    if (container->flags & MANAGER_FLAG_REMOVE) container_forget(container);
    ending_tell(&ending);
}

void container_event(struct container *container, u64 what) {
    if (what == KEY_NAMESPACE)
        namespace_gone(container);
    else if (container->facts.state != MANAGER_STATE_ENDING)
        control_event(container);
}
