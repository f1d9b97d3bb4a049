// `run`: asks the manager for a container and carries its streams until it has ended.
//
// The channels of the streams are made here and their far ends handed over, so that bytes come
// straight from the container. The end is told on one more channel, `notify`, when the container's
// last page is back; what it wrote is all there by then.
#include "cloister.h"

#include "abi/names.h"
#include "lib/container_protocol.h"
#include "lib/message.h"
#include "lib/string.h"
#include "shell/client.h"
#include "shell/editor.h"
#include "shell/input.h"
#include "shell/options.h"
#include "shell/output.h"

enum {
    STREAM_BYTES_MAX = 65536,
    WORDS_BYTES_MAX = 32768, // more goes into a memory object
    KEY_CTRL_D = 4,
};
enum end : u32 { END_NOTIFY, END_STDOUT, END_STDERR, END_STDIN, ENDS_COUNT, END_CONSOLE };
static const char *const end_names[ENDS_COUNT] = {"notify", "stdout", "stderr", "stdin"};

struct run {
    struct run_options options;
    handle_t ours[ENDS_COUNT]; // 0: it is not there, or closed
    char name[MANAGER_NAME_MAX + 1];
    bool has_ended;
    struct manager_end end;
};

static char stream_bytes[STREAM_BYTES_MAX];
static struct editor typed; // with -i

// Input comes from the console: a command of `run -c` has none, and reads the end at once.
static bool is_wanted(const struct run *run, enum end end) {
    if (run->options.is_detached) return false;
    return end != END_STDIN || (run->options.is_interactive && !shell.command);
}

// A channel with one end for us and one for the request.
static bool end_make(struct run *run, enum end end, struct records_writer *writer) {
    struct cl_channel_options options = {.send_bytes_max = STREAM_BYTES_MAX};
    handle_t theirs;
    status_t status = channel_create(0, 0, &options, &run->ours[end], &theirs);
    if (status == OK && end != END_STDIN) {
        status =
            port_register(shell.port, run->ours[end], SIGNAL_READABLE | SIGNAL_PEER_CLOSED, end, 0);
    }
    if (status != OK) {
        error_print("the container's %s can't be made: %s", end_names[end], cl_error_name(status));
        return false;
    }
    records_add_handle(writer, end_names[end], theirs);
    return true;
}

static void end_close(struct run *run, enum end end) {
    if (run->ours[end]) {
        if (end != END_STDIN) {
            port_unregister(shell.port, end);
        }
        handle_close(run->ours[end]);
        run->ours[end] = CL_HANDLE_INVALID;
    }
}

static void words_write(const struct run *run, const struct words *words,
                        struct records_writer *writer) {
    run_options_environment(words, writer);
    for (const char *word = run->options.command; word; word = words_next(words, word))
        records_add(writer, 'a', word);
}

// The words in a memory object, for a message has no room for them. 0: an error was said.
static handle_t words_make(const struct run *run, const struct words *words, u64 *size_bytes) {
    static char bytes[LINE_CUT_MAX];
    struct records_writer writer;
    handle_t memobj;
    records_begin(&writer, bytes, sizeof(bytes));
    words_write(run, words, &writer);
    *size_bytes = writer.size_bytes;
    status_t status = memobj_create(0, page_round_up(writer.size_bytes), &memobj);
    if (status == OK) status = memobj_write(memobj, 0, bytes, writer.size_bytes);
    if (status != OK || writer.is_full) {
        error_print("there is no room for the command: %s", cl_error_name(status));
        return CL_HANDLE_INVALID;
    }
    return memobj;
}

static bool request_write(struct run *run, const struct words *words) {
    bool is_long = words->size_bytes > WORDS_BYTES_MAX;
    u64 size_bytes = 0;
    handle_t memobj = is_long ? words_make(run, words, &size_bytes) : CL_HANDLE_INVALID;
    if (is_long && !memobj) return false;
    struct records_writer *writer = request_begin(MANAGER_RUN, run->options.flags, size_bytes);
    records_add(writer, 'i', run->options.image);
    if (run->options.name) {
        records_add(writer, 'n', run->options.name);
    }
    if (is_long)
        records_add_handle(writer, "words", memobj);
    else
        words_write(run, words, writer);
    for (enum end end = 0; end < ENDS_COUNT; end++) {
        if (is_wanted(run, end) && !end_make(run, end, writer)) {
            return false;
        }
    }
    return true;
}

// Takes one message of a stream; false: nothing is there now.
static bool stream_take(struct run *run, enum end end) {
    struct cl_received received;
    status_t status = message_receive(run->ours[end], stream_bytes, sizeof(stream_bytes), NULL, 0,
                                      CL_DEADLINE_POLL, &received);
    if (status == OK) {
        output_write(end == END_STDOUT ? STREAM_OUTPUT : STREAM_ERROR, stream_bytes,
                     received.bytes_size);
        return true;
    }
    if (status != ERR_SHOULD_WAIT) {
        end_close(run, end);
    }
    return false;
}

