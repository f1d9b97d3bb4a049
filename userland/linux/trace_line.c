// How values look in the trace. Linux memory is read with the accessors; what can't be read is shown
// as its address.
#include "linux/trace_line.h"

#include "lib/format.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/calls.h"

enum { SHOWN_BYTES = 32, SHOWN_STRINGS = 6, ERROR_MAX = 4095 };

void trace_print(struct trace_line *line, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (line->size < sizeof(line->text)) {
        line->size += format_text_args(line->text + line->size, sizeof(line->text) - line->size,
                                       format, args);
    }
    va_end(args);
}

static const char *value_name(const struct linux_value *values, u32 count, u64 value) {
    for (u32 i = 0; i < count; i++) {
        if (values[i].value == value) {
            return values[i].name;
        }
    }
    return NULL;
}

void trace_value(struct trace_line *line, u32 set, u64 value) {
    const char *name = value_name(linux_values[set].values, linux_values[set].count, value);
    if (name) {
        trace_print(line, "%s", name);
    } else {
        trace_print(line, value < 4096 ? "%lu" : "0x%lx", value);
    }
}

static void print_flags(struct trace_line *line, const struct linux_values *set, u64 value) {
    const char *separator = "";
    const char *low = value_name(set->low, set->low_count, value & set->low_mask);
    if (low) {
        trace_print(line, "%s", low);
        value &= ~set->low_mask;
        separator = "|";
    }
    for (u32 i = 0; i < set->count; i++) {
        u64 bits = set->values[i].value;
        if (bits != 0 && (value & bits) == bits) {
            trace_print(line, "%s%s", separator, set->values[i].name);
            value &= ~bits;
            separator = "|";
        }
    }
    if (value != 0 || *separator == 0) {
        trace_print(line, value ? "%s0x%lx" : "%s%lu", separator, value);
    }
}

static void print_pointer(struct trace_line *line, u64 address) {
    trace_print(line, address ? "0x%lx" : "NULL", address);
}

static void print_escaped(struct trace_line *line, const char *bytes, usize size) {
    static const char letters[] = "abtnvfr";
    trace_print(line, "\"");
    for (usize i = 0; i < size; i++) {
        u8 byte = (u8)bytes[i];
        if (byte == '"' || byte == '\\') {
            trace_print(line, "\\%c", byte);
        } else if (byte >= 7 && byte <= 13) {
            trace_print(line, "\\%c", letters[byte - 7]);
        } else if (byte < ' ' || byte > '~') {
            trace_print(line, "\\%o", byte);
        } else {
            trace_print(line, "%c", byte);
        }
    }
    trace_print(line, "\"");
}

static void print_bytes(struct trace_line *line, u64 address, u64 size) {
    char bytes[SHOWN_BYTES];
    usize shown = min(size, sizeof(bytes));
    if (copy_from_linux(bytes, linux_pointer(address), shown) != 0) {
        print_pointer(line, address);
        return;
    }
    print_escaped(line, bytes, shown);
    trace_print(line, "%s", shown < size ? "..." : "");
}

static void print_string(struct trace_line *line, u64 address) {
    char text[4 * SHOWN_BYTES];
    i64 size = copy_string_from_linux(text, linux_pointer(address), sizeof(text));
    if (size == -ENAMETOOLONG) {
        print_bytes(line, address, sizeof(text));
    } else if (size < 0) {
        print_pointer(line, address);
    } else {
        print_escaped(line, text, (usize)size);
    }
}

static void print_strings(struct trace_line *line, u64 address) {
    trace_print(line, "[");
    for (u32 i = 0; i < SHOWN_STRINGS; i++) {
        u64 text;
        if (copy_from_linux(&text, linux_pointer(address + i * sizeof(text)), sizeof(text)) != 0 ||
            text == 0) {
            trace_print(line, "]");
            return;
        }
        trace_print(line, "%s", i ? ", " : "");
        print_string(line, text);
    }
    trace_print(line, ", ...]");
}

static void print_pair(struct trace_line *line, u64 address, i64 result) {
    i32 pair[2];
    if (result < 0 || copy_from_linux(pair, linux_pointer(address), sizeof(pair)) != 0) {
        print_pointer(line, address);
    } else {
        trace_print(line, "[%d, %d]", pair[0], pair[1]);
    }
}

