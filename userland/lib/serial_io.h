// Whole writes to a serial line.
#pragma once

#include "abi/errors.h"
#include "abi/types.h"
#include "lib/types.h"

// Writes all bytes, waiting for room as long as it takes.
status_t serial_write_all(handle_t serial, const void *bytes, usize size_bytes);

// A formatted text of at most SERIAL_TEXT_MAX bytes; what is longer is cut.
enum { SERIAL_TEXT_MAX = 1024 };
status_t serial_print(handle_t serial, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
