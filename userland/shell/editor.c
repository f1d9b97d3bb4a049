#include "shell/editor.h"

enum { ESCAPE_NONE, ESCAPE_BEGUN, ESCAPE_SEQUENCE };
enum : char {
    KEY_CTRL_C = 3,
    KEY_BELL = 7,
    KEY_BACKSPACE = 8,
    KEY_CTRL_U = 21,
    KEY_CTRL_W = 23,
    KEY_ESCAPE = 27,
    KEY_DELETE = 127,
};

typedef void echo_function(const char *bytes, usize size_bytes);

// Bytes after the first of a character in UTF-8.
static bool is_continuation(char byte) { return ((u8)byte & 0xc0) == 0x80; }

static void character_remove(struct editor *editor, echo_function *echo) {
    while (editor->size_bytes > 0 && is_continuation(editor->line[editor->size_bytes - 1])) {
        editor->size_bytes--;
    }
    if (editor->size_bytes > 0) {
        editor->size_bytes--;
        echo("\b \b", 3);
    }
}

static void word_remove(struct editor *editor, echo_function *echo) {
    while (editor->size_bytes > 0 && editor->line[editor->size_bytes - 1] == ' ') {
        character_remove(editor, echo);
    }
    while (editor->size_bytes > 0 && editor->line[editor->size_bytes - 1] != ' ') {
        character_remove(editor, echo);
    }
}

// True: the byte belongs to an escape sequence and is dropped.
static bool escape_take(struct editor *editor, char byte) {
    if (byte == KEY_ESCAPE) {
        editor->escape = ESCAPE_BEGUN;
        return true;
    }
    if (editor->escape == ESCAPE_BEGUN) {
        editor->escape = byte == '[' || byte == 'O' ? ESCAPE_SEQUENCE : ESCAPE_NONE;
        return true;
    }
    if (editor->escape == ESCAPE_SEQUENCE) {
        if (byte >= '@' && byte <= '~') {
            editor->escape = ESCAPE_NONE;
        }
        return true;
    }
    return false;
}

static void character_add(struct editor *editor, char byte, echo_function *echo) {
    static const char bell[] = {KEY_BELL};
    if ((u8)byte < ' ') {
        return;
    }
    if (editor->size_bytes == LINE_BYTES_MAX) {
        echo(bell, 1);
        return;
    }
    editor->line[editor->size_bytes++] = byte;
    echo(&byte, 1);
}

enum editor_result editor_take(struct editor *editor, char byte, echo_function *echo) {
    if (escape_take(editor, byte)) {
        return EDITOR_MORE;
    }
    if (byte == '\r' || byte == '\n') {
        echo("\n", 1);
        return EDITOR_LINE;
    }
    if (byte == KEY_CTRL_C) {
        editor->size_bytes = 0;
        echo("^C\n", 3);
        return EDITOR_CLEARED;
    }
    if (byte == KEY_BACKSPACE || byte == KEY_DELETE) {
        character_remove(editor, echo);
    } else if (byte == KEY_CTRL_W) {
        word_remove(editor, echo);
    } else if (byte == KEY_CTRL_U) {
        while (editor->size_bytes > 0) {
            character_remove(editor, echo);
        }
    } else {
        character_add(editor, byte, echo);
    }
    return EDITOR_MORE;
}
