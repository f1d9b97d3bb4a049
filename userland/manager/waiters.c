#include "cloister.h"

#include "lib/format.h"
#include "lib/message.h"
#include "lib/string.h"
#include "manager/container.h"
#include "manager/waiters.h"

// Cut from the array one after the other; what was given back is used again first.
static struct waiter pool[WAITERS_MAX];
static u32 pool_used;
static struct list pool_free = LIST_INIT(pool_free);

struct waiter *waiter_add(struct container *container, enum waiter_kind kind) {
    struct waiter *waiter = list_first(&pool_free, struct waiter, link);
    if (waiter)
        list_remove(&waiter->link);
    else if (pool_used < WAITERS_MAX)
        waiter = &pool[pool_used++];
    if (!waiter) return NULL;
    *waiter = (struct waiter){.kind = kind};
    list_insert_tail(&container->waiters, &waiter->link);
    return waiter;
}

void waiter_free(struct waiter *waiter) {
    list_remove(&waiter->link);
    list_insert_head(&pool_free, &waiter->link);
}

void waiters_drop(struct container *container) {
    struct waiter *waiter;
    while ((waiter = list_first(&container->waiters, struct waiter, link)))
        waiter_free(waiter);
}

struct waiter *waiter_find(struct container *container, enum waiter_kind kind, u32 id) {
    struct waiter *waiter;
    list_for_each(waiter, &container->waiters, link) {
        if (waiter->kind == kind && waiter->id == id) return waiter;
    }
    return NULL;
}

void waiter_notify(struct waiter *waiter, const struct manager_end *end) {
    handle_t notify = waiter->notify;
    waiter_free(waiter);
    message_send(notify, end, sizeof(*end), NULL, 0);
    handle_close(notify);
}

void waiter_refuse(struct waiter *waiter, const char *problem) {
    struct {
        struct manager_reply head;
        char text[MANAGER_PROBLEM_MAX + 1];
    } reply = {.head = {.status = 1}};
    usize size = format_text(reply.text, sizeof(reply.text), "%s", problem);
    message_reply(manager.server, waiter->token, &reply,
                  sizeof(reply.head) + min(size, (usize)MANAGER_PROBLEM_MAX));
    waiter_free(waiter);
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

void ending_take(struct ending *ending, struct container *container) {
    struct waiter *waiter, *following;
    ending_begin(ending, container);
    list_for_each_safe(waiter, following, &container->waiters, link) {
        if (waiter->kind == WAITER_GONE || waiter->kind == WAITER_REPORT) continue;
        list_remove(&waiter->link);
        list_insert_tail(&ending->waiters, &waiter->link);
    }
}

static void call_answer(const struct waiter *waiter, const struct ending *ending) {
    struct {
        struct manager_reply head;
        struct manager_container facts;
    } reply = {.head = {.count = 1}, .facts = ending->facts};
    message_reply(manager.server, waiter->token, &reply, sizeof(reply));
}

void ending_tell(struct ending *ending) {
    struct waiter *waiter;
    while ((waiter = list_first(&ending->waiters, struct waiter, link))) {
        if (waiter->notify) {
            waiter_notify(waiter, &ending->end);
        } else if (waiter->kind == WAITER_REPORT) {
            waiter_refuse(waiter, "the container has ended");
        } else {
            call_answer(waiter, ending);
            waiter_free(waiter);
        }
    }
}
