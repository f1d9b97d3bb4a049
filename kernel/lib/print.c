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

struct spec {
    u32 width;
    u32 precision; // of %s; ~0u: none given
    char pad;      // ' ' or '0'
    u32 longs;
};

static void sink_put(struct sink *sink, char c) {
    if (sink->length + 1 < sink->size) sink->buffer[sink->length] = c;
    sink->length++;
}

static void put_text(struct sink *sink, const struct spec *spec, const char *text, usize length) {
    for (usize used = length; used < spec->width; used++)
        sink_put(sink, spec->pad);
    for (usize i = 0; i < length; i++)
        sink_put(sink, text[i]);
}

static void put_number(struct sink *sink, const struct spec *spec, u64 value, u32 base) {
    char digits[24];
    usize used = sizeof(digits);
    do {
        digits[--used] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    put_text(sink, spec, digits + used, sizeof(digits) - used);
}

static void put_signed(struct sink *sink, const struct spec *spec, i64 value) {
    if (value < 0) sink_put(sink, '-');
    put_number(sink, spec, value < 0 ? -(u64)value : (u64)value, 10);
}

static const char *parse_number(const char *p, u32 *value) {
    for (*value = 0; *p >= '0' && *p <= '9'; p++)
        *value = *value * 10 + (u32)(*p - '0');
    return p;
}

// One conversion; p is behind the %. Returns its last character.
static const char *put_conversion(struct sink *sink, const char *p, va_list *arguments) {
    struct spec spec = {.precision = ~0u, .pad = *p == '0' ? '0' : ' '};
    const char *text;
    p = parse_number(p, &spec.width);
    if (p[0] == '.' && p[1] == '*') {
        spec.precision = va_arg(*arguments, u32);
        p += 2;
    }
    for (; *p == 'l' || *p == 'z'; p++)
        spec.longs++;
    switch (*p) {
    case 'd':
        put_signed(sink, &spec, spec.longs ? va_arg(*arguments, i64) : va_arg(*arguments, int));
        break;
    case 'u':
    case 'x':
        put_number(sink, &spec, spec.longs ? va_arg(*arguments, u64) : va_arg(*arguments, u32),
                   *p == 'x' ? 16 : 10);
        break;
    case 'p': put_number(sink, &spec, va_arg(*arguments, u64), 16); break;
    case 's':
        text = va_arg(*arguments, const char *);
        put_text(sink, &spec, text, strnlen(text, spec.precision));
        break;
    default: sink_put(sink, *p);
    }
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

static void log_format(enum log_level level, const char *format, va_list arguments) {
    static const char *const prefixes[] = {"error: ", "warning: ", "", ""};
    char line[LINE_SIZE];
    usize used = ksnprintf(line, sizeof(line), "%s", prefixes[level]);
    used += kvsnprintf(line + used, sizeof(line) - used, format, arguments);
    log_write(level, line, min(used, sizeof(line) - 1));
}

void kprintf(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log_format(LOG_INFO, format, arguments);
    va_end(arguments);
}

void klog(enum log_level level, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log_format(level, format, arguments);
    va_end(arguments);
}

void log_set_output(void (*output)(const char *text, usize length)) { log_output = output; }
