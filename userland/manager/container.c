// Containers by name, and their beginning.
#include "cloister.h"

#include "abi/names.h"
#include "lib/container_protocol.h"
#include "lib/format.h"
#include "lib/heap.h"
#include "lib/log.h"
#include "lib/string.h"
#include "manager/container.h"
#include "manager/container_ask.h"
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

static bool name_check(const char *name, struct problem *problem) {
    if (!name_is_valid(name))
        return problem_set(problem, CONTAINER_STATUS_OURS,
                           "`%.64s` can't be a container's name: use letters, digits, `.`, `_` and "
                           "`-`, at most %u",
                           name, MANAGER_NAME_MAX);
    return !container_find(name) ||
           problem_set(problem, CONTAINER_STATUS_OURS,
                       "there is a container %s already (`rm %s` removes it)", name, name);
}

// Fills in the name that was asked for, or makes one of the image's and the id.
static bool name_choose(struct container *container, const char *wanted, struct problem *problem) {
    struct manager_container *facts = &container->facts;
    if (wanted && !name_check(wanted, problem)) return false;
    do {
        facts->id = ++last_id;
        if (!wanted)
            format_text(facts->name, sizeof(facts->name), "%.40s-%lu", facts->image, facts->id);
    } while (!wanted && container_find(facts->name));
    if (wanted) memcpy(facts->name, wanted, strlen(wanted) + 1);
    memcpy(container->hostname, facts->name, sizeof(container->hostname));
    return true;
}

