// `run` and `exec`: ask the manager for a container, or a process in one, and carry its streams until
// it has ended.
#include "cloister.h"

#include "abi/names.h"
#include "lib/format.h"
#include "lib/string.h"
#include "shell/client.h"
#include "shell/options.h"
#include "shell/output.h"
#include "shell/streams.h"
#include "shell/terminal.h"

enum { WORDS_BYTES_MAX = 32768 }; // more goes into a memory object

struct run {
    struct run_options options;
    struct streams streams;
    char name[MANAGER_NAME_MAX + 1];
};

static void words_write(const struct run *run, const struct words *words,
                        struct records_writer *writer) {
    run_options_write(&run->options, words, writer);
    for (const char *word = run->options.command; word; word = words_next(words, word))
        records_add(writer, 'a', word);
}

// The words in a memory object, for a message has no room for them. 0: an error was said.
static handle_t words_make(const struct run *run, const struct words *words, u64 *size_bytes) {
    static char bytes[LINE_CUT_MAX];
    struct records_writer writer;
    handle_t memobj = CL_HANDLE_INVALID;
    records_begin(&writer, bytes, sizeof(bytes));
    words_write(run, words, &writer);
    *size_bytes = writer.size_bytes;
    status_t status = memobj_create(0, page_round_up(writer.size_bytes), &memobj);
    if (status == OK) status = memobj_write(memobj, 0, bytes, writer.size_bytes);
    if (status != OK || writer.is_full) {
        if (memobj) handle_close(memobj);
        error_print("there is no room for the command: %s", cl_error_name(status));
        return CL_HANDLE_INVALID;
    }
    return memobj;
}

static void add_terminal(struct records_writer *writer) {
    char text[32];
    struct terminal_size size = terminal_size();
    format_text(text, sizeof(text), "%ux%u", size.rows, size.columns);
    records_add_pair(writer, 'o', "tty", text);
}

static bool request_write(struct run *run, const struct words *words) {
    bool is_long = words->size_bytes > WORDS_BYTES_MAX;
    u64 size_bytes = 0;
    handle_t memobj = is_long ? words_make(run, words, &size_bytes) : CL_HANDLE_INVALID;
    if (is_long && !memobj) return false;
    bool is_exec = run->options.verb == VERB_EXEC;
    struct records_writer *writer =
        request_begin(is_exec ? MANAGER_EXEC : MANAGER_RUN, run->options.flags, size_bytes);
    records_add(writer, is_exec ? 'n' : 'i', run->options.target);
    if (run->options.name) {
        records_add(writer, 'n', run->options.name);
    }
    if (is_long)
        records_add_handle(writer, "words", memobj);
    else
        words_write(run, words, writer);
    // Input comes from the console: a command that was given otherwise has none, and reads the end.
    u32 kind = run->options.is_interactive && shell.has_input ? STREAMS_INPUT : 0;
    if (run->options.has_terminal) {
        add_terminal(writer);
        kind |= STREAMS_TERMINAL;
    }
    return run->options.is_detached || streams_make(&run->streams, kind, writer);
}

static i32 container_start(struct run *run, const struct words *words) {
    i32 status;
    const struct manager_reply *reply;
    if (!request_write(run, words)) {
        request_drop();
        return STATUS_OURS;
    }
    if (!request_send(&reply, STATUS_OURS, &status)) return status;
    const struct manager_container *facts = reply_data(reply);
    memcpy(run->name, facts->name, sizeof(run->name));
    run->name[MANAGER_NAME_MAX] = 0;
    if (run->options.is_detached) {
        if (run->options.verb == VERB_RUN) output_print("%s\n", run->name);
        return STATUS_OK;
    }
    u32 exec_id = run->options.verb == VERB_EXEC ? (u32)reply->next_position : 0;
    return streams_run(&run->streams, run->name, exec_id);
}

static i32 program_run(const struct words *words, enum run_verb verb) {
    static struct run run;
    memset(&run, 0, sizeof(run));
    if (!run_options_read(words, verb, &run.options)) {
        return STATUS_OURS;
    }
    bool has_console = run.options.has_terminal && !run.options.is_detached;
    if (has_console) terminal_begin();
    i32 status = container_start(&run, words);
    streams_close(&run.streams);
    if (has_console) terminal_end();
    if (run.streams.is_detached) output_print("\ndetached from %s\n", run.name);
    return status;
}

i32 run_verb(const struct words *words) { return program_run(words, VERB_RUN); }

i32 exec_verb(const struct words *words) { return program_run(words, VERB_EXEC); }
