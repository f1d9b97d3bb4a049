// Taking back what was typed in the line, on the screen and in the input.
#include "linux/tty/terminal.h"

enum { TAB_COLUMNS = 8 };
enum erase_kind { ERASE_CHARACTER, ERASE_WORD, ERASE_LINE };

static u8 input_byte_locked(const struct terminal *terminal, u32 at) REQUIRES(&terminal->lock) {
    return terminal->input.bytes[at % TERMINAL_INPUT_BYTES];
}

static bool is_word_byte(u8 byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_';
}

void terminal_erase_finish_locked(struct terminal *terminal) {
    if (terminal->input.is_erasing) {
        terminal_echo_plain_locked(terminal, '/');
        terminal->input.is_erasing = false;
    }
}

static void rub_out_locked(struct terminal *terminal) REQUIRES(&terminal->lock) {
    terminal_echo_raw_locked(terminal, '\b');
    terminal_echo_raw_locked(terminal, ' ');
    terminal_echo_raw_locked(terminal, '\b');
}

// Back to where the tab began: that depends on all that stands before it in the line.
static void rub_out_tab_locked(struct terminal *terminal) REQUIRES(&terminal->lock) {
    u32 columns = 0;
    bool is_after_tab = false;
    for (u32 at = terminal->input.head; at != terminal->input.line_end && !is_after_tab; at--) {
        u8 byte = input_byte_locked(terminal, at - 1);
        is_after_tab = byte == '\t';
        if (is_after_tab) break;
        if (byte_is_control(byte))
            columns += terminal_has_local(terminal, ECHOCTL) ? 2 : 0;
        else
            columns += !terminal_is_continuation(terminal, byte);
    }
    if (!is_after_tab) columns += terminal->output.line_column;
    for (u32 i = columns % TAB_COLUMNS; i < TAB_COLUMNS; i++) {
        terminal_echo_raw_locked(terminal, '\b');
    }
}

// `first` is the character's first byte, `count` how many it has; it is out of the input already.
static void erase_show_locked(struct terminal *terminal, enum erase_kind kind, u8 first, u32 count)
    REQUIRES(&terminal->lock) {
    struct terminal_input *input = &terminal->input;
    if (terminal_has_local(terminal, ECHOPRT)) {
        if (!input->is_erasing) terminal_echo_plain_locked(terminal, '\\');
        input->is_erasing = true;
        terminal_echo_locked(terminal, first);
        for (u32 i = 1; i < count; i++) {
            terminal_echo_plain_locked(terminal, input_byte_locked(terminal, input->head + i));
        }
    } else if (kind == ERASE_CHARACTER && !terminal_has_local(terminal, ECHOE)) {
        terminal_echo_locked(terminal, terminal->termios.characters[VERASE]);
    } else if (first == '\t') {
        rub_out_tab_locked(terminal);
    } else {
        bool is_control = byte_is_control(first);
        if (is_control && terminal_has_local(terminal, ECHOCTL)) rub_out_locked(terminal);
        if (!is_control || terminal_has_local(terminal, ECHOCTL)) rub_out_locked(terminal);
    }
}

static void erase_many_locked(struct terminal *terminal, enum erase_kind kind)
    REQUIRES(&terminal->lock) {
    struct terminal_input *input = &terminal->input;
    bool has_word = false;
    while (input->head != input->line_end) {
        u32 head = input->head;
        u8 byte;
        do {
            byte = input_byte_locked(terminal, --head);
        } while (terminal_is_continuation(terminal, byte) && head != input->line_end);
        if (terminal_is_continuation(terminal, byte)) break;
        if (kind == ERASE_WORD && !is_word_byte(byte) && has_word) break;
        has_word |= is_word_byte(byte);
        u32 count = input->head - head;
        input->head = head;
        if (terminal_has_local(terminal, ECHO)) erase_show_locked(terminal, kind, byte, count);
        if (kind == ERASE_CHARACTER) break;
    }
    if (input->head == input->line_end && terminal_has_local(terminal, ECHO))
        terminal_erase_finish_locked(terminal);
}

void terminal_erase_locked(struct terminal *terminal, u8 byte) {
    const u8 *characters = terminal->termios.characters;
    struct terminal_input *input = &terminal->input;
    if (input->head == input->line_end) return;
    if (byte == characters[VERASE]) {
        erase_many_locked(terminal, ERASE_CHARACTER);
    } else if (byte == characters[VWERASE]) {
        erase_many_locked(terminal, ERASE_WORD);
    } else if (terminal_has_local(terminal, ECHO | ECHOK | ECHOKE | ECHOE)) {
        erase_many_locked(terminal, ERASE_LINE);
    } else {
        input->head = input->line_end;
        if (!terminal_has_local(terminal, ECHO)) return;
        terminal_erase_finish_locked(terminal);
        terminal_echo_locked(terminal, byte);
        if (terminal_has_local(terminal, ECHOK)) terminal_echo_plain_locked(terminal, '\n');
    }
}
