// Editing a line on a serial console, until terminals come: what is typed is echoed; Backspace
// takes a character back, Ctrl-W a word, Ctrl-U and Ctrl-C everything; escape sequences of keys
// that are not known are dropped.
#pragma once

#include "shell/words.h"

struct editor {
    char line[LINE_BYTES_MAX];
    u32 size_bytes;
    u32 escape; // how far we are in an escape sequence: enum in editor.c
};

enum editor_result : u32 {
    EDITOR_MORE,
    EDITOR_LINE,    // Enter: the line is whole
    EDITOR_CLEARED, // Ctrl-C: a new prompt is due
};

// Takes one byte. `echo` gives what is to be shown; it is called any number of times.
enum editor_result editor_take(struct editor *editor, char byte,
                               void (*echo)(const char *bytes, usize size_bytes));
