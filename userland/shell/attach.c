// `attach`: the streams of a container that runs.
#include "cloister.h"

#include "lib/string.h"
#include "shell/client.h"
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
    bool has_input = (traits & MANAGER_TRAIT_STDIN) && !shell.command;
    *kind = (has_terminal ? STREAMS_TERMINAL : 0) | (has_input ? STREAMS_INPUT : 0);
    return true;
}

static i32 attach(struct streams *streams, const char *name, u32 kind) {
    i32 status;
    const struct manager_reply *reply;
    struct records_writer *writer = request_begin(MANAGER_ATTACH, 0, 0);
    records_add(writer, 'n', name);
    if (!streams_make(streams, kind, writer)) {
        request_drop();
        return STATUS_FAILED;
    }
    if (!request_send(&reply, STATUS_FAILED, &status)) return status;
    return streams_run(streams, name, 0);
}

i32 attach_verb(const struct words *words) {
    static struct streams streams;
    u32 kind;
    i32 status;
    const char *name = words_next(words, words_next(words, NULL));
    if (!name || words_next(words, name)) return usage_error("attach", "name one container");
    if (!kind_ask(name, &kind, &status)) return status;
    if (kind & STREAMS_TERMINAL) terminal_begin();
    memset(&streams, 0, sizeof(streams));
    status = attach(&streams, name, kind);
    streams_close(&streams);
    if (kind & STREAMS_TERMINAL) terminal_end();
    if (streams.is_detached) output_print("\ndetached from %s\n", name);
    return status;
}
