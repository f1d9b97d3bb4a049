#include "cloister.h"

#include "abi/names.h"
#include "lib/container_protocol.h"
#include "lib/format.h"
#include "lib/heap.h"
#include "lib/message.h"
#include "manager/container.h"
#include "manager/waiters.h"

// How many there may be of a kind, for each container.
static const u32 limits[] = {
    [WAITER_END] = 64,    [WAITER_GONE] = 64,  [WAITER_NOTIFY] = 16,
    [WAITER_REPORT] = 16, [WAITER_EXEC] = 512,
};

static bool client_is_gone(const struct waiter *waiter) {
    u32 observed;
    return waiter->channel && waiter->kind != WAITER_EXEC &&
           object_wait(waiter->channel, SIGNAL_PEER_CLOSED, 0, CL_DEADLINE_POLL, &observed) == OK;
}

// Forgets those whose client has left; how many of the kind there are then.
static u32 waiters_count(struct container *container, enum waiter_kind kind) {
    struct waiter *waiter, *following;
    u32 count = 0;
    list_for_each_safe(waiter, following, &container->waiters, link) {
        if (waiter->kind != kind) continue;
        count++;
        if (count < limits[kind] || !client_is_gone(waiter)) continue;
        waiter_free(waiter);
        count--;
    }
    return count;
}

struct waiter *waiter_add(struct container *container, enum waiter_kind kind) {
    if (waiters_count(container, kind) >= limits[kind]) return NULL;
    struct waiter *waiter = heap_alloc_zero(sizeof(*waiter));
    if (!waiter) return NULL;
    waiter->kind = kind;
    list_insert_tail(&container->waiters, &waiter->link);
    return waiter;
}

void waiter_free(struct waiter *waiter) {
    if (waiter->channel) handle_close(waiter->channel);
    list_remove(&waiter->link);
    heap_free(waiter);
}

struct waiter *waiter_find(struct container *container, enum waiter_kind kind, u32 id) {
    struct waiter *waiter;
    list_for_each(waiter, &container->waiters, link) {
        if (waiter->kind == kind && waiter->id == id) return waiter;
    }
    return NULL;
}

void waiter_notify(struct waiter *waiter, const struct manager_end *end) {
    if (waiter->channel) message_send(waiter->channel, end, sizeof(*end), NULL, 0);
    waiter_free(waiter);
}

void waiter_answer(struct waiter *waiter, const struct manager_reply *reply, usize size_bytes) {
    if (waiter->channel)
        message_send(waiter->channel, reply, size_bytes, NULL, 0);
    else if (waiter->token)
        message_reply(manager.server, waiter->token, reply, size_bytes);
    waiter_free(waiter);
}

void waiter_refuse(struct waiter *waiter, const char *problem) {
    struct {
        struct manager_reply head;
        char text[MANAGER_PROBLEM_MAX + 1];
    } reply = {.head = {.status = 1}};
    usize size = format_text(reply.text, sizeof(reply.text), "%s", problem);
    waiter_answer(waiter, &reply.head, sizeof(reply.head) + min(size, (usize)MANAGER_PROBLEM_MAX));
}

void waiters_leave(struct container *container, const struct waiter *attached) {
    struct waiter *waiter, *following;
    const struct manager_end end = {
        .version = MANAGER_PROTOCOL_VERSION,
        .status = CONTAINER_STATUS_OURS,
        .problem = "another client has attached to it",
    };
    list_for_each_safe(waiter, following, &container->waiters, link) {
        if (waiter->kind == WAITER_NOTIFY && waiter != attached) waiter_notify(waiter, &end);
    }
}

static void ending_begin(struct ending *ending, const struct container *container) {
    list_init(&ending->waiters);
    ending->facts = container->facts;
    ending->end = (struct manager_end){
        .version = MANAGER_PROTOCOL_VERSION,
        .status = container->facts.status,
    };
    if (container->problem)
        format_text(ending->end.problem, sizeof(ending->end.problem), "%s", container->problem);
}

void ending_take_gone(struct ending *ending, struct container *container) {
    struct waiter *waiter;
    ending_begin(ending, container);
    while ((waiter = list_first(&container->waiters, struct waiter, link))) {
        list_remove(&waiter->link);
        list_insert_tail(&ending->waiters, &waiter->link);
    }
}

// The report of an EXEC may still be on its way.
static void exec_tell(struct waiter *waiter, const struct manager_end *end) {
    if (!waiter->channel) return;
    message_send(waiter->channel, end, sizeof(*end), NULL, 0);
    handle_close(waiter->channel);
    waiter->channel = CL_HANDLE_INVALID;
}

void ending_take(struct ending *ending, struct container *container) {
    struct waiter *waiter, *following;
    ending_begin(ending, container);
    list_for_each_safe(waiter, following, &container->waiters, link) {
        if (waiter->kind == WAITER_EXEC) exec_tell(waiter, &ending->end);
        if (waiter->kind != WAITER_END && waiter->kind != WAITER_NOTIFY) continue;
        list_remove(&waiter->link);
        list_insert_tail(&ending->waiters, &waiter->link);
    }
}

void ending_tell(struct ending *ending) {
    struct waiter *waiter;
    const struct {
        struct manager_reply head;
        struct manager_container facts;
    } reply = {.head = {.count = 1}, .facts = ending->facts};
    while ((waiter = list_first(&ending->waiters, struct waiter, link))) {
        if (waiter->kind == WAITER_NOTIFY || waiter->kind == WAITER_EXEC)
            waiter_notify(waiter, &ending->end);
        else if (waiter->kind == WAITER_REPORT)
            waiter_refuse(waiter, "the container has ended");
        else
            waiter_answer(waiter, &reply.head, sizeof(reply));
    }
}
