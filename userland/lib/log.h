// Lines for the kernel's log.
#pragma once

#include "lib/types.h"

// One line, without its end; what is longer than LOG_LINE_MAX bytes is cut. A line that the log
// refuses (the namespace has used up its rate) is lost.
enum { LOG_LINE_MAX = 512 };

void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
