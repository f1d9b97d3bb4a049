// The discipline's way out: what programs write and what is echoed, as the settings of the output
// say, into the ring that the master empties. The column is kept for tabs, and for erasing them.
#include "lib/string.h"
#include "linux/tty/terminal.h"

enum { SHOWN_BYTES_MAX = 8, TAB_COLUMNS = 8 }; // what one byte becomes at most

static u32 room_locked(const struct terminal *terminal) REQUIRES(&terminal->lock) {
    return TERMINAL_OUTPUT_BYTES - (terminal->output.head - terminal->output.tail);
}

static void put_locked(struct terminal *terminal, u8 byte) REQUIRES(&terminal->lock) {
    struct terminal_output *output = &terminal->output;
    if (room_locked(terminal) > 0) output->bytes[output->head++ % TERMINAL_OUTPUT_BYTES] = byte;
}

static void newline_locked(struct terminal *terminal) REQUIRES(&terminal->lock) {
    struct terminal_output *output = &terminal->output;
    if (terminal->termios.output & ONLCR) put_locked(terminal, '\r');
    if (terminal->termios.output & (ONLCR | ONLRET)) output->column = 0;
    output->line_column = output->column;
    put_locked(terminal, '\n');
}

static void return_locked(struct terminal *terminal) REQUIRES(&terminal->lock) {
    struct terminal_output *output = &terminal->output;
    u32 flags = terminal->termios.output;
    if ((flags & ONOCR) && output->column == 0) return;
    if (!(flags & OCRNL) || (flags & ONLRET)) output->column = output->line_column = 0;
    put_locked(terminal, flags & OCRNL ? '\n' : '\r');
}

static void tab_locked(struct terminal *terminal) REQUIRES(&terminal->lock) {
    u32 spaces = TAB_COLUMNS - terminal->output.column % TAB_COLUMNS;
    terminal->output.column += spaces;
    if ((terminal->termios.output & TABDLY) != XTABS) {
        put_locked(terminal, '\t');
        return;
    }
    for (u32 i = 0; i < spaces; i++) {
        put_locked(terminal, ' ');
    }
}

static void other_locked(struct terminal *terminal, u8 byte) REQUIRES(&terminal->lock) {
    if (!byte_is_control(byte)) {
        if ((terminal->termios.output & OLCUC) && byte >= 'a' && byte <= 'z') byte -= 'a' - 'A';
        if (!terminal_is_continuation(terminal, byte)) terminal->output.column++;
    }
    put_locked(terminal, byte);
}

static void show_locked(struct terminal *terminal, u8 byte) REQUIRES(&terminal->lock) {
    if (!(terminal->termios.output & OPOST)) {
        put_locked(terminal, byte);
        return;
    }
    switch (byte) {
    case '\n': newline_locked(terminal); break;
    case '\r': return_locked(terminal); break;
    case '\t': tab_locked(terminal); break;
    case '\b':
        terminal->output.column -= terminal->output.column > 0;
        put_locked(terminal, byte);
        break;
    default: other_locked(terminal, byte); break;
    }
}

bool terminal_may_show_locked(const struct terminal *terminal) {
    return !terminal->is_stopped && room_locked(terminal) >= TERMINAL_ECHO_BYTES + SHOWN_BYTES_MAX;
}

usize terminal_show_locked(struct terminal *terminal, const u8 *buffer, usize size) {
    usize done = 0;
    while (done < size && terminal_may_show_locked(terminal)) {
        show_locked(terminal, buffer[done++]);
    }
    if (done > 0) terminal_output_ready_locked(terminal);
    return done;
}

void terminal_echo_plain_locked(struct terminal *terminal, u8 byte) { show_locked(terminal, byte); }

void terminal_echo_raw_locked(struct terminal *terminal, u8 byte) {
    put_locked(terminal, byte);
    terminal->output.column -= byte == '\b' && terminal->output.column > 0;
    terminal->output.column += !byte_is_control(byte);
}

void terminal_echo_locked(struct terminal *terminal, u8 byte) {
    if (terminal_has_local(terminal, ECHOCTL) && byte_is_control(byte) && byte != '\t') {
        terminal_echo_raw_locked(terminal, '^');
        terminal_echo_raw_locked(terminal, byte ^ 0x40);
    } else {
        show_locked(terminal, byte);
    }
}

const u8 *terminal_output_peek_locked(const struct terminal *terminal, usize *size) {
    const struct terminal_output *output = &terminal->output;
    u32 at = output->tail % TERMINAL_OUTPUT_BYTES;
    *size = min(output->head - output->tail, TERMINAL_OUTPUT_BYTES - at);
    return output->bytes + at;
}

void terminal_output_flush_locked(struct terminal *terminal) {
    terminal->output.tail = terminal->output.head;
    terminal_output_ready_locked(terminal);
}

void terminal_stop_locked(struct terminal *terminal) { terminal->is_stopped = true; }

void terminal_go_locked(struct terminal *terminal) {
    terminal->is_stopped = false;
    terminal_output_ready_locked(terminal);
}
