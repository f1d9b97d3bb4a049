// EXEC: one more process in a container that runs; and what else is passed on to what runs there.
#include "cloister.h"

#include "abi/names.h"
#include "lib/container_protocol.h"
#include "lib/string.h"
#include "manager/container_ask.h"
#include "manager/requests.h"
#include "manager/waiters.h"

static const char *const passed_options[] = {"cwd", "user", "tty"};

// The request's words, with the container's environment below.
static void words_write(struct records_writer *writer, const struct records *records,
                        const struct container *container) {
    struct records started;
    const char *text = NULL;
    records_open(&started, container->words, container->words_bytes, NULL, 0);
    while ((text = records_next(records, 'a', text)))
        records_add(writer, 'a', text);
    while ((text = records_next(records, 'e', text)))
        records_add(writer, 'e', text);
    while ((text = records_next(&started, 'e', text))) {
        if (!records_has_key(records, 'e', text, strlen(text))) records_add(writer, 'e', text);
    }
    for (u32 i = 0; i < ARRAY_SIZE(passed_options); i++) {
        text = records_value(records, 'o', passed_options[i]);
        if (text) records_add_pair(writer, 'o', passed_options[i], text);
    }
}

static bool exec_ask(struct request *request, struct container *container, u32 id) {
    struct records_writer writer;
    struct container_request asked = {.operation = CONTAINER_EXEC, .id = id};
    container_ask_begin(&writer);
    words_write(&writer, &request->records, container);
    container_pass_streams(&writer, &request->records);
    status_t status = container_ask(container, &asked, &writer);
    return status == OK ||
           problem_set(&request->problem, CONTAINER_STATUS_OURS, "container %s can't be asked: %s",
                       container->facts.name,
                       status == ERR_TOO_BIG ? "the command is too long" : cl_error_name(status));
}

bool exec_serve(struct request *request) {
    struct container *container = request_running(request);
    if (!container) return false;
    if (!records_next(&request->records, 'a', NULL))
        return problem_set(&request->problem, CONTAINER_STATUS_OURS, "which program?");
    struct waiter *waiter = waiter_add(container, WAITER_EXEC);
    if (!waiter)
        return problem_set(&request->problem, CONTAINER_STATUS_OURS,
                           "too many programs were started in container %s already",
                           container->facts.name);
    waiter->id = ++container->last_exec;
    if (!exec_ask(request, container, waiter->id)) {
        waiter_free(waiter);
        return false;
    }
    waiter->channel = records_take(&request->records, "notify");
    request_answer(request, &container->facts, 1, sizeof(container->facts), waiter->id);
    return true;
}

bool resize_serve(struct request *request) {
    struct container *container = request_running(request);
    if (!container || !container_tell(container, CONTAINER_RESIZE, request->head->id,
                                      (i32)request->head->position, &request->problem))
        return false;
    request_answer(request, NULL, 0, 0, 0);
    return true;
}

bool top_serve(struct request *request) {
    struct container *container = request_running(request);
    struct waiter *waiter =
        container ? request_await(request, container, WAITER_REPORT, ++container->last_call) : NULL;
    if (!waiter) return false;
    if (!container_tell(container, CONTAINER_TOP, waiter->id, 0, &request->problem)) {
        waiter_free(waiter);
        return false;
    }
    request_accept(request, waiter);
    return true;
}
