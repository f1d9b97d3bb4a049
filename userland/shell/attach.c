// `attach` and `start`: the streams of a container that runs, or runs again.
#include "cloister.h"

#include "lib/string.h"
#include "shell/client.h"
#include "shell/options.h"
#include "shell/output.h"
#include "shell/streams.h"
#include "shell/terminal.h"

// What the container's streams are: enum streams_kind. False: an error was said.
static bool kind_ask(const char *name, u32 *kind, i32 *status) {
    const struct manager_reply *reply;
    records_add(request_begin(MANAGER_INSPECT, 0, 0), 'n', name);
    if (!request_send(&reply, STATUS_FAILED, status)) return false;
    const struct manager_details *details = reply_data(reply);
    u32 traits = details->container.traits;
    bool has_terminal = traits & MANAGER_TRAIT_TERMINAL;
    bool has_input = (traits & MANAGER_TRAIT_STDIN) && shell.has_input;
    *kind = (has_terminal ? STREAMS_TERMINAL : 0) | (has_input ? STREAMS_INPUT : 0);
    return true;
}

static void anew_tell(const char *name, const struct manager_reply *reply) {
    if (reply->next_position != 0)
        error_print("container %s has lost its files; it begins from its image", name);
}

// ATTACH or START, and the streams until the end.
static i32 streams_ask(struct streams *streams, const char *name, u32 kind,
                       enum manager_operation operation) {
    i32 status;
    const struct manager_reply *reply;
    struct records_writer *writer = request_begin(operation, 0, 0);
    records_add(writer, 'n', name);
    if (!streams_make(streams, kind, writer)) {
        request_drop();
        return STATUS_FAILED;
    }
    if (!request_send(&reply, STATUS_FAILED, &status)) return status;
    if (operation == MANAGER_START) anew_tell(name, reply);
    return streams_run(streams, name, 0);
}

static i32 streams_take(const char *name, enum manager_operation operation, u32 kinds) {
    static struct streams streams;
    u32 kind;
    i32 status;
    if (!kind_ask(name, &kind, &status)) return status;
    kind &= kinds;
    if (kind & STREAMS_TERMINAL) terminal_begin();
    memset(&streams, 0, sizeof(streams));
    status = streams_ask(&streams, name, kind, operation);
    streams_close(&streams);
    if (kind & STREAMS_TERMINAL) terminal_end();
    if (streams.is_detached) output_print("\ndetached from %s\n", name);
    return status;
}

i32 attach_verb(const struct words *words) {
    const char *name = words_next(words, words_next(words, NULL));
    if (!name || words_next(words, name)) return usage_error("attach", "name one container");
    return streams_take(name, MANAGER_ATTACH, STREAMS_TERMINAL | STREAMS_INPUT);
}

static i32 start_detached(const char *name) {
    i32 status;
    const struct manager_reply *reply;
    records_add(request_begin(MANAGER_START, 0, 0), 'n', name);
    if (!request_send(&reply, STATUS_FAILED, &status)) return status;
    anew_tell(name, reply);
    output_print("%s\n", name);
    return STATUS_OK;
}

i32 start_verb(const struct words *words) {
    i32 first_status = STATUS_OK;
    const char *word = words_next(words, words_next(words, NULL));
    bool is_attached = false;
    u32 kinds = STREAMS_TERMINAL;
    for (;;) {
        if (option_flag(words, &word, "-a", "--attach"))
            is_attached = true;
        else if (option_flag(words, &word, "-i", "--interactive"))
            kinds |= STREAMS_INPUT;
        else
            break;
    }
    is_attached |= (kinds & STREAMS_INPUT) != 0;
    if (word && word[0] == '-') return usage_error("start", "option `%.64s` is not known", word);
    if (!word || (is_attached && words_next(words, word)))
        return usage_error("start", is_attached ? "name one container" : "which container?");
    for (; word; word = words_next(words, word)) {
        i32 status = is_attached ? streams_take(word, MANAGER_START, kinds) : start_detached(word);
        if (first_status == STATUS_OK) first_status = status;
    }
    return first_status;
}

i32 restart_verb(const struct words *words) {
    i32 first_status = STATUS_OK;
    const char *word = words_next(words, words_next(words, NULL));
    u64 timeout_ns;
    if (!stop_timeout_read("restart", words, &word, &timeout_ns)) return STATUS_OURS;
    if (!word || word[0] == '-') return usage_error("restart", "which container?");
    for (; word; word = words_next(words, word)) {
        i32 status;
        const struct manager_reply *reply;
        records_add(request_begin(MANAGER_STOP, 0, timeout_ns), 'n', word);
        if (request_send(&reply, STATUS_FAILED, &status)) status = start_detached(word);
        if (first_status == STATUS_OK) first_status = status;
    }
    return first_status;
}
