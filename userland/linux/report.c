// The log: a line at a time, rate-limited, with the number of those left out.
#include "linux/report.h"

#include "lib/format.h"
#include "lib/mutex.h"
#include "linux/kernel_if.h"

enum { LOG_LINES_PER_SECOND = 20, LOG_LINE_BYTES = 200 };

static struct {
    struct mutex lock;
    u64 second GUARDED_BY(&lock);
    u32 lines GUARDED_BY(&lock);
    u32 dropped GUARDED_BY(&lock);
} log;

// Whether a line may be written now; how many were dropped before it.
static bool log_admit(u32 *dropped) {
    u64 second = kernel_monotonic_ns() / 1000000000;
    mutex_lock(&log.lock);
    if (log.second != second) {
        log.second = second;
        log.lines = 0;
    }
    bool is_admitted = log.lines < LOG_LINES_PER_SECOND;
    *dropped = is_admitted ? log.dropped : 0;
    log.dropped = is_admitted ? 0 : log.dropped + 1;
    log.lines += is_admitted;
    mutex_unlock(&log.lock);
    return is_admitted;
}

void report_line(const char *format, ...) {
    char line[LOG_LINE_BYTES];
    u32 dropped;
    if (!log_admit(&dropped)) {
        return;
    }
    usize length = format_text(line, sizeof(line), "linux: ");
    va_list args;
    va_start(args, format);
    length += format_text_args(line + length, sizeof(line) - length, format, args);
    va_end(args);
    if (dropped > 0 && length < sizeof(line)) {
        length += format_text(line + length, sizeof(line) - length, " (%u lines dropped)", dropped);
    }
    kernel_log(line, length < sizeof(line) ? length : sizeof(line) - 1);
}
