#include "cloister.h"

#include "lib/format.h"
#include "lib/serial_io.h"
#include "lib/string.h"
#include "shell/output.h"
#include "shell/shell.h"

enum { GATHERED_MAX = 4096 };

static struct {
    enum output_stream stream;
    usize size_bytes;
    char bytes[GATHERED_MAX];
} gathered;

static void stream_write(enum output_stream stream, const char *bytes, usize size_bytes) {
    if (!shell.command) {
        console_write(&shell.console, stream, bytes, size_bytes);
        return;
    }
    if (stream == STREAM_TERMINAL) stream = STREAM_OUTPUT;
    serial_print(shell.command, "%c %lu\n", stream, size_bytes);
    serial_write_all(shell.command, bytes, size_bytes);
}

void output_flush(void) {
    if (gathered.size_bytes > 0) {
        stream_write(gathered.stream, gathered.bytes, gathered.size_bytes);
        gathered.size_bytes = 0;
    }
}

void output_write(enum output_stream stream, const char *bytes, usize size_bytes) {
    if (gathered.stream != stream || size_bytes > GATHERED_MAX - gathered.size_bytes) {
        output_flush();
    }
    gathered.stream = stream;
    if (size_bytes > GATHERED_MAX) {
        stream_write(stream, bytes, size_bytes);
        return;
    }
    memcpy(gathered.bytes + gathered.size_bytes, bytes, size_bytes);
    gathered.size_bytes += size_bytes;
}

void text_disarm(char *text) {
    for (; *text; text++)
        if (*text <= ' ' || *text > '~') *text = '?';
}

// What a terminal would take for one: a text may be a container's, or of its manager's words about it.
static bool is_order(char byte) {
    return (byte >= 0 && byte < ' ' && !strchr("\t\r\n", byte)) || byte == 0x7f;
}

static void text_write(enum output_stream stream, const char *format, va_list args) {
    char text[OUTPUT_TEXT_MAX];
    usize size = min(format_text_args(text, sizeof(text), format, args), sizeof(text) - 1);
    for (usize i = 0; i < size; i++)
        if (is_order(text[i])) text[i] = '?';
    output_write(stream, text, size);
}

void output_print(const char *format, ...) {
    va_list args;
    va_start(args, format);
    text_write(STREAM_OUTPUT, format, args);
    va_end(args);
}

void error_print(const char *format, ...) {
    va_list args;
    output_write(STREAM_ERROR, "cloister: ", 10);
    va_start(args, format);
    text_write(STREAM_ERROR, format, args);
    va_end(args);
    output_write(STREAM_ERROR, "\n", 1);
}
