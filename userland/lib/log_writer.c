#include "lib/log_writer.h"

#include "lib/string.h"

enum { SMALL_BYTES_MAX = 240, KEPT_BYTES = 512 };

// Where the newest page begins; the first page when there is nothing.
static u64 newest_page_find(handle_t memobj) {
    u64 newest = LOG_RING_BYTES;
    for (u32 page = 0; page < LOG_RING_PAGES; page++) {
        u64 position;
        if (log_memobj_read(memobj, page * PAGE_SIZE, &position, sizeof(position)) == 0 &&
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
           log_memobj_read(memobj, log_place(position), &record, sizeof(record)) == 0 &&
           record.position == position && record.size_bytes < PAGE_SIZE)
        position = log_position_next(position + sizeof(record) + record.size_bytes);
    return position;
}

// Pages are paid for when they are first written to. There is always one with room for a line or two:
// that memory has run out can be said then.
static void page_keep(const struct log_writer *writer) {
    u64 position = log_page_start(writer->position + KEPT_BYTES);
    u64 there;
    if (log_memobj_read(writer->memobj, log_place(position), &there, sizeof(there)) == 0 &&
        there == 0)
        (void)log_memobj_write(writer->memobj, log_place(position), &there, sizeof(there));
}

void log_writer_open(struct log_writer *writer, handle_t memobj, u64 position) {
    writer->memobj = memobj;
    writer->position = position == 0 && memobj ? end_find(memobj) : position;
    if (memobj) page_keep(writer);
}

// All of a record but its position, which makes it one. Small ones go in one piece.
static i64 record_fill(const struct log_writer *writer, const struct log_record *record,
                       const u8 *bytes) {
    enum { HEAD_BYTES = sizeof(*record) - sizeof(record->position) };
    u8 whole[HEAD_BYTES + SMALL_BYTES_MAX];
    u32 place = log_place(record->position) + sizeof(record->position);
    bool is_small = record->size_bytes <= SMALL_BYTES_MAX;
    memcpy(whole, (const u8 *)record + sizeof(record->position), HEAD_BYTES);
    if (is_small) memcpy(whole + HEAD_BYTES, bytes, record->size_bytes);
    i64 result = log_memobj_write(writer->memobj, place, whole,
                                  HEAD_BYTES + (is_small ? record->size_bytes : 0));
    if (result == 0 && !is_small)
        result = log_memobj_write(writer->memobj, place + HEAD_BYTES, bytes, record->size_bytes);
    return result;
}

// One record, of as much as there is room for in the page. Returns how much; 0: the log is over.
static usize record_write(struct log_writer *writer, enum log_stream stream, const u8 *bytes,
                          usize size) {
    u64 nothing = 0;
    u32 place = log_place(writer->position);
    usize room = PAGE_SIZE - place % PAGE_SIZE - sizeof(struct log_record);
    struct log_record record = {
        .position = writer->position,
        .time_ns = log_time_ns(),
        .size_bytes = (u32)min(size, room),
        .stream = stream,
    };
    i64 result = 0;
    if (place % PAGE_SIZE == 0)
        result = log_memobj_write(writer->memobj, place, &nothing, sizeof(nothing));
    if (result == 0) result = record_fill(writer, &record, bytes);
    if (result == 0)
        result = log_memobj_write(writer->memobj, place, &record.position, sizeof(nothing));
    if (result != 0) return 0;
    writer->position = log_position_next(record.position + sizeof(record) + record.size_bytes);
    return record.size_bytes;
}

void log_writer_write(struct log_writer *writer, enum log_stream stream, const void *bytes,
                      usize size) {
    const u8 *at = bytes;
    u64 kept = log_page_start(writer->position + KEPT_BYTES);
    while (writer->memobj && size > 0) {
        usize count = record_write(writer, stream, at, size);
        if (count == 0) break;
        at += count;
        size -= count;
    }
    if (writer->memobj && log_page_start(writer->position + KEPT_BYTES) != kept) page_keep(writer);
}
