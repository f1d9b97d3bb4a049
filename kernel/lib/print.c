// The kernel's log: formatting, the ring of the last text, output.
//
// One call's text is written in one piece. The ring keeps the last LOG_SIZE bytes; log_end counts
// all that was ever written, so the ring is log_text[log_end % LOG_SIZE] and what is before it.
#include "lib/print.h"
#include "lib/lock.h"
#include "lib/string.h"

enum { LOG_SIZE = 32768, LINE_SIZE = 512 };

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
    u32 precision; // ~0u: none given
    char pad;      // ' ' or '0'
    u32 left;
    u32 longs;
};

static void sink_put(struct sink *sink, char c)
{
    if (sink->length + 1 < sink->size)
        sink->buffer[sink->length] = c;
    sink->length++;
}

static void sink_pad(struct sink *sink, char c, usize used, u32 width)
{
    for (; used < width; used++)
        sink_put(sink, c);
}

static void put_text(struct sink *sink, const struct spec *spec, const char *text, usize length)
{
    if (!spec->left)
        sink_pad(sink, spec->pad, length, spec->width);
    for (usize i = 0; i < length; i++)
        sink_put(sink, text[i]);
    if (spec->left)
        sink_pad(sink, ' ', length, spec->width);
}

static void put_number(struct sink *sink, const struct spec *spec, u64 value, u32 base,
                       const char *sign)
{
    char digits[24];
    usize used = sizeof(digits);
    do {
        digits[--used] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (*sign && spec->pad == '0') {
        sink_put(sink, *sign);
        struct spec rest = *spec;
        rest.width = rest.width ? rest.width - 1 : 0;
        put_text(sink, &rest, digits + used, sizeof(digits) - used);
        return;
    }
    if (*sign)
        digits[--used] = *sign;
    put_text(sink, spec, digits + used, sizeof(digits) - used);
}

static const char *parse_number(const char *p, u32 *value)
{
    for (*value = 0; *p >= '0' && *p <= '9'; p++)
        *value = *value * 10 + (u32)(*p - '0');
    return p;
}

static const char *parse_spec(const char *p, struct spec *spec)
{
    *spec = (struct spec){.precision = ~0u, .pad = ' '};
    for (; *p == '-' || *p == '0'; p++) {
        if (*p == '-')
            spec->left = 1;
        else
            spec->pad = '0';
    }
    p = parse_number(p, &spec->width);
    if (*p == '.')
        p = parse_number(p + 1, &spec->precision);
    for (; *p == 'l' || *p == 'z'; p++)
        spec->longs++;
    return p;
}

usize kvsnprintf(char *buffer, usize size, const char *format, va_list arguments)
{
    struct sink sink = {buffer, size, 0};
    for (const char *p = format; *p; p++) {
        if (*p != '%') {
            sink_put(&sink, *p);
            continue;
        }
        struct spec spec;
        p = parse_spec(p + 1, &spec);
        switch (*p) {
        case 'd':
        case 'i': {
            i64 value = spec.longs ? va_arg(arguments, i64) : va_arg(arguments, int);
            put_number(&sink, &spec, value < 0 ? -(u64)value : (u64)value, 10,
                       value < 0 ? "-" : "");
            break;
        }
        case 'u':
        case 'x': {
            u64 value = spec.longs ? va_arg(arguments, u64) : va_arg(arguments, u32);
            put_number(&sink, &spec, value, *p == 'x' ? 16 : 10, "");
            break;
        }
        case 'p': put_number(&sink, &spec, va_arg(arguments, u64), 16, ""); break;
        case 's': {
            const char *text = va_arg(arguments, const char *);
            put_text(&sink, &spec, text, strnlen(text, spec.precision));
            break;
        }
        case 'c': {
            char c = (char)va_arg(arguments, int);
            put_text(&sink, &spec, &c, 1);
            break;
        }
        case 0: p--; break;
        default: sink_put(&sink, *p);
        }
    }
    if (size)
        buffer[sink.length < size ? sink.length : size - 1] = 0;
    return sink.length;
}

usize ksnprintf(char *buffer, usize size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    usize length = kvsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}

// ---- The log ------------------------------------------------------------------------------------

// In a panic the lock's holder may have been stopped for ever.
static void log_write(enum log_level level, const char *text,
                      usize length) NO_THREAD_SAFETY_ANALYSIS
{
    bool locked = !panic_running();
    if (locked)
        lock_acquire(&log_lock);
    for (usize i = 0; i < length; i++)
        log_text[log_end++ % LOG_SIZE] = text[i];
    if (log_output && level != LOG_DEBUG)
        log_output(text, length);
    if (locked)
        lock_release(&log_lock);
}

static void log_format(enum log_level level, const char *format, va_list arguments)
{
    char line[LINE_SIZE];
    const char *prefix = level == LOG_ERROR ? "error: " : level == LOG_WARNING ? "warning: " : "";
    usize used = strlcpy(line, prefix, sizeof(line));
    used += kvsnprintf(line + used, sizeof(line) - used, format, arguments);
    log_write(level, line, min(used, sizeof(line) - 1));
}

void kprintf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_format(LOG_INFO, format, arguments);
    va_end(arguments);
}

void klog(enum log_level level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_format(level, format, arguments);
    va_end(arguments);
}

usize log_copy(char *to, usize size)
{
    lock_acquire(&log_lock);
    u64 count = min(min(log_end, (u64)LOG_SIZE), size);
    for (u64 i = 0; i < count; i++)
        to[i] = log_text[(log_end - count + i) % LOG_SIZE];
    lock_release(&log_lock);
    return count;
}

void log_set_output(void (*output)(const char *text, usize length))
{
    log_output = output;
}
