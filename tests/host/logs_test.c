// The reader of a log whose writer wants harm: it goes on writing while it is read, and writes
// anything. Whatever it does, one look at the log ends.
#include "check.h"

#include "cloister.h"

#include "shell/log_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORDS_MAX = LOG_RING_BYTES / sizeof(struct log_record) + 1 };

static u8 ring[LOG_RING_BYTES];
static u64 written;              // the position of the next record
static u32 record_bytes;         // of each
static void (*before)(u64 size); // done before each read

status_t memobj_read(handle_t, u64 offset, void *bytes, u64 size) {
    if (before) before(size);
    if (offset > sizeof(ring) || size > sizeof(ring) - offset) return ERR_OUT_OF_RANGE;
    memcpy(bytes, ring + offset, size);
    return OK;
}

status_t object_info(handle_t, struct cl_object_info *info) {
    *info = (struct cl_object_info){.detail = {LOG_RING_BYTES, LOG_RING_PAGES}};
    return OK;
}

static void record_write(void) {
    struct log_record record = {
        .position = written, .time_ns = 1, .size_bytes = record_bytes, .stream = LOG_STDOUT};
    memcpy(ring + log_place(written), &record, sizeof(record));
    written = log_position_next(written + sizeof(record) + record_bytes);
}

// One page more for each that is read: the reader never comes to the end.
static void page_write(u64 size) {
    if (size != PAGE_SIZE) return;
    u64 page = log_page_start(written);
    while (log_page_start(written) == page)
        record_write();
}

static void ring_clear(u32 size) {
    memset(ring, 0, sizeof(ring));
    written = LOG_RING_BYTES;
    record_bytes = size;
    before = NULL;
}

// How many records one look finds; at most `limit`.
static u32 records_count(struct log_reader *reader, u32 limit) {
    u32 count = 0;
    while (count < limit && log_reader_next(reader))
        count++;
    return count;
}

// All that there is, and then what comes.
static void test_whole(void) {
    static const u32 sizes[] = {0, 1, 8, 100, 1000, PAGE_SIZE - sizeof(struct log_record)};
    for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct log_reader reader;
        u32 count = 0;
        ring_clear(sizes[i]);
        for (;
             log_position_next(written + sizeof(struct log_record) + sizes[i]) < 2 * LOG_RING_BYTES;
             count++)
            record_write();
        log_reader_begin(&reader, 1);
        CHECK(records_count(&reader, 2 * RECORDS_MAX) == count);
        record_write();
        record_write();
        log_reader_go_on(&reader);
        CHECK(records_count(&reader, 3) == 2);
        CHECK(!reader.has_lost);
    }
}

// There is always one more, of whatever size.
static void test_endless(void) {
    static const u32 sizes[] = {0, 1, 100, PAGE_SIZE - sizeof(struct log_record)};
    for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct log_reader reader;
        ring_clear(sizes[i]);
        for (u32 page = 0; page < 4; page++)
            page_write(PAGE_SIZE);
        before = page_write;
        log_reader_begin(&reader, 1);
        u32 count = records_count(&reader, RECORDS_MAX + 1);
        CHECK(count >= LOG_RING_PAGES && count <= RECORDS_MAX);
        log_reader_go_on(&reader);
        u32 again = records_count(&reader, RECORDS_MAX + 1);
        CHECK(again >= LOG_RING_PAGES && again <= RECORDS_MAX);
    }
}

static void anything_write(u64) {
    u32 page = (u32)rand() % LOG_RING_PAGES;
    u64 position = (u64)page * PAGE_SIZE + (u64)(rand() % 16) * LOG_RING_BYTES;
    if (rand() % 4 == 0) position = ~0ull - LOG_RING_BYTES + page * PAGE_SIZE + 1;
    for (u32 at = 0; at + 64 < PAGE_SIZE;) {
        struct log_record record = {.position = position + at,
                                    .size_bytes = (u32)rand() % 64,
                                    .stream = 1 + (u32)rand() % 3};
        memcpy(ring + page * PAGE_SIZE + at, &record, sizeof(record));
        at = (at + (u32)sizeof(record) + record.size_bytes + 7) & ~7u;
    }
}

static void test_anything(void) {
    for (int round = 0; round < 300; round++) {
        struct log_reader reader;
        ring_clear(0);
        before = anything_write;
        log_reader_begin(&reader, 1);
        for (int look = 0; look < 3; look++) {
            CHECK(records_count(&reader, RECORDS_MAX + 1) <= RECORDS_MAX);
            log_reader_go_on(&reader);
        }
    }
}

int main(void) {
    test_whole();
    test_endless();
    test_anything();
    return failures ? 1 : 0;
}
