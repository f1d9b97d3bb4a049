// The start of a container, from the client's request to the clone of the personality. This is the
// path that `./cloister bench` measures as container_start.
#include "cloister.h"

#include "abi/names.h"
#include "lib/container_protocol.h"
#include "lib/format.h"
#include "lib/heap.h"
#include "lib/loader.h"
#include "lib/log_ring.h"
#include "lib/message.h"
#include "lib/string.h"
#include "manager/container_ask.h"
#include "manager/container_start.h"
#include "manager/limits.h"

enum : u32 {
    // Not OWNER, MANAGE or KILL: a container neither opens what it was not given nor sets limits. With
    // OWNER it makes namespaces below its own.
    NAMESPACE_RIGHTS = RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_INSPECT | RIGHT_WAIT |
        RIGHT_CREATE | RIGHT_OPEN | RIGHT_LIST | RIGHT_BIND,
    NEST_RIGHTS = NAMESPACE_RIGHTS | RIGHT_OWNER,
    IMAGE_RIGHTS = RIGHT_READ | RIGHT_EXECUTE | RIGHT_INSPECT | RIGHT_TRANSFER | RIGHT_DUPLICATE,
    LOG_RIGHTS = RIGHT_READ | RIGHT_WRITE | RIGHT_TRANSFER,
    LOG_NATIVE_RIGHTS = LOG_RIGHTS | RIGHT_DUPLICATE | RIGHT_INSPECT, // init gives it to its shell
};

enum {
    MESSAGES_BYTES_MAX = 2 * CL_MESSAGE_BYTES_MAX,
    FIXED_BYTES_MAX = 1024, // of records that are not the request's or the image's
};
static char start_bytes[MESSAGES_BYTES_MAX];
// The `m` record of a start message in two parts.
static const char more_format[] = "%010u";
static const char more_room[] = "0000000000";

static bool refused(struct problem *problem, const char *what, status_t status) {
    return problem_set(problem, CONTAINER_STATUS_OURS, "%s: %s", what, cl_error_name(status));
}

// A line of the image's text as a record.
static void add_line(struct records_writer *writer, char kind, const char *line, u32 size) {
    char text[PAGE_SIZE];
    memcpy(text, line, size);
    text[size] = 0;
    records_add(writer, kind, text);
}

static bool add_command(struct records_writer *writer, const struct start *start,
                        struct problem *problem) {
    const char *word = NULL;
    u32 words_count = 0;
    for (; (word = records_next(start->records, 'a', word)); words_count++) {
        records_add(writer, 'a', word);
    }
    u32 size;
    const char *line = NULL;
    while (!records_next(start->records, 'a', NULL) &&
           (line = image_line(start->image, "command", line, &size))) {
        add_line(writer, 'a', line, size);
        words_count++;
    }
    if (words_count == 0 && !start->is_native) {
        return problem_set(problem, CONTAINER_STATUS_OURS,
                           "image %s has no command of its own: say which program to run",
                           start->image->name);
    }
    return true;
}

static void add_environment(struct records_writer *writer, const struct start *start) {
    const char *pair = NULL;
    while ((pair = records_next(start->records, 'e', pair))) {
        records_add(writer, 'e', pair);
    }
    u32 size;
    const char *line = NULL;
    while ((line = image_line(start->image, "env", line, &size))) {
        if (!records_has_key(start->records, 'e', line, size)) {
            add_line(writer, 'e', line, size);
        }
    }
}

// Options that pass from the client to the personality as they are.
static void add_options(struct records_writer *writer, const struct start *start) {
    static const char *const passed[] = {"cwd", "user", "tty", "stdin", "nofile", "trace"};
    records_add_pair(writer, 'o', "hostname", start->hostname);
    if (start->has_log) records_add_pair(writer, 'o', "log", "1");
    if (start->is_native && manager.cpus) records_add_pair(writer, 'o', "cpus", manager.cpus);
    if (start->is_kept) records_add_pair(writer, 'o', "keep", "1");
    for (u32 i = 0; i < ARRAY_SIZE(passed); i++) {
        const char *value = records_value(start->records, 'o', passed[i]);
        if (value) records_add_pair(writer, 'o', passed[i], value);
    }
    for (u32 i = 0; i < LIMIT_KEYS; i++) {
        const char *value = records_value(start->records, 'o', limit_keys[i]);
        if (value) records_add_pair(writer, 'o', limit_keys[i], value);
    }
}

