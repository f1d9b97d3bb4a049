// Decoding of requests. What a client sends is not trusted: sizes, version and records are checked
// here, names where they are used.
#include "cloister.h"

#include "abi/names.h"
#include "lib/container_protocol.h"
#include "lib/format.h"
#include "lib/log.h"
#include "lib/marker.h"
#include "lib/message.h"
#include "lib/string.h"
#include "manager/container.h"
#include "manager/requests.h"

enum {
    REPLY_BYTES_MAX = PAGE_SIZE, // a list that is longer comes in several replies
};

static char request_bytes[2 * CL_MESSAGE_BYTES_MAX];
static union {
    struct manager_reply head;
    char bytes[REPLY_BYTES_MAX];
} reply __attribute__((aligned(PAGE_SIZE)));

bool problem_set(struct problem *problem, i32 status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    format_text_args(problem->text, sizeof(problem->text), format, args);
    va_end(args);
    problem->status = status;
    return false;
}

static void reply_send(const struct request *request, usize size_bytes) {
    status_t status =
        message_reply(manager.server, request->token, &reply, sizeof(reply.head) + size_bytes);
    if (status == ERR_TOO_BIG) {
        reply.head = (struct manager_reply){.status = STATUS_PLAIN};
        message_reply(manager.server, request->token, &reply, sizeof(reply.head));
    }
}

static void reply_problem(const struct request *request) {
    usize size = strlen(request->problem.text);
    reply.head = (struct manager_reply){.status = request->problem.status};
    memcpy(reply.bytes + sizeof(reply.head), request->problem.text, size);
    reply_send(request, size);
}

// A good answer: on the request's channel `answer`, if it has one, and then as an empty one of the call.
static void answer_send(const struct request *request, usize size_bytes) {
    handle_t answer = records_handle(&request->records, "answer");
    if (answer) {
        message_send(answer, &reply, sizeof(reply.head) + size_bytes, NULL, 0);
        reply.head = (struct manager_reply){};
        size_bytes = 0;
    }
    reply_send(request, size_bytes);
}

// Answers with `count` structures that lie behind the head.
static void reply_structures(const struct request *request, u32 count, usize size_each,
                             u64 next_position) {
    reply.head = (struct manager_reply){.count = count, .next_position = next_position};
    answer_send(request, count * size_each);
}

struct waiter *request_await(struct request *request, struct container *container,
                             enum waiter_kind kind, u32 id) {
    struct waiter *waiter = waiter_add(container, kind);
    if (!waiter) {
        problem_set(&request->problem, STATUS_PLAIN, "too many wait for container %s already",
                    container->facts.name);
        return NULL;
    }
    waiter->id = id;
    waiter->channel = records_take(&request->records, "answer");
    waiter->token = request->token;
    return waiter;
}

void request_accept(const struct request *request, const struct waiter *waiter) {
    reply.head = (struct manager_reply){};
    if (waiter->channel) reply_send(request, 0);
}

void request_answer(const struct request *request, const void *structures, u32 count,
                    usize size_each, u64 next_position) {
    if (count > 0) memcpy(reply.bytes + sizeof(reply.head), structures, count * size_each);
    reply_structures(request, count, size_each, next_position);
}

void request_answer_handle(const struct request *request, const void *structure, usize size,
                           handle_t handle) {
    reply.head = (struct manager_reply){.count = 1};
    memcpy(reply.bytes + sizeof(reply.head), structure, size);
    struct cl_message message = message_of(&reply, sizeof(reply.head) + size, &handle, 1);
    status_t status = channel_reply(manager.server, request->token, &message);
    if (status == OK || status == ERR_NOT_FOUND) return;
    handle_close(handle);
    reply_send(request, size);
}

static bool run_serve(struct request *request) {
    MARK(MARKER_CONTAINER_TOLD);
    struct container *container = container_run(
        &request->records, request->head->flags & (MANAGER_FLAG_REMOVE | MANAGER_FLAG_NEST),
        &request->problem);
    if (!container) {
        return false;
    }
    records_close(&request->records); // before the client may count handles
    request->records.handles_count = 0;
    request_answer(request, &container->facts, 1, sizeof(container->facts), 0);
    return true;
}

static bool list_serve(struct request *request) {
    struct manager_container *facts = (void *)(reply.bytes + sizeof(reply.head));
    u32 room = (REPLY_BYTES_MAX - sizeof(reply.head)) / sizeof(*facts);
    u32 count = 0;
    u64 position = request->head->position;
    struct container *container;
    while ((container = container_after(position)) && count < room) {
        facts[count++] = container->facts;
        position = container->facts.id;
    }
    reply_structures(request, count, sizeof(*facts), container ? position : 0);
    return true;
}

