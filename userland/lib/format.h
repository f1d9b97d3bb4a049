// printf-style formatting into buffers.
// Known: %d %i %u %x %X %o %c %s %p %%, the flags `-`, `0`, `+` and space, width and precision
// (also `*`), the lengths hh, h, l, ll and z. What is not known is printed as it stands, so that a
// mistake shows.
#pragma once

#include "lib/types.h"

#include <stdarg.h>

// Writes at most size - 1 bytes and a final zero (size 0 writes nothing). Returns the length that
// the whole text has, which is more than was written when it is not less than `size`.
usize format_text(char *buffer, usize size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
usize format_text_args(char *buffer, usize size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