// Copies for the container of handles that the manager keeps, then those that the client gave.
static bool add_handles(struct records_writer *writer, const struct start *start,
                        struct problem *problem) {
    handle_t ns, image, log;
    status_t status = start->may_nest
                          ? handle_duplicate(start->ns, NEST_RIGHTS, &ns)
                          : ns_handle_for_user(start->ns, start->user, NAMESPACE_RIGHTS, &ns);
    if (status != OK) {
        return refused(problem, "the container's namespace can't be given", status);
    }
    records_add_handle(writer, "ns", ns);
    status = handle_duplicate(start->image->memobj, IMAGE_RIGHTS, &image);
    if (status != OK) {
        return refused(problem, "the image can't be given", status);
    }
    records_add_handle(writer, start->is_native ? "bundle" : "image", image);
    status = handle_duplicate(start->log, start->is_native ? LOG_NATIVE_RIGHTS : LOG_RIGHTS, &log);
    if (status != OK) {
        return refused(problem, "the log can't be given", status);
    }
    records_add_handle(writer, "log", log);
    container_pass_streams(writer, start->records);
    return true;
}

// A copy of the words, for EXEC's environment and for a second start.
static bool words_keep(const struct records_writer *writer, struct start *start,
                       struct problem *problem) {
    u32 skipped = writer->bytes[0] == 'm' ? sizeof(more_room) + 1 : 0;
    start->words_bytes = writer->size_bytes - skipped;
    start->words = heap_alloc(start->words_bytes);
    if (!start->words)
        return problem_set(problem, CONTAINER_STATUS_OURS,
                           "the manager has no memory for the command");
    memcpy(start->words, writer->bytes + skipped, start->words_bytes);
    return true;
}

static bool message_write(struct records_writer *writer, struct start *start,
                          struct problem *problem) {
    records_begin(writer, start_bytes,
                  start->is_native ? CL_MESSAGE_BYTES_MAX : sizeof(start_bytes));
    if (!start->is_native &&
        start->records->size_bytes > CL_MESSAGE_BYTES_MAX - PAGE_SIZE - FIXED_BYTES_MAX)
        records_add(writer, 'm', more_room);
    if (!add_command(writer, start, problem)) {
        return false;
    }
    add_environment(writer, start);
    add_options(writer, start);
    if (!words_keep(writer, start, problem)) {
        return false;
    }
    if (!add_handles(writer, start, problem)) {
        return false;
    }
    if (writer->is_full) {
        return problem_set(problem, CONTAINER_STATUS_OURS,
                           "the command and its environment are longer than %u KiB",
                           writer->room_bytes >> 10);
    }
    return true;
}

// Sends the records in one message, or in two where the room was left to say so.
static status_t message_post(handle_t control, struct records_writer *writer) {
    u32 first_bytes = min(writer->size_bytes, (u32)CL_MESSAGE_BYTES_MAX);
    u32 rest_bytes = writer->size_bytes - first_bytes;
    if (writer->bytes[0] == 'm')
        format_text(writer->bytes + 1, sizeof(more_room), more_format, rest_bytes);
    status_t status =
        message_send(control, writer->bytes, first_bytes, writer->handles, writer->handles_count);
    if (status == OK) writer->handles_count = 0;
    if (status == OK && rest_bytes > 0)
        status = message_send(control, writer->bytes + first_bytes, rest_bytes, NULL, 0);
    return status;
}

