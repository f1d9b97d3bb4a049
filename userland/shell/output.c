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

// How many bytes the UTF-8 character at the beginning of so many takes; 0: it is none.
static usize character_size(const char *text, usize size) {
    u8 first = (u8)text[0];
    usize length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first > 0xf4 || length > size) return 0;
    for (usize i = 1; i < length; i++)
        if (((u8)text[i] & 0xc0) != 0x80) return 0;
    return length;
}

// Orders to a terminal, in seven bits or eight (C1: U+0080 to U+009F), and what is no text at all, as
// a terminal without UTF-8 takes its bytes for orders.
static bool is_order(const char *text, usize length, const char *allowed) {
    u8 first = (u8)text[0];
    if (length == 0) return true;
    if (length == 2) return first == 0xc2 && (u8)text[1] < 0xa0;
    return length == 1 && (first == 0x7f || (first < ' ' && (!first || !strchr(allowed, first))));
}

static void orders_hide(char *text, usize size, const char *allowed) {
    for (usize at = 0, length; at < size; at += max(length, (usize)1)) {
        length = character_size(text + at, size - at);
        if (is_order(text + at, length, allowed)) memset(text + at, '?', max(length, (usize)1));
    }
}

void line_disarm(char *text) { orders_hide(text, strlen(text), ""); }

static void text_write(enum output_stream stream, const char *format, va_list args) {
    char text[OUTPUT_TEXT_MAX];
    usize size = min(format_text_args(text, sizeof(text), format, args), sizeof(text) - 1);
    orders_hide(text, size, "\t\r\n");
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
