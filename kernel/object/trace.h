// The trace ring: the last events, always on, for panic reports and `system_trace`.
//
// Rules:
// - An entry is 32 bytes. A reader may see one that is just being overwritten; it is for people.
// - Format (little-endian): u64 time_ns, u32 thread koid (low bits), u16 kind, u16 cpu, u64 a,
//   u64 b. Kinds are only ever added.
#pragma once

#include "lib/types.h"

enum trace_kind : u16 {
    TRACE_OBJECT_KILL = 1, // a = koid, b = type
    TRACE_NS_KILL = 2,     // a = koid
    TRACE_CRASH = 4,       // a = process koid, b = exception
    TRACE_IO_ERROR = 8,    // a = sector, b = operation
};

struct trace_entry {
    u64 time_ns;
    u32 thread_koid;
    u16 kind;
    u16 cpu;
    u64 a;
    u64 b;
};
static_assert(sizeof(struct trace_entry) == 32);

void trace_event(enum trace_kind kind, u64 a, u64 b);
// Copies up to `count` of the newest entries, oldest first; returns how many.
u64 trace_copy(struct trace_entry *entries, u64 count);
