// What the shell talks through: the machine's serial line, or the streams of the container that the
// system runs in, where those are a terminal or files.
#pragma once

#include "lib/log_writer.h"
#include "lib/startup.h"
#include "shell/output.h"

enum { CONSOLE_FOLLOWERS_MAX = 8 };
enum { CONSOLE_READ_MIN = 4096 }; // CONTAINER_STREAM_BYTES_MAX: a message is taken whole

struct console {
    handle_t serial; // 0: the streams
    handle_t input;
    handle_t output;
    handle_t error;
    struct log_writer log; // of that container: nobody writes it for us
    handle_t asked;        // where init sends channels of those who follow it
    handle_t followers[CONSOLE_FOLLOWERS_MAX];
    bool is_terminal;
};

void console_open(struct console *console, const struct startup *startup);

// What becomes READABLE when there is input; 0: there never is.
handle_t console_input(const struct console *console);

// Reads what is there, into a room of at least CONSOLE_READ_MIN bytes. SHOULD_WAIT: nothing is;
// PEER_CLOSED: nothing will be.
status_t console_read(const struct console *console, char *bytes, usize room, u64 *count);

// Bytes as they are, but for the newlines of a terminal. Waits for room. Where nobody reads any more,
// they are lost.
void console_write(struct console *console, enum output_stream stream, const char *bytes,
                   usize size_bytes);
