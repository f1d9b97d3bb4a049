#include "cloister.h"

#include "lib/marker.h"
#include "lib/serial_io.h"
#include "lib/string.h"
#include "shell/editor.h"
#include "shell/input.h"
#include "shell/output.h"
#include "shell/session.h"
#include "shell/shell.h"

static const char prompt[] = "cloister# ";
enum { HEAD_BYTES_MAX = 32 };

static void console_echo(const char *bytes, usize size_bytes) {
    if (!shell.console.is_terminal) return;
    output_write(STREAM_OUTPUT, bytes, size_bytes);
    output_flush();
}

// False: there are no more.
static bool line_read(struct editor *editor, enum editor_result *result) {
    i32 byte;
    editor->size_bytes = 0;
    do {
        byte = input_wait();
        if (byte >= 0) *result = editor_take(editor, (char)byte, console_echo);
    } while (byte >= 0 && *result == EDITOR_MORE);
    return byte >= 0;
}

i32 session_console(void) {
    static struct editor editor;
    i32 status = STATUS_OK;
    MARK(MARKER_BOOT_PROMPT);
    while (!shell.is_over) {
        enum editor_result result;
        console_echo(prompt, sizeof(prompt) - 1);
        if (!line_read(&editor, &result)) return status;
        if (result == EDITOR_LINE) {
            status = line_run(editor.line, editor.size_bytes);
            output_flush();
        }
    }
    return status;
}

i32 session_words(void) {
    const char *word = startup_argument(shell.startup, NULL);
    if (strcmp(word, "-c") == 0) {
        const char *line = startup_argument(shell.startup, word);
        if (line) return line_run(line, strlen(line));
        error_print("-c: which command?");
        return STATUS_OURS;
    }
    static char bytes[LINE_CUT_MAX];
    struct words words;
    if (!words_gather(&words, bytes, &shell.startup->records)) {
        error_print("the command is longer than %d bytes", LINE_BYTES_MAX);
        return STATUS_OURS;
    }
    return command_run(&words);
}

// Reads exactly so many bytes.
static bool channel_read(char *bytes, usize size_bytes) {
    while (size_bytes > 0) {
        u64 count = 0;
        u32 observed;
        status_t status = serial_read(shell.command, bytes, size_bytes, &count);
        if (status == ERR_SHOULD_WAIT || (status == OK && count == 0)) {
            status = object_wait(shell.command, SIGNAL_READABLE, 0, CL_DEADLINE_NEVER, &observed);
        }
        if (status != OK) {
            return false;
        }
        bytes += count;
        size_bytes -= count;
    }
    return true;
}

// Reads `RUN <n>\n`; false for anything else, and for more than a line can have.
static bool head_read(usize *size_bytes) {
    char head[HEAD_BYTES_MAX] = {};
    usize used = 0;
    do {
        if (used == sizeof(head) - 1 || !channel_read(&head[used], 1)) {
            return false;
        }
    } while (head[used++] != '\n');
    if (strncmp(head, "RUN ", 4) != 0) {
        return false;
    }
    *size_bytes = 0;
    for (const char *digit = head + 4; *digit != '\n'; digit++) {
        if (*digit < '0' || *digit > '9' || *size_bytes > LINE_BYTES_MAX) {
            return false;
        }
        *size_bytes = *size_bytes * 10 + (usize)(*digit - '0');
    }
    return *size_bytes <= LINE_BYTES_MAX;
}

i32 session_command(void) {
    static char line[LINE_BYTES_MAX];
    usize size_bytes;
    i32 status = STATUS_OURS;
    serial_print(shell.command, "READY 1\n");
    if (!head_read(&size_bytes) || !channel_read(line, size_bytes)) {
        error_print("the command channel: `RUN <bytes>` was expected, with at most %d bytes",
                    LINE_BYTES_MAX);
    } else {
        status = line_run(line, size_bytes);
    }
    output_flush();
    serial_print(shell.command, "S %d\n", status);
    return status;
}
