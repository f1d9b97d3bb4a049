// The streams of a container that runs in the foreground.
//
// The channels are made here and their far ends handed over, so that bytes come straight from the
// container. The end is told on one more channel, `notify`, when the container's last page is back;
// what it wrote is all there by then.
#include "cloister.h"

#include "abi/names.h"
#include "lib/container_protocol.h"
#include "lib/message.h"
#include "shell/client.h"
#include "shell/editor.h"
#include "shell/input.h"
#include "shell/output.h"
#include "shell/streams.h"
#include "shell/terminal.h"

enum { STREAM_BYTES_MAX = 65536, KEY_CTRL_D = 4, LINUX_SIGKILL = 9, KEY_CONSOLE = ENDS_COUNT };
static const char *const end_names[ENDS_COUNT] = {"notify", "stdout", "stderr", "stdin"};

static char stream_bytes[STREAM_BYTES_MAX];
static struct editor typed; // with -i

// With -t: typed bytes that the container has no room for yet.
static struct {
    char bytes[CONTAINER_STREAM_BYTES_MAX];
    u32 size_bytes;
} unsent;

// A channel with one end for us and one for the request.
static bool end_make(struct streams *streams, enum end end, struct records_writer *writer) {
    struct cl_channel_options options = {.send_bytes_max = STREAM_BYTES_MAX};
    handle_t theirs = CL_HANDLE_INVALID;
    status_t status = channel_create(0, 0, &options, &streams->ours[end], &theirs);
    if (status == OK && end != END_STDIN) {
        status = port_register(shell.port, streams->ours[end], SIGNAL_READABLE | SIGNAL_PEER_CLOSED,
                               end, 0);
    }
    if (status != OK) {
        if (theirs) handle_close(theirs);
        error_print("the container's %s can't be made: %s", end_names[end], cl_error_name(status));
        return false;
    }
    records_add_handle(writer, end_names[end], theirs);
    return true;
}

static void end_close(struct streams *streams, enum end end) {
    if (streams->ours[end]) {
        port_unregister(shell.port, end);
        handle_close(streams->ours[end]);
        streams->ours[end] = CL_HANDLE_INVALID;
    }
}

static bool end_is_wanted(enum end end, u32 kind) {
    return end == END_STDIN    ? kind & STREAMS_INPUT
           : end == END_STDERR ? !(kind & STREAMS_TERMINAL)
                               : true;
}

bool streams_make(struct streams *streams, u32 kind, struct records_writer *writer) {
    *streams = (struct streams){.end = {.status = STATUS_OURS, .problem = "the manager is gone"}};
    streams->has_terminal = kind & STREAMS_TERMINAL;
    typed.size_bytes = unsent.size_bytes = 0;
    for (enum end end = 0; end < ENDS_COUNT; end++)
        if (end_is_wanted(end, kind) && !end_make(streams, end, writer)) return false;
    return true;
}

void streams_close(struct streams *streams) {
    for (enum end end = 0; end < ENDS_COUNT; end++)
        end_close(streams, end);
}

// Takes one message of a stream; false: nothing is there now.
static bool stream_take(struct streams *streams, enum end end, u32 *size_bytes) {
    struct cl_received received;
    status_t status = message_receive(streams->ours[end], stream_bytes, sizeof(stream_bytes), NULL,
                                      0, CL_DEADLINE_POLL, &received);
    if (status == OK) {
        enum output_stream stream = streams->has_terminal ? STREAM_TERMINAL
                                    : end == END_STDOUT   ? STREAM_OUTPUT
                                                          : STREAM_ERROR;
        output_write(stream, stream_bytes, received.bytes_size);
        *size_bytes = received.bytes_size;
        return true;
    }
    if (status != ERR_SHOULD_WAIT) {
        end_close(streams, end);
    }
    return false;
}