static void print_status(struct trace_line *line, u64 address, i64 result) {
    i32 status;
    if (result <= 0 || copy_from_linux(&status, linux_pointer(address), sizeof(status)) != 0) {
        print_pointer(line, address);
    } else if (status == 0xffff) {
        trace_print(line, "[continued]");
    } else if ((status & 0xff) == 0x7f) {
        trace_print(line, "[stopped by ");
        trace_value(line, LINUX_VALUES_SIGNAL, (u64)status >> 8 & 0xff);
        trace_print(line, "]");
    } else if (status & 0x7f) {
        trace_print(line, "[killed by ");
        trace_value(line, LINUX_VALUES_SIGNAL, (u64)status & 0x7f);
        trace_print(line, "]");
    } else {
        trace_print(line, "[exited with %d]", status >> 8 & 0xff);
    }
}

static void print_time(struct trace_line *line, u64 address) {
    struct linux_timespec time;
    if (copy_from_linux(&time, linux_pointer(address), sizeof(time)) != 0) {
        print_pointer(line, address);
    } else {
        trace_print(line, "{%ld, %ld}", time.seconds, time.nanoseconds);
    }
}

static void print_signals(struct trace_line *line, u64 address) {
    u64 set;
    const char *separator = "";
    if (copy_from_linux(&set, linux_pointer(address), sizeof(set)) != 0) {
        print_pointer(line, address);
        return;
    }
    trace_print(line, "[");
    for (u64 signal = 1; signal <= SIGNALS_MAX && set != ~0UL; signal++) {
        if (set >> (signal - 1) & 1) {
            trace_print(line, "%s", separator);
            trace_value(line, LINUX_VALUES_SIGNAL, signal);
            separator = " ";
        }
    }
    trace_print(line, set == ~0UL ? "all]" : "]");
}

static void print_number(struct trace_line *line, enum linux_argument_kind kind, u64 value,
                         u8 bits) {
    i64 number = bits == 32 ? (i32)value : (i64)value;
    switch (kind) {
    case ARGUMENT_SIGNED: trace_print(line, "%ld", number); break;
    case ARGUMENT_HEX: trace_print(line, "0x%lx", value); break;
    case ARGUMENT_OCTAL: trace_print(line, value ? "0%lo" : "%lo", value); break;
    case ARGUMENT_DESCRIPTOR:
        trace_print(line, number == AT_FDCWD ? "AT_FDCWD" : "%ld", number);
        break;
    default: trace_print(line, "%lu", value); break;
    }
}

void trace_argument(struct trace_line *line, const struct linux_argument *arguments,
                    const u64 registers[TRACE_REGISTERS], u32 index, i64 result) {
    const struct linux_argument *argument = &arguments[index];
    u64 value = argument->bits == 32 ? (u32)registers[index] : registers[index];
    switch (argument->kind) {
    case ARGUMENT_POINTER: print_pointer(line, value); break;
    case ARGUMENT_STRING: print_string(line, value); break;
    case ARGUMENT_BYTES:
        print_bytes(line, value, index + 1 < TRACE_REGISTERS ? registers[index + 1] : 0);
        break;
    case ARGUMENT_FILLED:
        if (result >= 0) {
            print_bytes(line, value, (u64)result);
        } else {
            print_pointer(line, value);
        }
        break;
    case ARGUMENT_STRINGS: print_strings(line, value); break;
    case ARGUMENT_PAIR: print_pair(line, value, result); break;
    case ARGUMENT_STATUS: print_status(line, value, result); break;
    case ARGUMENT_TIME: print_time(line, value); break;
    case ARGUMENT_SIGNALS: print_signals(line, value); break;
    case ARGUMENT_FLAGS: print_flags(line, &linux_values[argument->set], value); break;
    case ARGUMENT_NAMES: trace_value(line, argument->set, value); break;
    default: print_number(line, argument->kind, value, argument->bits); break;
    }
}

void trace_result(struct trace_line *line, i64 result, enum trace_form form) {
    bool is_restart = result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK;
    if (result >= 0 || result < -ERROR_MAX) {
        trace_print(line, form == TRACE_ADDRESS && result ? " = 0x%lx" : " = %ld", result);
        return;
    }
    trace_print(line, is_restart ? " = ? " : " = -1 ");
    trace_value(line, LINUX_VALUES_ERRNO, (u64)-result);
}
