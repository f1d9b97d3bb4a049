// The basic types and macros that all native programs share. Freestanding: no header of the host.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef signed char i8;
typedef short i16;
typedef int i32;
typedef long i64;
typedef unsigned long usize;

#ifndef NULL
#define NULL ((void *)0)
#endif

typedef i64 status_t; // 0, or a negative code

#ifndef PAGE_SIZE
#define PAGE_SIZE 4096
#endif
#define PAGE_MASK ((u64)PAGE_SIZE - 1)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define container_of(pointer, type, member) \
    ((type *)((char *)(pointer) - __builtin_offsetof(type, member)))

#define min(a, b)                      \
    ({                                 \
        auto min_a = (a);              \
        auto min_b = (b);              \
        min_a < min_b ? min_a : min_b; \
    })
#define max(a, b)                      \
    ({                                 \
        auto max_a = (a);              \
        auto max_b = (b);              \
        max_a > max_b ? max_a : max_b; \
    })

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

static inline u64 page_round_down(u64 value) { return value & ~PAGE_MASK; }

// Wraps to 0 for values in the last page of 2^64: check against a limit first.
static inline u64 page_round_up(u64 value) { return (value + PAGE_MASK) & ~PAGE_MASK; }