// The end is whole when the manager has closed its end, too: then it holds nothing of the container.
static void notify_take(struct streams *streams) {
    struct cl_received received;
    struct manager_end end;
    status_t status = message_receive(streams->ours[END_NOTIFY], &end, sizeof(end), NULL, 0,
                                      CL_DEADLINE_POLL, &received);
    if (status == OK && received.bytes_size == sizeof(end)) {
        streams->end = end;
        streams->end.problem[MANAGER_PROBLEM_MAX] = 0;
        line_disarm(streams->end.problem);
    } else if (status != ERR_SHOULD_WAIT) {
        streams->has_ended = true;
    }
}

// The first Ctrl-C. What does not end of it is left with the second.
static void container_kill(struct streams *streams) {
    output_write(STREAM_OUTPUT, "^C\n", 3);
    streams->is_left = streams->is_killed;
    streams->is_killed = true;
    if (streams->is_left) return;
    records_add(request_begin(MANAGER_KILL, 0, LINUX_SIGKILL), 'n', streams->name);
    request_set_id(streams->exec_id);
    request_post();
}

static void terminal_resize(const struct streams *streams) {
    i32 status;
    const struct manager_reply *reply;
    struct terminal_size size = terminal_size();
    records_add(request_begin(MANAGER_RESIZE, 0, size.rows << 16 | size.columns), 'n',
                streams->name);
    request_set_id(streams->exec_id);
    request_send(&reply, STATUS_FAILED, &status);
}

// Like terminal_take, of an input that is no terminal.
static enum terminal_event plain_take(char *buffer, u32 size_bytes, u32 *used) {
    i32 byte;
    *used = 0;
    while (*used < size_bytes && (byte = input_take()) >= 0)
        buffer[(*used)++] = (char)byte;
    return TERMINAL_NOTHING;
}

static void typed_echo(const char *bytes, usize size_bytes) {
    output_write(STREAM_OUTPUT, bytes, size_bytes);
}

// Sends what was typed to the container, and forgets it.
static void typed_send(struct streams *streams) {
    for (u32 at = 0; at < typed.size_bytes; at += CONTAINER_STREAM_BYTES_MAX) {
        u32 size_bytes = min(typed.size_bytes - at, (u32)CONTAINER_STREAM_BYTES_MAX);
        if (message_send(streams->ours[END_STDIN], typed.line + at, size_bytes, NULL, 0) ==
            ERR_SHOULD_WAIT)
            error_print("the container does not read: %u bytes are lost", size_bytes);
    }
    typed.size_bytes = 0;
}

// A line is sent when it is whole; Ctrl-D sends what there is of one, or ends the input.
static void typed_take(struct streams *streams, char byte) {
    if (byte == KEY_CTRL_D && typed.size_bytes == 0) {
        end_close(streams, END_STDIN);
    } else if (byte == KEY_CTRL_D) {
        typed_send(streams);
    } else if (editor_take(&typed, byte, typed_echo) == EDITOR_LINE) {
        if (typed.size_bytes < LINE_BYTES_MAX) typed.line[typed.size_bytes++] = '\n';
        typed_send(streams);
    }
}

// What is typed goes to the container's terminal as it is; what it does not take now waits here.
static void terminal_send(struct streams *streams) {
    enum terminal_event event = TERMINAL_NOTHING;
    do {
        if (unsent.size_bytes == 0) {
            input_poll(INPUT_KEEP);
            event = (shell.console.is_terminal ? terminal_take : plain_take)(
                unsent.bytes, sizeof(unsent.bytes), &unsent.size_bytes);
        }
        streams->is_detached |= event == TERMINAL_DETACHED;
        if (event == TERMINAL_RESIZED) terminal_resize(streams);
        status_t status = ERR_SHOULD_WAIT;
        if (unsent.size_bytes > 0)
            status =
                message_send(streams->ours[END_STDIN], unsent.bytes, unsent.size_bytes, NULL, 0);
        if (unsent.size_bytes > 0 && status == ERR_SHOULD_WAIT) {
            port_register(shell.port, streams->ours[END_STDIN], SIGNAL_WRITABLE, END_STDIN,
                          CL_PORT_ONCE);
            return;
        }
        if (unsent.size_bytes == 0 && event == TERMINAL_NOTHING) return;
        unsent.size_bytes = 0;
    } while (!streams->is_detached);
}

