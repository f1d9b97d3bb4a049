// Basic types and small helpers of the kernel; every kernel file may include this one.
#pragma once

#include "check/hooks.h"

#include <stdarg.h>
#include <stddef.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef signed char i8;
typedef short i16;
typedef int i32;
typedef long i64;
typedef u64 usize;

typedef i64 status_t; // 0, or a negative code of abi/errors.h

// The build passes -DCLOISTER_DEBUG=0 or 1. Code tests the constant DEBUG, never the macro.
#ifndef CLOISTER_DEBUG
#define CLOISTER_DEBUG 0
#endif
enum { DEBUG = CLOISTER_DEBUG };

enum : u64 { PAGE_SHIFT = 12, PAGE_SIZE = 1ul << PAGE_SHIFT, PAGE_MASK = PAGE_SIZE - 1 };

#define KIB(n) ((u64)(n) << 10)
#define MIB(n) ((u64)(n) << 20)
#define GIB(n) ((u64)(n) << 30)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define container_of(pointer, type, member) \
    ((type *)((u8 *)(1 ? (pointer) : &((type *)nullptr)->member) - offsetof(type, member)))

#define min(a, b)                          \
    ({                                     \
        auto min_a_ = (a);                 \
        auto min_b_ = (b);                 \
        min_a_ < min_b_ ? min_a_ : min_b_; \
    })
#define max(a, b)                          \
    ({                                     \
        auto max_a_ = (a);                 \
        auto max_b_ = (b);                 \
        max_a_ > max_b_ ? max_a_ : max_b_; \
    })

// `alignment` is a power of two.
#define align_down(value, alignment) ((u64)(value) & ~((u64)(alignment) - 1))
#define align_up(value, alignment) align_down((u64)(value) + (alignment) - 1, alignment)

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define NORETURN _Noreturn
// For functions that shrink to a few instructions where their arguments are known.
#define ALWAYS_INLINE [[gnu::always_inline]] static inline
// For functions that hot code rarely calls: they keep the caller's registers, so that the way
// around them need not save any.
#define SLOW_PATH __attribute__((preserve_most, noinline, cold))
// For functions behind which every register changes anyway: whoever calls them saves what it
// needs. Not for the sanitizers' builds: there clang takes a register for granted (rbx, as base
// pointer of a frame that ASan has aligned) that the call changes.
#if defined(__x86_64__) && !defined(__SSE2__)
#define CHANGES_ALL [[clang::preserve_none]]
#else
#define CHANGES_ALL
#endif
#define PRINTF_LIKE(format_, first_) __attribute__((format(printf, format_, first_)))

static_assert(sizeof(u64) == 8 && sizeof(u32) == 4 && sizeof(void *) == 8);
