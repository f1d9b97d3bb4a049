#include "linux/output.h"

#include "lib/format.h"
#include "lib/log_writer.h"
#include "lib/mutex.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/kernel_if.h"

enum { FOLLOWERS_MAX = 4, LINE_BYTES_MAX = 200 };

static struct {
    struct mutex lock;
    // under lock:
    struct log_writer writer GUARDED_BY(&lock);
    handle_t followers[FOLLOWERS_MAX] GUARDED_BY(&lock);
} output;

i64 log_memobj_read(handle_t memobj, u64 offset, void *bytes, usize size) {
    return kernel_memobj_read(memobj, offset, bytes, size);
}

i64 log_memobj_write(handle_t memobj, u64 offset, const void *bytes, usize size) {
    return kernel_memobj_write(memobj, offset, bytes, size);
}

u64 log_time_ns(void) { return kernel_realtime_ns(); }

void output_open(handle_t memobj, u64 position) {
    mutex_lock(&output.lock);
    log_writer_open(&output.writer, memobj, position);
    mutex_unlock(&output.lock);
}

static void followers_tell_locked(void) REQUIRES(&output.lock) {
    for (u32 i = 0; i < FOLLOWERS_MAX; i++) {
        u8 byte = 0;
        if (output.followers[i] && kernel_stream_write(output.followers[i], &byte, 1) == -EPIPE) {
            kernel_close(output.followers[i]);
            output.followers[i] = 0;
        }
    }
}

void output_log(enum log_stream stream, const void *bytes, usize size) {
    mutex_lock(&output.lock);
    log_writer_write(&output.writer, stream, bytes, size);
    followers_tell_locked();
    mutex_unlock(&output.lock);
}

void output_line(const char *format, ...) {
    char line[LINE_BYTES_MAX];
    va_list args;
    va_start(args, format);
    usize size = format_text_args(line, sizeof(line) - 1, format, args);
    va_end(args);
    size = min(size, sizeof(line) - 2);
    line[size++] = '\n';
    output_log(LOG_SYSTEM, line, size);
}

void output_follow(handle_t channel) {
    const u8 byte = 0;
    bool is_taken = false;
    mutex_lock(&output.lock);
    followers_tell_locked();                // those that are gone make room
    kernel_stream_write(channel, &byte, 1); // it may have read before what is there now
    for (u32 i = 0; i < FOLLOWERS_MAX && !is_taken; i++) {
        is_taken = output.followers[i] == 0;
        if (is_taken) output.followers[i] = channel;
    }
    mutex_unlock(&output.lock);
    if (!is_taken) kernel_close(channel);
}

void output_unfollow(void) {
    mutex_lock(&output.lock);
    for (u32 i = 0; i < FOLLOWERS_MAX; i++) {
        if (output.followers[i]) kernel_close(output.followers[i]);
        output.followers[i] = 0;
    }
    mutex_unlock(&output.lock);
}
