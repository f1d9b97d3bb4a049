// The kernel's log: formatting, the ring of the last text, output.
//
// One call's text is written in one piece. The ring keeps the last LOG_SIZE bytes for a debugger;
// log_end counts all that was ever written: the newest byte is log_text[(log_end - 1) % LOG_SIZE].
#include "lib/print.h"
#include "lib/lock.h"
#include "lib/string.h"

enum { LOG_SIZE = 32768, LINE_SIZE = 1152 };

static struct lock log_lock = LOCK_INIT(LOCK_LOG);
static char log_text[LOG_SIZE] GUARDED_BY(&log_lock);
static u64 log_end GUARDED_BY(&log_lock);
static void (*log_output)(const char *text, usize length);

// ---- Formatting ---------------------------------------------------------------------------------

struct sink {
    char *buffer;
    usize size;
    usize length; // without the cut
};

static void sink_put(struct sink *sink, char c) {
    if (sink->length + 1 < sink->size) sink->buffer[sink->length] = c;
    sink->length++;
}

static void put_text(struct sink *sink, const char *text, usize length, usize width, char pad) {
    for (; width > length; width--)
        sink_put(sink, pad);
    for (usize i = 0; i < length; i++)
        sink_put(sink, text[i]);
}

// One conversion; p is behind the %. Returns its last character.
static const char *put_conversion(struct sink *sink, const char *p, va_list *arguments) {
    char digits[24];
    usize first = sizeof(digits);
    char pad = *p == '0' ? '0' : ' ';
    usize width = 0;
    for (; *p >= '0' && *p <= '9'; p++)
        width = width * 10 + (usize)(*p - '0');
    bool is_long = *p == 'l' || *p == 'z' || *p == 'p';
    while (*p == 'l' || *p == 'z')
        p++;
    if (*p == 's') {
        const char *text = va_arg(*arguments, const char *);
        put_text(sink, text, strlen(text), width, pad);
        return p;
    }
    if (*p != 'd' && *p != 'u' && *p != 'x' && *p != 'p') {
        sink_put(sink, *p);
        return p;
    }
    i64 number = is_long ? va_arg(*arguments, i64) : va_arg(*arguments, int);
    u64 value = is_long ? (u64)number : (u32)number;
    u64 base = *p == 'x' || *p == 'p' ? 16 : 10;
    if (*p == 'd' && number < 0) {
        sink_put(sink, '-');
        value = -(u64)number;
    }
    do
        digits[--first] = "0123456789abcdef"[value % base];
    while (value /= base);
    put_text(sink, digits + first, sizeof(digits) - first, width, pad);
    return p;
}

usize kvsnprintf(char *buffer, usize size, const char *format, va_list arguments) {
    struct sink sink = {buffer, size, 0};
    va_list rest;
    va_copy(rest, arguments);
    for (const char *p = format; *p; p++) {
        if (*p == '%' && p[1])
            p = put_conversion(&sink, p + 1, &rest);
        else
            sink_put(&sink, *p);
    }
    va_end(rest);
    buffer[sink.length < size ? sink.length : size - 1] = 0;
    return sink.length;
}

usize ksnprintf(char *buffer, usize size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    usize length = kvsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}

// ---- The log ------------------------------------------------------------------------------------

// In a panic the lock's holder may have been stopped for ever.
static void log_write(enum log_level level, const char *text,
                      usize length) NO_THREAD_SAFETY_ANALYSIS {
    bool locked = !panic_running();
    if (locked) lock_acquire(&log_lock);
    for (usize i = 0; i < length; i++)
        log_text[log_end++ % LOG_SIZE] = text[i];
    if (log_output && level != LOG_DEBUG) log_output(text, length);
    if (locked) lock_release(&log_lock);
}

void klog(enum log_level level, const char *format, ...) {
    static const char *const prefixes[] = {"error: ", "warning: ", "", ""};
    char line[LINE_SIZE];
    va_list arguments;
    usize used = ksnprintf(line, sizeof(line), "%s", prefixes[level]);
    va_start(arguments, format);
    used += kvsnprintf(line + used, sizeof(line) - used, format, arguments);
    va_end(arguments);
    log_write(level, line, min(used, sizeof(line) - 1));
}

void log_set_output(void (*output)(const char *text, usize length)) { log_output = output; }
