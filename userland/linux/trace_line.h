// The pieces of a line of the trace.
#pragma once

#include "linux/trace.h"

enum { TRACE_LINE_BYTES = 480, TRACE_REGISTERS = 6 };

struct trace_line {
    usize size; // may be more than there is room for
    char text[TRACE_LINE_BYTES];
};

void trace_print(struct trace_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// One value of a set, by name if it has one.
void trace_value(struct trace_line *line, u32 set, u64 value);
// The argument at `index`, as its kind says.
void trace_argument(struct trace_line *line, const struct linux_argument *arguments,
                    const u64 registers[TRACE_REGISTERS], u32 index, i64 result);
// In hexadecimal where it is an address.
enum trace_form { TRACE_NUMBER, TRACE_ADDRESS };
void trace_result(struct trace_line *line, i64 result, enum trace_form form);