static bool images_serve(struct request *request) {
    struct manager_image *image = (void *)(reply.bytes + sizeof(reply.head));
    u32 room = (REPLY_BYTES_MAX - sizeof(reply.head)) / sizeof(*image);
    u32 count = 0;
    u64 position = request->head->position;
    while (count < room && image_next(&position, &image[count])) {
        count++;
    }
    reply_structures(request, count, sizeof(*image), count == room ? position : 0);
    return true;
}

static bool inspect_serve(struct request *request) {
    struct manager_details *details = (void *)(reply.bytes + sizeof(reply.head));
    struct container *container = request_container(request);
    if (!container) {
        return false;
    }
    memset(details, 0, sizeof(*details));
    details->container = container->facts;
    details->user = container->user;
    details->has_ledger = container->ns && ns_info(container->ns, &details->ledger) == OK;
    reply_structures(request, 1, sizeof(*details), 0);
    return true;
}

static bool request_do(struct request *request) {
    switch (request->head->operation) {
    case MANAGER_RUN: return run_serve(request);
    case MANAGER_LIST: return list_serve(request);
    case MANAGER_REMOVE: return remove_serve(request);
    case MANAGER_KILL: return kill_serve(request);
    case MANAGER_INSPECT: return inspect_serve(request);
    case MANAGER_IMAGES: return images_serve(request);
    case MANAGER_STOP: return stop_serve(request);
    case MANAGER_WAIT: return wait_serve(request);
    case MANAGER_EXEC: return exec_serve(request);
    case MANAGER_RESIZE: return resize_serve(request);
    case MANAGER_ATTACH: return attach_serve(request);
    case MANAGER_DETACH: return detach_serve(request);
    case MANAGER_LOGS: return logs_serve(request);
    case MANAGER_START: return start_serve(request);
    case MANAGER_RENAME: return rename_serve(request);
    case MANAGER_TOP: return top_serve(request);
    case MANAGER_COPY: return copy_serve(request);
    case MANAGER_TREE: return tree_serve(request);
    case MANAGER_UPDATE: return update_serve(request);
    case MANAGER_NAMES: return names_serve(request);
    case MANAGER_BIND: return bind_serve(request);
    case MANAGER_UNBIND: return unbind_serve(request);
    case MANAGER_ACCESS: return access_serve(request);
    default:
        return problem_set(&request->problem, STATUS_PLAIN, "the manager knows no operation %u",
                           request->head->operation);
    }
}

static bool request_open(struct request *request, const struct cl_received *received,
                         const handle_t *handles) {
    request->head = (const struct manager_request *)request_bytes;
    u32 head_size = sizeof(*request->head);
    if (received->bytes_size < head_size || request->head->version != MANAGER_PROTOCOL_VERSION ||
        !records_open(&request->records, request_bytes + head_size,
                      received->bytes_size - head_size, handles, received->handles_count)) {
        for (u32 i = 0; i < received->handles_count; i++) {
            handle_close(handles[i]);
        }
        return problem_set(&request->problem, CONTAINER_STATUS_OURS,
                           "the manager does not understand the request (it speaks version %u)",
                           MANAGER_PROTOCOL_VERSION);
    }
    return true;
}

// Appends the records that the client has put into a memory object, where it has.
static bool request_read_words(struct request *request, u32 records_bytes) {
    u64 size = request->head->position;
    u64 room = sizeof(request_bytes) - sizeof(*request->head) - records_bytes;
    handle_t words = records_handle(&request->records, "words");
    char *bytes = request_bytes + sizeof(*request->head);
    if (!words) {
        return true;
    }
    if (size > room || memobj_read(words, 0, bytes + records_bytes, size) != OK ||
        !records_open(&request->records, bytes, records_bytes + (u32)size, request->records.handles,
                      request->records.handles_count)) {
        return problem_set(&request->problem, CONTAINER_STATUS_OURS,
                           "the command is too long, or can't be read");
    }
    return true;
}

void request_serve(void) {
    static struct request request;
    struct cl_received received;
    handle_t handles[RECORDS_HANDLES_MAX];
    status_t status = message_receive(manager.server, request_bytes, CL_MESSAGE_BYTES_MAX, handles,
                                      RECORDS_HANDLES_MAX, CL_DEADLINE_POLL, &received);
    if (status != OK) {
        if (status != ERR_SHOULD_WAIT) {
            log_line("manager: a request can't be taken: %s", cl_error_name(status));
        }
        return;
    }
    request.token = received.token;
    if (!request_open(&request, &received, handles)) {
        reply_problem(&request);
        return;
    }
    if (!request_read_words(&request, received.bytes_size - sizeof(struct manager_request)) ||
        !request_do(&request)) {
        reply_problem(&request);
    }
    records_close(&request.records);
}
