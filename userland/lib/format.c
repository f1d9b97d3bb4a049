// printf-style formatting: one pass over the format, one conversion at a time into a small buffer.
#include "lib/format.h"

#include "lib/string.h"

enum {
    FORMAT_LEFT = 1,
    FORMAT_ZERO = 2,
    FORMAT_PLUS = 4,
    FORMAT_SPACE = 8,
};

struct output {
    char *buffer;
    usize size;
    usize length;
};

struct conversion {
    u32 flags;
    i32 width;
    i32 precision; // -1: none given
    u32 length;    // bytes of an integer argument
};

static void output_char(struct output *out, char value) {
    if (out->length + 1 < out->size) {
        out->buffer[out->length] = value;
    }
    out->length++;
}

static void output_fill(struct output *out, char value, i64 count) {
    for (i64 i = 0; i < count; i++) {
        output_char(out, value);
    }
}

// `sign` is 0 for none; `zeros` stand between the sign and the text.
static void output_field(struct output *out, const struct conversion *conversion, char sign,
                         i64 zeros, const char *text, usize length) {
    i64 pad = conversion->width - (i64)length - zeros - (sign ? 1 : 0);
    if (!(conversion->flags & (FORMAT_LEFT | FORMAT_ZERO))) {
        output_fill(out, ' ', pad);
    }
    if (sign) {
        output_char(out, sign);
    }
    if ((conversion->flags & FORMAT_ZERO) && !(conversion->flags & FORMAT_LEFT)) {
        output_fill(out, '0', pad);
    }
    output_fill(out, '0', zeros);
    for (usize i = 0; i < length; i++) {
        output_char(out, text[i]);
    }
    if (conversion->flags & FORMAT_LEFT) {
        output_fill(out, ' ', pad);
    }
}

static void output_number(struct output *out, struct conversion *conversion, u64 value, char sign,
                          u32 base, const char *digits) {
    char text[24];
    usize start = sizeof(text);
    do {
        text[--start] = digits[value % base];
        value /= base;
    } while (value != 0);
    usize length = sizeof(text) - start;
    i64 zeros = 0;
    if (conversion->precision >= 0) {
        conversion->flags &= ~(u32)FORMAT_ZERO;
        zeros = max((i64)conversion->precision - (i64)length, (i64)0);
    }
    output_field(out, conversion, sign, zeros, text + start, length);
}

static i64 signed_argument(u32 length, va_list *args) {
    if (length == 8) {
        return va_arg(*args, i64);
    }
    i32 value = va_arg(*args, i32);
    return length == 1 ? (i8)value : length == 2 ? (i16)value : value;
}

static u64 unsigned_argument(u32 length, va_list *args) {
    if (length == 8) {
        return va_arg(*args, u64);
    }
    u32 value = va_arg(*args, u32);
    return length == 1 ? (u8)value : length == 2 ? (u16)value : value;
}

static void output_signed(struct output *out, struct conversion *conversion, i64 value) {
    char sign = value < 0                            ? '-'
                : (conversion->flags & FORMAT_PLUS)  ? '+'
                : (conversion->flags & FORMAT_SPACE) ? ' '
                                                     : 0;
    output_number(out, conversion, value < 0 ? -(u64)value : (u64)value, sign, 10, "0123456789");
}

static void output_string(struct output *out, struct conversion *conversion, const char *text) {
    if (!text) {
        text = "(null)";
    }
    usize length =
        conversion->precision >= 0 ? strnlen(text, (usize)conversion->precision) : strlen(text);
    conversion->flags &= ~(u32)FORMAT_ZERO;
    output_field(out, conversion, 0, 0, text, length);
}

static i32 parse_number(const char **format, va_list *args) {
    if (**format == '*') {
        (*format)++;
        return va_arg(*args, i32);
    }
    i32 value = 0;
    while (**format >= '0' && **format <= '9' && value < 100000) {
        value = value * 10 + (*(*format)++ - '0');
    }
    return value;
}

static const char *parse_flags(const char *format, struct conversion *conversion) {
    for (;; format++) {
        switch (*format) {
        case '-': conversion->flags |= FORMAT_LEFT; break;
        case '0': conversion->flags |= FORMAT_ZERO; break;
        case '+': conversion->flags |= FORMAT_PLUS; break;
        case ' ': conversion->flags |= FORMAT_SPACE; break;
        default: return format;
        }
    }
}

static const char *parse_length(const char *format, struct conversion *conversion) {
    conversion->length = 4;
    if (*format == 'z') {
        conversion->length = 8;
        return format + 1;
    }
    for (; *format == 'l'; format++) {
        conversion->length = 8;
    }
    for (; *format == 'h'; format++) {
        conversion->length = conversion->length == 4 ? 2 : 1;
    }
    return format;
}

static const char *parse_conversion(const char *format, struct conversion *conversion,
                                    va_list *args) {
    *conversion = (struct conversion){.precision = -1};
    format = parse_flags(format, conversion);
    conversion->width = parse_number(&format, args);
    if (conversion->width < 0) {
        conversion->flags |= FORMAT_LEFT;
        conversion->width = -conversion->width;
    }
    if (*format == '.') {
        format++;
        conversion->precision = parse_number(&format, args);
    }
    return parse_length(format, conversion);
}

// Returns false for a letter that is not known.
static bool output_conversion(struct output *out, char letter, struct conversion *conversion,
                              va_list *args) {
    const char *lower = "0123456789abcdef";
    char text;
    switch (letter) {
    case 'd':
    case 'i': output_signed(out, conversion, signed_argument(conversion->length, args)); break;
    case 'u':
        output_number(out, conversion, unsigned_argument(conversion->length, args), 0, 10, lower);
        break;
    case 'x':
        output_number(out, conversion, unsigned_argument(conversion->length, args), 0, 16, lower);
        break;
    case 'X':
        output_number(out, conversion, unsigned_argument(conversion->length, args), 0, 16,
                      "0123456789ABCDEF");
        break;
    case 'o':
        output_number(out, conversion, unsigned_argument(conversion->length, args), 0, 8, lower);
        break;
    case 'p':
        output_char(out, '0');
        output_char(out, 'x');
        output_number(out, conversion, (u64)va_arg(*args, void *), 0, 16, lower);
        break;
    case 's': output_string(out, conversion, va_arg(*args, const char *)); break;
    case 'c':
        text = (char)va_arg(*args, int);
        output_field(out, conversion, 0, 0, &text, 1);
        break;
    case '%': output_char(out, '%'); break;
    default: return false;
    }
    return true;
}

usize format_text_args(char *buffer, usize size, const char *format, va_list args) {
    struct output out = {.buffer = buffer, .size = size};
    va_list copy;
    va_copy(copy, args);
    while (*format) {
        if (*format != '%') {
            output_char(&out, *format++);
            continue;
        }
        struct conversion conversion;
        const char *end = parse_conversion(format + 1, &conversion, &copy);
        if (*end && output_conversion(&out, *end, &conversion, &copy)) {
            format = end + 1;
        } else {
            output_char(&out, *format++);
        }
    }
    va_end(copy);
    if (size > 0) {
        buffer[min(out.length, size - 1)] = 0;
    }
    return out.length;
}

usize format_text(char *buffer, usize size, const char *format, ...) {
    va_list args;
    va_start(args, format);
    usize length = format_text_args(buffer, size, format, args);
    va_end(args);
    return length;
}
