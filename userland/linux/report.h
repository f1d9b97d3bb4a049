// Lines for whoever runs the container: in the kernel's log, at most LOG_LINES_PER_SECOND.
#pragma once

void report_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
