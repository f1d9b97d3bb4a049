// What is attached to a container's streams, and its log.
#include "cloister.h"

#include "lib/container_protocol.h"
#include "lib/format.h"
#include "lib/message.h"
#include "manager/container_ask.h"
#include "manager/requests.h"
#include "manager/waiters.h"

enum : u32 { READER_RIGHTS = RIGHT_READ | RIGHT_INSPECT | RIGHT_TRANSFER };

bool attach_serve(struct request *request) {
    struct records_writer writer;
    struct container_request asked = {.operation = CONTAINER_ATTACH};
    struct container *container = request_running(request);
    if (!container) return false;
    if (container->is_native)
        return problem_set(
            &request->problem, STATUS_PLAIN,
            "container %s is a system of its own, which keeps the streams that it was "
            "started with",
            container->facts.name);
    bool is_told = records_handle(&request->records, "notify") != CL_HANDLE_INVALID;
    struct waiter *waiter = is_told ? waiter_add(container, WAITER_NOTIFY) : NULL;
    if (is_told && !waiter)
        return problem_set(&request->problem, STATUS_PLAIN,
                           "too many wait for container %s already", container->facts.name);
    container_ask_begin(&writer);
    container_pass_streams(&writer, &request->records);
    if (container_ask(container, &asked, &writer) != OK) {
        if (waiter) waiter_free(waiter);
        return problem_set(&request->problem, STATUS_PLAIN, "container %s can't be asked",
                           container->facts.name);
    }
    if (waiter) waiter->channel = records_take(&request->records, "notify");
    waiters_leave(container, waiter);
    request_answer(request, &container->facts, 1, sizeof(container->facts), 0);
    return true;
}

bool detach_serve(struct request *request) {
    struct container *container = request_running(request);
    if (!container || !container_tell(container, CONTAINER_DETACH, 0, 0, &request->problem))
        return false;
    waiters_leave(container, NULL);
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
