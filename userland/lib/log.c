#include "cloister.h"

#include "lib/format.h"
#include "lib/log.h"

void log_line(const char *format, ...) {
    char line[LOG_LINE_MAX];
    va_list args;
    va_start(args, format);
    usize size = format_text_args(line, sizeof(line), format, args);
    va_end(args);
    log_write(line, min(size, sizeof(line) - 1));
}