bool container_rename(struct container *container, const char *name, struct problem *problem) {
    if (!name_check(name, problem)) return false;
    memcpy(container->facts.name, name, strlen(name) + 1);
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
static bool container_watch(struct container *container, struct start *start,
                            struct problem *problem) {
    status_t status =
        port_register(manager.port, start->control, CONTROL_SIGNALS, (u64)container, 0);
    if (status != OK) {
        handle_close(start->process);
        start_undo(start);
        return problem_set(problem, CONTAINER_STATUS_OURS, "the container can't be watched: %s",
                           cl_error_name(status));
    }
    container->ns = start->ns;
    container->control = start->control;
    container->process = start->process;
    container->is_native = start->is_native;
    container->user = start->user;
    container->words = start->words;
    container->words_bytes = start->words_bytes;
    container->log = start->log;
    return true;
}

// By the records of a request, or of the start before.
static bool container_start(struct container *container, struct records *records,
                            struct problem *problem) {
    struct start start = {
        .records = records,
        .name = container->facts.name,
        .hostname = container->hostname,
        .id = container->facts.id,
        .is_kept = !(container->flags & MANAGER_FLAG_REMOVE),
        .may_nest = container->flags & MANAGER_FLAG_NEST,
        .log = container->log,
    };
    u64 before_ns = now_ns(); // it may run before we do again
    start.image = image_find(container->facts.image, problem);
    bool is_started =
        start.image && start_run(&start, problem) && container_watch(container, &start, problem);
    if (is_started) container->facts.started_ns = before_ns;
    return is_started;
}

static bool container_name(struct container *container, struct records *records,
                           struct problem *problem) {
    const char *image = records_next(records, 'i', NULL);
    if (!image) return problem_set(problem, CONTAINER_STATUS_OURS, "the request names no image");
    if (!image_find(image, problem)) return false;
    memcpy(container->facts.image, image, strlen(image) + 1);
    return name_choose(container, records_next(records, 'n', NULL), problem);
}

// The waiter for whom its end is told, where the records have a `notify`; else it is NULL.
static bool container_notify(struct container *container, const struct records *records,
                             struct waiter **waiter, struct problem *problem) {
    bool is_wanted = records_handle(records, "notify") != CL_HANDLE_INVALID;
    *waiter = is_wanted ? waiter_add(container, WAITER_NOTIFY) : NULL;
    return *waiter || !is_wanted ||
           problem_set(problem, CONTAINER_STATUS_OURS, "too many wait for container %s",
                       container->facts.name);
}

static void container_started(struct container *container, struct records *records,
                              struct waiter *waiter) {
    if (waiter) waiter->channel = records_take(records, "notify");
    container->is_last_chance = false;
    container->facts.state = MANAGER_STATE_RUNNING;
    container->facts.ended_ns = 0;
    container->facts.status = 0;
    container->problem = NULL;
}

struct container *container_run(struct records *records, u32 flags, struct problem *problem) {
    struct container *container = container_record_alloc();
    if (!container) {
        problem_set(problem, CONTAINER_STATUS_OURS,
                    "the manager has no memory for more containers");
        return NULL;
    }
    container->flags = flags;
    struct waiter *waiter;
    if (!container_name(container, records, problem) ||
        !container_notify(container, records, &waiter, problem) ||
        !container_start(container, records, problem)) {
        if (!list_is_empty(&container->waiters)) waiter_free(waiter);
        container_record_free(container);
        return NULL;
    }
    container_started(container, records, waiter);
    container->facts.created_ns = container->facts.started_ns;
    if (records_value(records, 'o', "tty")) container->facts.traits |= MANAGER_TRAIT_TERMINAL;
    if (records_value(records, 'o', "stdin")) container->facts.traits |= MANAGER_TRAIT_STDIN;
    if (container->is_native) container->facts.traits |= MANAGER_TRAIT_NATIVE;
    command_describe(container, records);
    list_insert_tail(&containers, &container->link);
    return container;
}

// The request's handles with the words of the start before: its h records come behind them.
static bool words_join(const struct container *container, const struct records *records,
                       struct records *joined, struct problem *problem) {
    char *bytes = heap_alloc(container->words_bytes + records->size_bytes);
    if (!bytes)
        return problem_set(problem, CONTAINER_STATUS_OURS, "the manager has no memory for it");
    memcpy(bytes, container->words, container->words_bytes);
    memcpy(bytes + container->words_bytes, records->bytes, records->size_bytes);
    return records_open(joined, bytes, container->words_bytes + records->size_bytes,
                        records->handles, records->handles_count);
}

// With the personality that is there.
static bool container_continue(struct container *container, struct records *records,
                               struct problem *problem) {
    struct records words;
    struct container_request request = {.operation = CONTAINER_START};
    struct records_writer writer;
    records_open(&words, container->words, container->words_bytes, NULL, 0);
    container_ask_begin(&writer);
    for (const char *kind = "aeo"; *kind; kind++) {
        const char *text = NULL;
        while ((text = records_next(&words, *kind, text)))
            records_add(&writer, *kind, text);
    }
    container_pass_streams(&writer, records);
    status_t status = container_ask(container, &request, &writer);
    return status == OK ||
           problem_set(problem, CONTAINER_STATUS_OURS, "container %s can't be asked: %s",
                       container->facts.name, cl_error_name(status));
}

// From the image, and with the log that there is.
static bool container_begin_anew(struct container *container, struct records *records,
                                 struct problem *problem) {
    struct records joined;
    char *words = container->words;
    if (!words_join(container, records, &joined, problem)) return false;
    bool is_started = container_start(container, &joined, problem);
    heap_free((void *)joined.bytes);
    memcpy(records->handles, joined.handles, sizeof(joined.handles)); // those that were not taken
    heap_free(is_started ? words : NULL);
    container->is_attended &= !is_started;
    return is_started;
}

bool container_restart(struct container *container, struct records *records, bool *is_anew,
                       struct problem *problem) {
    struct waiter *waiter;
    *is_anew = container->ns == CL_HANDLE_INVALID;
    if (!container_notify(container, records, &waiter, problem)) return false;
    bool is_started = *is_anew ? container_begin_anew(container, records, problem)
                               : container_continue(container, records, problem);
    if (!is_started) {
        if (waiter) waiter_free(waiter);
        return false;
    }
    container_started(container, records, waiter);
    return true;
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
