// The discipline's way in: what is typed becomes signals, edits, echo, and bytes to be read. The
// order of the checks is Linux's (drivers/tty/n_tty.c), as programs can see it.
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/tty/session.h"
#include "linux/tty/terminal.h"

static bool is_character_locked(const struct terminal *terminal, u8 byte, u32 which)
    REQUIRES(&terminal->lock) {
    return byte != CONTROL_DISABLED && byte == terminal->termios.characters[which];
}

static void mark_locked(struct terminal *terminal, u32 at) REQUIRES(&terminal->lock) {
    at %= TERMINAL_INPUT_BYTES;
    terminal->input.marks[at / 64] |= 1UL << (at % 64);
}

static void put_locked(struct terminal *terminal, u8 byte) REQUIRES(&terminal->lock) {
    struct terminal_input *input = &terminal->input;
    u32 at = input->head++ % TERMINAL_INPUT_BYTES;
    input->bytes[at] = byte;
    input->marks[at / 64] &= ~(1UL << (at % 64));
}

// Ends a line with this byte; CONTROL_DISABLED stands for an end of the file.
static void line_end_locked(struct terminal *terminal, u8 byte) REQUIRES(&terminal->lock) {
    put_locked(terminal, byte);
    mark_locked(terminal, terminal->input.head - 1);
    terminal->input.line_end = terminal->input.head;
}

static void echo_typed_locked(struct terminal *terminal, u8 byte) REQUIRES(&terminal->lock) {
    if (!terminal_has_local(terminal, ECHO)) return;
    terminal_erase_finish_locked(terminal);
    if (terminal->input.head == terminal->input.line_end)
        terminal->output.line_column = terminal->output.column;
    if (byte == '\n')
        terminal_echo_plain_locked(terminal, byte);
    else
        terminal_echo_locked(terminal, byte);
}

void terminal_input_flush_locked(struct terminal *terminal) {
    struct terminal_input *input = &terminal->input;
    input->head = input->tail = input->line_end = 0;
    input->is_literal = input->is_erasing = false;
    memset(input->marks, 0, sizeof(input->marks));
    terminal_room_ready_locked(terminal);
}

static void signal_key_locked(struct terminal *terminal, i32 signal, u8 byte)
    REQUIRES(&terminal->lock) {
    terminal_signal(terminal, signal);
    if (!terminal_has_local(terminal, NOFLSH)) {
        terminal->output.tail = terminal->output.head;
        terminal_input_flush_locked(terminal);
    }
    if (terminal->termios.input & IXON) terminal->is_stopped = false;
    if (terminal_has_local(terminal, ECHO)) terminal_echo_locked(terminal, byte);
}

// True: the byte was a signal.
static bool signal_take_locked(struct terminal *terminal, u8 byte) REQUIRES(&terminal->lock) {
    i32 signal = is_character_locked(terminal, byte, VINTR)   ? SIGINT
                 : is_character_locked(terminal, byte, VQUIT) ? SIGQUIT
                 : is_character_locked(terminal, byte, VSUSP) ? SIGTSTP
                                                              : 0;
    if (signal == 0 || !terminal_has_local(terminal, ISIG)) return false;
    signal_key_locked(terminal, signal, byte);
    return true;
}

// True: the byte stops or continues the output.
static bool flow_take_locked(struct terminal *terminal, u8 byte) REQUIRES(&terminal->lock) {
    if (!(terminal->termios.input & IXON)) return false;
    if (is_character_locked(terminal, byte, VSTART)) {
        terminal->is_stopped = false;
        return true;
    }
    if (is_character_locked(terminal, byte, VSTOP)) {
        terminal_stop_locked(terminal);
        return true;
    }
    return false;
}

static void reprint_locked(struct terminal *terminal, u8 byte) REQUIRES(&terminal->lock) {
    terminal_erase_finish_locked(terminal);
    terminal_echo_locked(terminal, byte);
    terminal_echo_plain_locked(terminal, '\n');
    for (u32 at = terminal->input.line_end; at != terminal->input.head; at++) {
        terminal_echo_locked(terminal, terminal->input.bytes[at % TERMINAL_INPUT_BYTES]);
    }
}

static void literal_next_locked(struct terminal *terminal) REQUIRES(&terminal->lock) {
    terminal->input.is_literal = true;
    if (!terminal_has_local(terminal, ECHO)) return;
    terminal_erase_finish_locked(terminal);
    if (terminal_has_local(terminal, ECHOCTL)) {
        terminal_echo_raw_locked(terminal, '^');
        terminal_echo_raw_locked(terminal, '\b');
    }
}

