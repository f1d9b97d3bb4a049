#include "shell/log_reader.h"

#include "cloister.h"

// The position at the beginning of a page of the ring; 0: nothing was written there, or is now.
static u64 page_position(handle_t memobj, u32 page) {
    u64 position = 0;
    if (memobj_read(memobj, page * PAGE_SIZE, &position, sizeof(position)) != OK) return 0;
    return position >= LOG_RING_BYTES && log_place(position) == page * PAGE_SIZE ? position : 0;
}

// Pages are written in order: those that are not there yet need not be made by reading them.
static u64 oldest_find(handle_t memobj) {
    struct cl_object_info info;
    u64 oldest = 0;
    if (object_info(memobj, &info) != OK) return 0;
    for (u32 page = 0; page < min(info.detail[1], (u64)LOG_RING_PAGES); page++) {
        u64 position = page_position(memobj, page);
        if (position != 0 && (oldest == 0 || position < oldest)) oldest = position;
    }
    return oldest;
}

void log_reader_begin(struct log_reader *reader, handle_t memobj) {
    *reader = (struct log_reader){.memobj = memobj};
    reader->position = oldest_find(memobj);
    log_reader_go_on(reader);
}

void log_reader_go_on(struct log_reader *reader) { reader->rest_bytes = LOG_RING_BYTES; }

// Copies the page of the position, anew where it may have grown. False: it is not that page any more,
// or not yet.
static bool page_copy(struct log_reader *reader) {
    u64 start = log_page_start(reader->position);
    u32 page = log_place(start) / PAGE_SIZE;
    reader->page_start = start;
    reader->has_page =
        memobj_read(reader->memobj, log_place(start), reader->page, PAGE_SIZE) == OK &&
        *(const u64 *)reader->page == start && page_position(reader->memobj, page) == start;
    return reader->has_page;
}

static const struct log_record *record_take(struct log_reader *reader) {
    if (!reader->has_page || log_page_start(reader->position) != reader->page_start) return NULL;
    const struct log_record *record = log_page_next(reader->page, &reader->position);
    u32 size = record ? (u32)sizeof(*record) + record->size_bytes : 0;
    reader->rest_bytes -= min(reader->rest_bytes, size);
    return record;
}

// Where the writer has come round, the oldest that is left is next.
static void lost_look(struct log_reader *reader) {
    u64 oldest = oldest_find(reader->memobj);
    if (oldest > reader->position) {
        reader->has_lost |= reader->position != 0;
        reader->position = oldest;
    }
}

const struct log_record *log_reader_next(struct log_reader *reader) {
    if (reader->rest_bytes == 0) return NULL;
    const struct log_record *record = record_take(reader);
    if (record) return record;
    if (!page_copy(reader)) {
        lost_look(reader);
        if (reader->position == 0 || !page_copy(reader)) return NULL;
    }
    return record_take(reader);
}
