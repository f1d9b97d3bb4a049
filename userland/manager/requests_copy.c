// COPY: a channel between two personalities, and a request to each. What the receiver reports is the
// answer: what the sender could not do is the last thing that it sends.
#include "cloister.h"

#include "abi/names.h"
#include "lib/container_protocol.h"
#include "lib/string.h"
#include "manager/container_ask.h"
#include "manager/requests.h"
#include "manager/waiters.h"

enum {
    STREAM_BYTES_MAX = CL_MESSAGE_BYTES_MAX, // several messages
    NAME_BYTES_MAX = 257,
};

struct side {
    struct container *container;
    const char *path;
    handle_t end;
    struct waiter *waiter; // for its report
};

// One side of the copy: a name and a path behind `previous`.
static bool side_read(struct request *request, const char **previous, struct side *side) {
    const char *name = records_next(&request->records, 'n', *previous);
    *side = (struct side){.path = name ? records_next(&request->records, 'n', name) : NULL};
    if (!side->path)
        return problem_set(&request->problem, STATUS_PLAIN, "copy what, and where to?");
    *previous = side->path;
    side->container = container_find(name);
    if (!side->container)
        return problem_set(&request->problem, STATUS_PLAIN,
                           "there is no container %.64s (`ps -a` lists those that there are)",
                           name);
    return side->container->control ||
           problem_set(&request->problem, STATUS_PLAIN, "container %s has lost its files", name);
}

// The last name of a path, which is what the tree is to be called; `.` where that is none.
static void name_of(const char *path, char name[NAME_BYTES_MAX]) {
    usize end = strlen(path);
    while (end > 0 && path[end - 1] == '/')
        end--;
    usize start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    usize size = min(end - start, (usize)NAME_BYTES_MAX - 1); // too long for any file system
    memcpy(name, path + start, size);
    name[size] = 0;
    if (size == 0 || strcmp(name, "..") == 0) memcpy(name, ".", 2);
}

static status_t side_ask(struct side *side, u32 operation, const char *name) {
    struct records_writer writer;
    struct container_request request = {.operation = operation, .id = side->waiter->id};
    container_ask_begin(&writer);
    records_add(&writer, 'n', side->path);
    records_add(&writer, 'n', name);
    records_add_handle(&writer, "data", side->end);
    return container_ask(side->container, &request, &writer);
}

// The receiver's report is the answer; nobody waits for the sender's.
static bool sides_await(struct request *request, struct side *from, struct side *to) {
    from->waiter = waiter_add(from->container, WAITER_REPORT);
    if (!from->waiter)
        return problem_set(&request->problem, STATUS_PLAIN,
                           "too many wait for container %s already", from->container->facts.name);
    from->waiter->id = ++from->container->last_call;
    to->waiter = request_await(request, to->container, WAITER_REPORT, ++to->container->last_call);
    if (!to->waiter) waiter_free(from->waiter);
    return to->waiter != NULL;
}

// Each end is consumed. A sender that has no receiver any more sees its channel closed, and reports that.
static bool sides_ask(struct request *request, struct side *from, struct side *to) {
    char name[NAME_BYTES_MAX];
    name_of(from->path, name);
    status_t status = side_ask(from, CONTAINER_ARCHIVE, name);
    if (status != OK) {
        waiter_free(from->waiter);
        handle_close(to->end);
    } else {
        status = side_ask(to, CONTAINER_EXTRACT, name);
    }
    if (status != OK) {
        waiter_free(to->waiter);
        return problem_set(&request->problem, STATUS_PLAIN, "the containers can't be asked: %s",
                           cl_error_name(status));
    }
    request_accept(request, to->waiter);
    return true;
}

bool copy_serve(struct request *request) {
    struct side from, to;
    const char *previous = NULL;
    struct cl_channel_options options = {.send_bytes_max = STREAM_BYTES_MAX};
    if (!side_read(request, &previous, &from) || !side_read(request, &previous, &to) ||
        !sides_await(request, &from, &to))
        return false;
    status_t status =
        channel_create(from.container->ns, to.container->ns, &options, &from.end, &to.end);
    if (status != OK) {
        waiter_free(from.waiter);
        waiter_free(to.waiter);
        return problem_set(&request->problem, STATUS_PLAIN, "no channel for the copy: %s",
                           cl_error_name(status));
    }
    return sides_ask(request, &from, &to);
}