// True: the byte edits the line or ends it.
static bool line_take_locked(struct terminal *terminal, u8 byte) REQUIRES(&terminal->lock) {
    bool is_extended = terminal_has_local(terminal, IEXTEN);
    bool echoes = terminal_has_local(terminal, ECHO);
    if (is_character_locked(terminal, byte, VERASE) || is_character_locked(terminal, byte, VKILL) ||
        (is_extended && is_character_locked(terminal, byte, VWERASE))) {
        terminal_erase_locked(terminal, byte);
    } else if (is_extended && is_character_locked(terminal, byte, VLNEXT)) {
        literal_next_locked(terminal);
    } else if (is_extended && echoes && is_character_locked(terminal, byte, VREPRINT)) {
        reprint_locked(terminal, byte);
    } else if (byte == '\n') {
        if (echoes || terminal_has_local(terminal, ECHONL))
            terminal_echo_plain_locked(terminal, byte);
        line_end_locked(terminal, byte);
    } else if (is_character_locked(terminal, byte, VEOF)) {
        line_end_locked(terminal, CONTROL_DISABLED);
    } else if (is_character_locked(terminal, byte, VEOL) ||
               (is_extended && is_character_locked(terminal, byte, VEOL2))) {
        echo_typed_locked(terminal, byte);
        line_end_locked(terminal, byte);
    } else {
        return false;
    }
    return true;
}

static void put_typed_locked(struct terminal *terminal, u8 byte) REQUIRES(&terminal->lock) {
    echo_typed_locked(terminal, byte);
    if (byte == 0xff && (terminal->termios.input & PARMRK)) put_locked(terminal, byte);
    put_locked(terminal, byte);
}

static u8 byte_reduce_locked(const struct terminal *terminal, u8 byte) REQUIRES(&terminal->lock) {
    if (terminal->termios.input & ISTRIP) byte &= 0x7f;
    if ((terminal->termios.input & IUCLC) && terminal_has_local(terminal, IEXTEN) && byte >= 'A' &&
        byte <= 'Z')
        byte += 'a' - 'A';
    return byte;
}

static void byte_take_locked(struct terminal *terminal, u8 byte) REQUIRES(&terminal->lock) {
    byte = byte_reduce_locked(terminal, byte);
    if (terminal->input.is_literal) {
        terminal->input.is_literal = false;
        put_typed_locked(terminal, byte);
        return;
    }
    if (terminal_has_local(terminal, EXTPROC)) {
        put_locked(terminal, byte);
        return;
    }
    if (flow_take_locked(terminal, byte) || signal_take_locked(terminal, byte)) return;
    if (terminal->is_stopped && (terminal->termios.input & (IXON | IXANY)) == (IXON | IXANY))
        terminal->is_stopped = false;
    if (byte == '\r' && (terminal->termios.input & IGNCR)) return;
    if (byte == '\r' && (terminal->termios.input & ICRNL))
        byte = '\n';
    else if (byte == '\n' && (terminal->termios.input & INLCR))
        byte = '\r';
    if (terminal_has_local(terminal, ICANON) && line_take_locked(terminal, byte)) return;
    put_typed_locked(terminal, byte);
}

static u32 used_locked(const struct terminal *terminal) REQUIRES(&terminal->lock) {
    return terminal->input.head - terminal->input.tail;
}

// Of an unfinished line that fills everything the last byte is overwritten, so that its end can be
// typed and what reads lines is not stuck.
bool terminal_has_room_locked(const struct terminal *terminal) {
    bool is_one_line =
        terminal_has_local(terminal, ICANON) && terminal->input.line_end == terminal->input.tail;
    return is_one_line || used_locked(terminal) + 1 < TERMINAL_INPUT_BYTES;
}

bool terminal_take_locked(struct terminal *terminal, u8 byte) {
    if (!terminal_has_room_locked(terminal)) return false;
    if (used_locked(terminal) + 1 >= TERMINAL_INPUT_BYTES) terminal->input.head--;
    byte_take_locked(terminal, byte);
    return true;
}

void terminal_settings_changed_locked(struct terminal *terminal, const struct linux_termios *old) {
    struct terminal_input *input = &terminal->input;
    if ((old->local ^ terminal->termios.local) & (ICANON | EXTPROC)) {
        memset(input->marks, 0, sizeof(input->marks));
        input->line_end = input->tail;
        input->is_erasing = input->is_literal = false;
        // What is there already is read as if it were a line.
        if (terminal_has_local(terminal, ICANON) && used_locked(terminal) > 0) {
            mark_locked(terminal, input->head - 1);
            input->line_end = input->head;
        }
    }
    if ((old->input & IXON) && !(terminal->termios.input & IXON)) terminal_go_locked(terminal);
    terminal_room_ready_locked(terminal);
}
