// What is attached to a container's streams, and its log.
#include "cloister.h"

#include "lib/container_protocol.h"
#include "lib/format.h"
#include "lib/message.h"
#include "manager/container_ask.h"
#include "manager/requests.h"
#include "manager/waiters.h"

enum : u32 { READER_RIGHTS = RIGHT_READ | RIGHT_INSPECT | RIGHT_TRANSFER };

// Those who were attached before learn that they are not any more.
static void attached_leave(struct container *container) {
    struct waiter *waiter;
    struct manager_end end = {
        .version = MANAGER_PROTOCOL_VERSION,
        .status = CONTAINER_STATUS_OURS,
        .problem = "another client has attached to it",
    };
    while ((waiter = waiter_find(container, WAITER_NOTIFY, 0)))
        waiter_notify(waiter, &end);
}

bool attach_serve(struct request *request) {
    static const char *const streams[] = {"stdin", "stdout", "stderr"};
    struct records_writer writer;
    struct container_request asked = {.operation = CONTAINER_ATTACH};
    struct container *container = request_running(request);
    if (!container) return false;
    handle_t notify = records_handle(&request->records, "notify");
    attached_leave(container);
    struct waiter *waiter = notify ? waiter_add(container, WAITER_NOTIFY) : NULL;
    if (notify && !waiter)
        return problem_set(&request->problem, STATUS_PLAIN, "too many wait for containers");
    container_ask_begin(&writer);
    for (u32 i = 0; i < ARRAY_SIZE(streams); i++)
        records_add_handle(&writer, streams[i], records_take(&request->records, streams[i]));
    if (container_ask(container, &asked, &writer) != OK) {
        if (waiter) waiter_free(waiter);
        return problem_set(&request->problem, STATUS_PLAIN, "container %s can't be asked",
                           container->facts.name);
    }
    if (waiter) waiter->notify = records_take(&request->records, "notify");
    request_answer(request, &container->facts, 1, sizeof(container->facts), 0);
    return true;
}

bool detach_serve(struct request *request) {
    struct container *container = request_running(request);
    if (!container || !container_tell(container, CONTAINER_DETACH, 0, 0, &request->problem))
        return false;
    attached_leave(container);
    request_answer(request, NULL, 0, 0, 0);
    return true;
}

// A follower of one that does not run sees its channel close at once.
static void follow(struct request *request, struct container *container) {
    struct records_writer writer;
    struct container_request asked = {.operation = CONTAINER_FOLLOW};
    handle_t channel = records_take(&request->records, "follow");
    if (!channel) return;
    if (container->facts.state != MANAGER_STATE_RUNNING) {
        handle_close(channel);
        return;
    }
    container_ask_begin(&writer);
    records_add_handle(&writer, "follow", channel);
    container_ask(container, &asked, &writer);
}

bool logs_serve(struct request *request) {
    handle_t log;
    struct container *container = request_container(request);
    if (!container) return false;
    if (handle_duplicate(container->log, READER_RIGHTS, &log) != OK)
        return problem_set(&request->problem, STATUS_PLAIN, "the log can't be given");
    follow(request, container);
    request_answer_handle(request, &container->facts, sizeof(container->facts), log);
    return true;
}
