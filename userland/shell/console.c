#include "shell/console.h"

#include "cloister.h"

#include "lib/container_protocol.h"
#include "lib/message.h"
#include "lib/serial_io.h"
#include "lib/string.h"

static_assert(CONSOLE_READ_MIN == CONTAINER_STREAM_BYTES_MAX);

void console_open(struct console *console, const struct startup *startup) {
    *console = (struct console){
        .serial = startup_handle(startup, "console"),
        .input = startup_handle(startup, "stdin"),
        .output = startup_handle(startup, "stdout"),
        .error = startup_handle(startup, "stderr"),
        .asked = startup->bootstrap,
    };
    log_writer_open(&console->log, startup_handle(startup, "log"), 0);
    console->is_terminal = console->serial || records_value(&startup->records, 'o', "tty");
}

handle_t console_input(const struct console *console) {
    return console->serial ? console->serial : console->input;
}

status_t console_read(const struct console *console, char *bytes, usize room, u64 *count) {
    struct cl_received received;
    *count = 0;
    if (console->serial) {
        status_t status = serial_read(console->serial, bytes, room, count);
        return status == OK && *count == 0 ? ERR_SHOULD_WAIT : status;
    }
    if (!console->input) return ERR_PEER_CLOSED;
    status_t status =
        message_receive(console->input, bytes, room, NULL, 0, CL_DEADLINE_POLL, &received);
    if (status == OK) *count = received.bytes_size;
    return status;
}

static void channel_write(handle_t channel, const char *bytes, usize size_bytes) {
    status_t status = channel ? OK : ERR_PEER_CLOSED;
    while (size_bytes > 0 && status == OK) {
        u32 observed;
        usize size = min(size_bytes, (usize)CONTAINER_STREAM_BYTES_MAX);
        status = message_send(channel, bytes, size, NULL, 0);
        if (status == ERR_SHOULD_WAIT) {
            status = object_wait(channel, SIGNAL_WRITABLE | SIGNAL_PEER_CLOSED, 0,
                                 CL_DEADLINE_NEVER, &observed);
            continue;
        }
        bytes += size;
        size_bytes -= size;
    }
}

i64 log_memobj_read(handle_t memobj, u64 offset, void *bytes, usize size) {
    return memobj_read(memobj, offset, bytes, size);
}

i64 log_memobj_write(handle_t memobj, u64 offset, const void *bytes, usize size) {
    return memobj_write(memobj, offset, bytes, size);
}

u64 log_time_ns(void) {
    u64 now_ns = 0;
    clock_get(CL_CLOCK_REALTIME, &now_ns);
    return now_ns;
}

static void follower_add(struct console *console, handle_t channel) {
    for (u32 i = 0; i < CONSOLE_FOLLOWERS_MAX; i++) {
        if (console->followers[i]) continue;
        console->followers[i] = channel;
        return;
    }
    handle_close(channel);
}

// The log has grown. One that has not taken what it was told is told already.
static void followers_tell(struct console *console) {
    const u8 byte = 0;
    handle_t channel;
    struct cl_received received;
    while (message_receive(console->asked, NULL, 0, &channel, 1, CL_DEADLINE_POLL, &received) == OK)
        if (received.handles_count == 1) follower_add(console, channel);
    for (u32 i = 0; i < CONSOLE_FOLLOWERS_MAX; i++) {
        handle_t *follower = &console->followers[i];
        status_t status = *follower ? message_send(*follower, &byte, 1, NULL, 0) : OK;
        if (status == OK || status == ERR_SHOULD_WAIT) continue;
        handle_close(*follower);
        *follower = CL_HANDLE_INVALID;
    }
}

static void bytes_write(struct console *console, enum output_stream stream, const char *bytes,
                        usize size_bytes) {
    bool is_error = stream == STREAM_ERROR && console->error;
    log_writer_write(&console->log, stream == STREAM_ERROR ? LOG_STDERR : LOG_STDOUT, bytes,
                     size_bytes);
    if (console->log.memobj) followers_tell(console);
    if (console->serial)
        serial_write_all(console->serial, bytes, size_bytes);
    else
        channel_write(is_error ? console->error : console->output, bytes, size_bytes);
}

void console_write(struct console *console, enum output_stream stream, const char *bytes,
                   usize size_bytes) {
    const char *newline;
    bool is_text = console->is_terminal && stream != STREAM_TERMINAL;
    while (is_text && (newline = memchr(bytes, '\n', size_bytes))) {
        usize size = (usize)(newline - bytes);
        bool has_return = size > 0 && bytes[size - 1] == '\r'; // the log of a terminal
        bytes_write(console, stream, bytes, size);
        bytes_write(console, stream, has_return ? "\n" : "\r\n", has_return ? 1 : 2);
        bytes += size + 1;
        size_bytes -= size + 1;
    }
    bytes_write(console, stream, bytes, size_bytes);
}