// The control channel, with the start message waiting in it.
static bool control_make(struct start *start, struct records_writer *writer, handle_t *theirs,
                         struct problem *problem) {
    struct cl_channel_options options = {.send_bytes_max = MESSAGES_BYTES_MAX + FIXED_BYTES_MAX,
                                         .first_bytes_max = CONTAINER_REPORTS_BYTES_MAX};
    status_t status = channel_create(0, start->ns, &options, &start->control, theirs);
    if (status != OK) {
        return refused(problem, "no control channel", status);
    }
    status = message_post(start->control, writer);
    if (status != OK) {
        handle_close(*theirs);
        return refused(problem, "the container can't be told what to run", status);
    }
    return true;
}

static bool personality_clone(struct start *start, handle_t theirs, struct problem *problem) {
    struct cl_clone_options options;
    status_t status = random_get(options.random, sizeof(options.random));
    if (status == OK) {
        status = process_clone(manager.template, start->ns, &options, theirs, &start->process);
    }
    if (status != OK) {
        handle_close(theirs);
        return refused(problem, "the container's personality can't be cloned", status);
    }
    return true;
}

// A program of the image's itself, for an image that is a boot bundle.
static bool native_start(struct start *start, struct records_writer *writer,
                         struct problem *problem) {
    const char *detail;
    status_t status = program_start(start->ns, start->image->memobj, start->image->native, writer,
                                    &start->process, &start->control, &detail);
    return status == OK ||
           problem_set(problem, CONTAINER_STATUS_OURS, "image %s: %s: %s %s", start->image->name,
                       start->image->native, cl_error_name(status), detail);
}

static bool namespace_make(struct start *start, struct problem *problem) {
    struct cl_ns_limits limits;
    limits_read(start->records, &limits);
    status_t status =
        ns_create(manager.containers, start->name, (u32)strlen(start->name), &limits, &start->ns);
    if (status == ERR_ALREADY_EXISTS) { // of a container that has another name by now
        char name[CL_NAME_MAX];
        format_text(name, sizeof(name), "%s.%lu", start->name, start->id);
        status = ns_create(manager.containers, name, (u32)strlen(name), &limits, &start->ns);
    }
    return status == OK || refused(problem, "the container's namespace can't be made", status);
}

// The log is on the account of all containers together: it outlives the container's own.
static bool log_make(struct start *start, struct problem *problem) {
    start->has_log = start->log != CL_HANDLE_INVALID;
    if (start->has_log) return true;
    status_t status = memobj_create(manager.containers, LOG_RING_BYTES, &start->log);
    return status == OK || refused(problem, "the log can't be made", status);
}

void start_undo(struct start *start) {
    heap_free(start->words);
    if (start->log && !start->has_log) handle_close(start->log);
    if (start->control) {
        handle_close(start->control);
    }
    ns_kill(start->ns);
    handle_close(start->ns);
}

static bool personality_start(struct start *start, struct records_writer *writer,
                              struct problem *problem) {
    handle_t theirs;
    return control_make(start, writer, &theirs, problem) &&
           personality_clone(start, theirs, problem);
}

static bool images_bind(struct start *start, struct problem *problem) {
    status_t status = start->may_nest ? images_give(start->ns) : OK;
    return status == OK || refused(problem, "the images can't be given", status);
}

static bool start_check(struct start *start, struct problem *problem) {
    start->is_native = start->image->native[0] != 0;
    if (start->image->needs_nest && !start->may_nest)
        return problem_set(problem, CONTAINER_STATUS_OURS,
                           "image %s makes containers of its own: run it with --nest",
                           start->image->name);
    if (!start->is_native && !manager.template)
        return problem_set(problem, CONTAINER_STATUS_OURS,
                           "there is no personality to run programs with (the log says why)");
    return true;
}

bool start_run(struct start *start, struct problem *problem) {
    struct records_writer writer = {};
    start->user = image_user(start->image, records_value(start->records, 'o', "user"));
    if (!start_check(start, problem) || !namespace_make(start, problem)) return false;
    if (log_make(start, problem) && images_bind(start, problem) &&
        message_write(&writer, start, problem) &&
        (start->is_native ? native_start(start, &writer, problem)
                          : personality_start(start, &writer, problem)))
        return true;
    records_writer_close(&writer);
    start_undo(start);
    return false;
}
