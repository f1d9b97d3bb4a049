// Checks of programs that test on the host.
//
// Rules:
// - a failed check is printed and counted in `failures`, of which the program makes its status; the test
//   goes on;
// - a program includes this once, and stdio.h itself: some of the headers under test must come before it.
#pragma once

static int failures;

#define CHECK(condition)                                           \
    do {                                                           \
        if (!(condition)) {                                        \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            failures++;                                            \
        }                                                          \
    } while (0)

#define CHECK_IS(value, expected)                                                           \
    do {                                                                                    \
        i64 got = (i64)(value);                                                             \
        i64 wanted = (i64)(expected);                                                       \
        if (got != wanted) {                                                                \
            printf("%s:%d: %s is %ld, not %ld\n", __FILE__, __LINE__, #value, got, wanted); \
            failures++;                                                                     \
        }                                                                                   \
    } while (0)
