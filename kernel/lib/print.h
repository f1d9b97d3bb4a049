// The kernel log, panic and assertions.
//
// Rules:
// - kprintf may be called with any lock held and from interrupts; it never blocks.
// - ASSERT stays in release builds: for what memory safety hangs on. DASSERT is for a kernel
//   bug, in debug builds. Neither is ever about what a user gave.
// - Formats: %d %u %x %p %s %% with l, z, width and 0; nothing else.
#pragma once

#include "lib/types.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

// One line or part of one; ends with '\n' when the line is complete. Level LOG_INFO.
#define kprintf(...) klog(LOG_INFO, __VA_ARGS__)
// With a level: LOG_ERROR and LOG_WARNING get a prefix; LOG_DEBUG goes to the ring only.
void klog(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

// Formats into `buffer`, always zero-ended (size >= 1); returns the length without the cut.
usize ksnprintf(char *buffer, usize size, const char *format, ...) PRINTF_LIKE(3, 4);
usize kvsnprintf(char *buffer, usize size, const char *format, va_list arguments);

// Where log text goes beside the ring; set by the architecture, called with the log's lock held.
void log_set_output(void (*output)(const char *text, usize length));

// Prints the report (see arch/x86/panic.c), stops the other CPUs, then halts or powers off.
// True from the first panic on: locks no longer count.
bool panic_running(void);
NORETURN void panic(const char *format, ...) PRINTF_LIKE(1, 2);

#define ASSERT(condition)                                                                       \
    do {                                                                                        \
        if (unlikely(!(condition)))                                                             \
            panic("%s:%d: %s: assertion failed: %s", __FILE__, __LINE__, __func__, #condition); \
    } while (0)

#define DASSERT(condition)            \
    do {                              \
        if (DEBUG) ASSERT(condition); \
    } while (0)
