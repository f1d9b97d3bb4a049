#include "linux/output.h"

#include "lib/format.h"
#include "lib/mutex.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/kernel_if.h"

enum { FOLLOWERS_MAX = 4, LINE_BYTES_MAX = 200, SMALL_BYTES_MAX = 240 };

static struct {
    struct mutex lock;
    // under lock:
    handle_t memobj GUARDED_BY(&lock); // 0: there is no log
    u64 position GUARDED_BY(&lock);    // of the next record
    handle_t followers[FOLLOWERS_MAX] GUARDED_BY(&lock);
} output;

// Where the newest page begins; the first page when there is nothing.
static u64 newest_page_find(handle_t memobj) {
    u64 newest = LOG_RING_BYTES;
    for (u32 page = 0; page < LOG_RING_PAGES; page++) {
        u64 position;
        if (kernel_memobj_read(memobj, page * PAGE_SIZE, &position, sizeof(position)) == 0 &&
            log_place(position) == page * PAGE_SIZE)
            newest = max(newest, position);
    }
    return newest;
}

// Follows the records of that page.
static u64 end_find(handle_t memobj) {
    u64 position = newest_page_find(memobj);
    u64 page_end = log_page_start(position) + PAGE_SIZE;
    struct log_record record;
    while (position < page_end &&
           kernel_memobj_read(memobj, log_place(position), &record, sizeof(record)) == 0 &&
           record.position == position && record.size_bytes < PAGE_SIZE)
        position = log_position_next(position + sizeof(record) + record.size_bytes);
    return position;
}

void output_open(handle_t memobj, u64 position) {
    mutex_lock(&output.lock);
    output.memobj = memobj;
    output.position = position == 0 && memobj ? end_find(memobj) : position;
    mutex_unlock(&output.lock);
}

// All of a record but its position, which makes it one. Small ones go in one piece.
static int record_fill_locked(const struct log_record *record, const u8 *bytes)
    REQUIRES(&output.lock) {
    enum { HEAD_BYTES = sizeof(*record) - sizeof(record->position) };
    u8 whole[HEAD_BYTES + SMALL_BYTES_MAX];
    u32 place = log_place(record->position) + sizeof(record->position);
    bool is_small = record->size_bytes <= SMALL_BYTES_MAX;
    memcpy(whole, (const u8 *)record + sizeof(record->position), HEAD_BYTES);
    if (is_small) memcpy(whole + HEAD_BYTES, bytes, record->size_bytes);
    int result = kernel_memobj_write(output.memobj, place, whole,
                                     HEAD_BYTES + (is_small ? record->size_bytes : 0));
    if (result == 0 && !is_small)
        result = kernel_memobj_write(output.memobj, place + HEAD_BYTES, bytes, record->size_bytes);
    return result;
}

// One record, of as much as there is room for in the page. Returns how much; 0: the log is over.
static usize record_write_locked(enum log_stream stream, const u8 *bytes, usize size)
    REQUIRES(&output.lock) {
    u64 nothing = 0;
    u32 place = log_place(output.position);
    usize room = PAGE_SIZE - place % PAGE_SIZE - sizeof(struct log_record);
    struct log_record record = {
        .position = output.position,
        .time_ns = kernel_realtime_ns(),
        .size_bytes = (u32)min(size, room),
        .stream = stream,
    };
    int result = 0;
    if (place % PAGE_SIZE == 0)
        result = kernel_memobj_write(output.memobj, place, &nothing, sizeof(nothing));
    if (result == 0) result = record_fill_locked(&record, bytes);
    if (result == 0)
        result = kernel_memobj_write(output.memobj, place, &record.position, sizeof(nothing));
    if (result != 0) return 0;
    output.position = log_position_next(record.position + sizeof(record) + record.size_bytes);
    return record.size_bytes;
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
    const u8 *at = bytes;
    mutex_lock(&output.lock);
    while (output.memobj && size > 0) {
        usize count = record_write_locked(stream, at, size);
        if (count == 0) break;
        at += count;
        size -= count;
    }
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
    bool is_taken = false;
    mutex_lock(&output.lock);
    followers_tell_locked(); // those that are gone make room
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
