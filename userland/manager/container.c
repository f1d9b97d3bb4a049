// Containers by name, and their beginning.
#include "cloister.h"

#include "lib/container_protocol.h"
#include "lib/format.h"
#include "lib/log.h"
#include "lib/string.h"
#include "manager/container.h"
#include "manager/container_start.h"
#include "manager/waiters.h"

enum : u32 { CONTROL_SIGNALS = SIGNAL_READABLE | SIGNAL_PEER_CLOSED };

static struct list containers = LIST_INIT(containers);
static u64 last_id;

u64 now_ns(void) {
    u64 now = 0;
    clock_get(CL_CLOCK_MONOTONIC, &now);
    return now;
}

struct container *container_find(const char *name) {
    struct container *container;
    list_for_each(container, &containers, link) {
        if (strcmp(container->facts.name, name) == 0) {
            return container;
        }
    }
    return NULL;
}

struct container *container_after(u64 id) {
    struct container *container;
    list_for_each(container, &containers, link) {
        if (container->facts.id > id) {
            return container;
        }
    }
    return NULL;
}

// Fills in the name that was asked for, or makes one of the image's and the id.
static bool name_choose(struct container *container, const char *wanted, struct problem *problem) {
    struct manager_container *facts = &container->facts;
    if (!wanted) {
        do {
            facts->id = ++last_id;
            format_text(facts->name, sizeof(facts->name), "%.40s-%lu", facts->image, facts->id);
        } while (container_find(facts->name));
        return true;
    }
    if (!name_is_valid(wanted)) {
        return problem_set(problem, CONTAINER_STATUS_OURS,
                           "`%.64s` can't be a container's name: use letters, digits, `.`, `_` and "
                           "`-`, at most %u",
                           wanted, MANAGER_NAME_MAX);
    }
    if (container_find(wanted)) {
        return problem_set(problem, CONTAINER_STATUS_OURS,
                           "there is a container %s already (`rm %s` removes it)", wanted, wanted);
    }
    facts->id = ++last_id;
    memcpy(facts->name, wanted, strlen(wanted) + 1);
    return true;
}

// The words of the command, as far as there is room, for `ps`.
static void command_describe(struct container *container, const struct records *records) {
    char *text = container->facts.command;
    usize size = 0;
    const char *word = NULL;
    while (size < MANAGER_COMMAND_MAX && (word = records_next(records, 'a', word))) {
        size += format_text(text + size, MANAGER_COMMAND_MAX + 1 - size, size ? " %.63s" : "%.63s",
                            word);
    }
}

// Gives the record to the container that `start` has made.
static bool container_watch(struct container *container, const struct start *start,
                            struct problem *problem) {
    container->ns = start->ns;
    container->control = start->control;
    container->process = start->process;
    container->words = start->words;
    container->words_bytes = start->words_bytes;
    status_t status =
        port_register(manager.port, start->control, CONTROL_SIGNALS, (u64)container, 0);
    if (status == OK) {
        container->log = start->log;
        return true;
    }
    handle_close(start->log);
    ns_kill(start->ns);
    handle_close(start->ns);
    handle_close(start->control);
    handle_close(start->process);
    return problem_set(problem, CONTAINER_STATUS_OURS, "the container can't be watched");
}

static bool container_start(struct container *container, struct records *records,
                            struct problem *problem) {
    const char *image = records_next(records, 'i', NULL);
    struct start start = {
        .records = records,
        .name = container->facts.name,
        .is_kept = !(container->flags & MANAGER_FLAG_REMOVE),
    };
    if (!image) {
        return problem_set(problem, CONTAINER_STATUS_OURS, "the request names no image");
    }
    start.image = image_find(image, problem);
    if (!start.image) {
        return false;
    }
    memcpy(container->facts.image, image, strlen(image) + 1);
    return name_choose(container, records_next(records, 'n', NULL), problem) &&
           start_run(&start, problem) && container_watch(container, &start, problem);
}

struct container *container_run(struct records *records, u32 flags, struct problem *problem) {
    struct container *container = container_record_alloc();
    if (!container) {
        problem_set(problem, CONTAINER_STATUS_OURS,
                    "the manager has no memory for more containers");
        return NULL;
    }
    container->flags = flags;
    struct waiter *waiter =
        records_handle(records, "notify") ? waiter_add(container, WAITER_NOTIFY) : NULL;
    if (!container_start(container, records, problem)) {
        waiters_drop(container);
        container_record_free(container);
        return NULL;
    }
    if (waiter) waiter->notify = records_take(records, "notify");
    container->facts.state = MANAGER_STATE_RUNNING;
    container->facts.created_ns = now_ns();
    if (records_value(records, 'o', "tty")) container->facts.traits |= MANAGER_TRAIT_TERMINAL;
    if (records_value(records, 'o', "stdin")) container->facts.traits |= MANAGER_TRAIT_STDIN;
    command_describe(container, records);
    list_insert_tail(&containers, &container->link);
    return container;
}

void container_forget(struct container *container) {
    if (container->log) handle_close(container->log);
    list_remove(&container->link);
    container_record_free(container);
}

void containers_clear(void) {
    struct cl_ns_entry entry;
    u64 position = 0;
    while (ns_list(manager.containers, position, &entry, &position) == OK) {
        handle_t ns;
        if (entry.object_type != OBJ_NAMESPACE ||
            ns_open(manager.containers, (const char *)entry.name, entry.name_size, RIGHT_KILL,
                    &ns) != OK) {
            continue;
        }
        log_line("manager: container %.*s is lost: the manager was started again",
                 (int)entry.name_size, (const char *)entry.name);
        ns_kill(ns);
        handle_close(ns);
    }
}
