// The trace of system calls: what `run --trace` shows, a line for each call on the container's
// standard error. The tables of arguments are generated from userland/linux/abi.
// Rules: the calling thread traces itself; a line is written when the call has returned, as it may
// wait where it is written to.
#pragma once

#include "lib/types.h"

struct queued_signal;
struct thread;

enum linux_argument_kind : u8 {
    ARGUMENT_SIGNED,
    ARGUMENT_UNSIGNED,
    ARGUMENT_HEX,
    ARGUMENT_OCTAL,
    ARGUMENT_DESCRIPTOR,
    ARGUMENT_POINTER,
    ARGUMENT_STRING,
    ARGUMENT_BYTES,  // as many as the next argument says
    ARGUMENT_FILLED, // as many as the result says
    ARGUMENT_STRINGS,
    ARGUMENT_PAIR,   // of descriptors, in the result
    ARGUMENT_STATUS, // of a wait, in the result
    ARGUMENT_TIME,
    ARGUMENT_SIGNALS,
    ARGUMENT_FLAGS,
    ARGUMENT_NAMES,
};

struct linux_argument {
    enum linux_argument_kind kind;
    u8 bits;
    u8 set; // index in linux_values
};

struct linux_value {
    const char *name;
    u64 value;
};

struct linux_values {
    const struct linux_value *values;
    u32 count;
    const struct linux_value *low; // of the field under low_mask
    u32 low_count;
    u64 low_mask;
};

extern const struct linux_values linux_values[];

// Set at the start, then constant.
extern bool trace_is_on;

// Runs the call in the thread's registers, which is known, and traces it.
void trace_call(struct thread *thread, u64 number);
void trace_unknown(struct thread *thread, u64 number);
// A signal that is delivered; the end of a process.
void trace_signal(struct thread *thread, const struct queued_signal *signal);
void trace_end(struct thread *thread, i32 wait_status);