// What is typed while the container runs: Ctrl-C kills it, a second one leaves it; with -i the rest is its input, without
// it waits for the shell. With -it all of it is the container's.
static void console_take(struct streams *streams) {
    i32 byte;
    bool is_raw = streams->has_terminal || !shell.console.is_terminal;
    if (is_raw && streams->ours[END_STDIN]) {
        terminal_send(streams);
        if (!input_has_ended()) return;
        port_unregister(shell.port, KEY_CONSOLE);
        if (unsent.size_bytes == 0) end_close(streams, END_STDIN);
        return;
    }
    input_poll(shell.console.is_terminal ? INPUT_DROP : INPUT_KEEP);
    if (input_has_ended()) port_unregister(shell.port, KEY_CONSOLE);
    if (!shell.console.is_terminal) return;
    if (input_interrupted()) container_kill(streams);
    while (streams->ours[END_STDIN] && (byte = input_take()) >= 0)
        typed_take(streams, (char)byte);
}

static void event_serve(struct streams *streams, u64 key) {
    u32 size_bytes;
    switch (key) {
    case END_STDOUT:
    case END_STDERR: stream_take(streams, (enum end)key, &size_bytes); break;
    case END_NOTIFY: notify_take(streams); break;
    default: console_take(streams);
    }
}

// What was written before the end: as much as the channel holds. What the container's other processes
// go on writing there is nobody's.
static void stream_drain(struct streams *streams, enum end end) {
    u32 rest = STREAM_BYTES_MAX;
    u32 size_bytes;
    while (streams->ours[end] && rest > 0 && stream_take(streams, end, &size_bytes))
        rest -= min(rest, max(size_bytes, 1u));
}

// Carries the streams until the end is told; then what is left of them.
static void streams_carry(struct streams *streams, const char *name, u32 exec_id) {
    streams->name = name;
    streams->exec_id = exec_id;
    bool has_console = console_watch(KEY_CONSOLE);
    if (has_console) console_take(streams); // what was typed ahead
    while (!streams->has_ended && !streams->is_detached && !streams->is_left) {
        u64 key;
        u32 signals;
        status_t status = port_wait(shell.port, 0, CL_DEADLINE_POLL, &key, &signals);
        u64 deadline_ns = streams->has_terminal ? terminal_deadline_ns() : CL_DEADLINE_NEVER;
        if (status == ERR_TIMED_OUT) {
            output_flush();
            status = port_wait(shell.port, 0, deadline_ns, &key, &signals);
        }
        if (status == ERR_TIMED_OUT) {
            terminal_release();
            key = KEY_CONSOLE;
        } else if (status != OK) {
            break;
        }
        event_serve(streams, key);
    }
    for (enum end end = END_STDOUT; end <= END_STDERR; end++)
        stream_drain(streams, end);
    if (has_console) port_unregister(shell.port, KEY_CONSOLE);
}

// The container goes on; its output is in the log from now on.
static void streams_leave(const struct streams *streams) {
    i32 status;
    const struct manager_reply *reply;
    if (streams->exec_id != 0) return;
    records_add(request_begin(MANAGER_DETACH, 0, 0), 'n', streams->name);
    request_send(&reply, STATUS_FAILED, &status);
}

i32 streams_run(struct streams *streams, const char *name, u32 exec_id) {
    streams_carry(streams, name, exec_id);
    if (streams->is_detached) {
        streams_leave(streams);
        return STATUS_OK;
    }
    if (streams->is_left) return STATUS_INTERRUPTED;
    if (streams->end.problem[0]) error_print("container %s: %s", name, streams->end.problem);
    return streams->end.status;
}