// The end is whole when the manager has closed its end, too: then it holds nothing of the container.
static void notify_take(struct run *run) {
    struct cl_received received;
    struct manager_end end;
    status_t status = message_receive(run->ours[END_NOTIFY], &end, sizeof(end), NULL, 0,
                                      CL_DEADLINE_POLL, &received);
    if (status == OK && received.bytes_size == sizeof(end)) {
        run->end = end;
        run->end.problem[MANAGER_PROBLEM_MAX] = 0;
    } else if (status != ERR_SHOULD_WAIT) {
        run->has_ended = true;
    }
}

static void container_kill(const struct run *run) {
    i32 status;
    const struct manager_reply *reply;
    records_add(request_begin(MANAGER_KILL, 0, 0), 'n', run->name);
    request_send(&reply, STATUS_FAILED, &status);
}

static void typed_echo(const char *bytes, usize size_bytes) {
    output_write(STREAM_OUTPUT, bytes, size_bytes);
}

// Sends what was typed to the container, and forgets it.
static void typed_send(struct run *run) {
    for (u32 at = 0; at < typed.size_bytes; at += CONTAINER_STREAM_BYTES_MAX) {
        u32 size_bytes = min(typed.size_bytes - at, (u32)CONTAINER_STREAM_BYTES_MAX);
        if (message_send(run->ours[END_STDIN], typed.line + at, size_bytes, NULL, 0) ==
            ERR_SHOULD_WAIT)
            error_print("the container does not read: %u bytes are lost", size_bytes);
    }
    typed.size_bytes = 0;
}

// A line is sent when it is whole; Ctrl-D sends what there is of one, or ends the input.
static void typed_take(struct run *run, char byte) {
    if (byte == KEY_CTRL_D && typed.size_bytes == 0) {
        end_close(run, END_STDIN);
    } else if (byte == KEY_CTRL_D) {
        typed_send(run);
    } else if (editor_take(&typed, byte, typed_echo) == EDITOR_LINE) {
        if (typed.size_bytes < LINE_BYTES_MAX) typed.line[typed.size_bytes++] = '\n';
        typed_send(run);
    }
}

// What is typed while the container runs: Ctrl-C kills it; with -i the rest is its input, without
// it waits for the shell.
static void console_take(struct run *run) {
    i32 byte;
    input_poll();
    if (input_interrupted()) {
        output_write(STREAM_OUTPUT, "^C\n", 3);
        container_kill(run);
    }
    while (run->ours[END_STDIN] && (byte = input_take()) >= 0)
        typed_take(run, (char)byte);
}

static void event_serve(struct run *run, u64 key) {
    switch (key) {
    case END_STDOUT:
    case END_STDERR: stream_take(run, (enum end)key); break;
    case END_NOTIFY: notify_take(run); break;
    default: console_take(run);
    }
}

// Carries the streams until the end is told; then what is left of them.
static void streams_carry(struct run *run) {
    bool has_console = !shell.command && port_register(shell.port, shell.console, SIGNAL_READABLE,
                                                       END_CONSOLE, 0) == OK;
    if (has_console) console_take(run); // what was typed ahead
    while (!run->has_ended) {
        u64 key;
        u32 signals;
        status_t status = port_wait(shell.port, 0, CL_DEADLINE_POLL, &key, &signals);
        if (status == ERR_TIMED_OUT) {
            output_flush();
            status = port_wait(shell.port, 0, CL_DEADLINE_NEVER, &key, &signals);
        }
        if (status != OK) {
            break;
        }
        event_serve(run, key);
    }
    for (enum end end = END_STDOUT; end <= END_STDERR; end++) {
        while (run->ours[end] && stream_take(run, end)) {
        }
    }
    if (has_console) {
        port_unregister(shell.port, END_CONSOLE);
    }
}

static i32 container_start(struct run *run, const struct words *words) {
    i32 status;
    const struct manager_reply *reply;
    if (!request_write(run, words) || !request_send(&reply, STATUS_OURS, &status)) {
        return STATUS_OURS;
    }
    const struct manager_container *facts = reply_data(reply);
    memcpy(run->name, facts->name, sizeof(run->name));
    run->name[MANAGER_NAME_MAX] = 0;
    if (run->options.is_detached) {
        output_print("%s\n", run->name);
        return STATUS_OK;
    }
    run->end = (struct manager_end){.status = STATUS_OURS, .problem = "the manager is gone"};
    streams_carry(run);
    if (run->end.problem[0]) {
        error_print("container %s: %s", run->name, run->end.problem);
    }
    return run->end.status;
}

i32 run_verb(const struct words *words) {
    static struct run run;
    memset(&run, 0, sizeof(run));
    typed.size_bytes = 0;
    if (!run_options_read(words, &run.options)) {
        return STATUS_OURS;
    }
    i32 status = container_start(&run, words);
    for (enum end end = 0; end < ENDS_COUNT; end++) {
        end_close(&run, end);
    }
    return status;
}
