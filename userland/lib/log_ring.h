// The log of a container: a ring of records in a memory object of LOG_RING_BYTES. The personality
// writes it, clients of the manager read it at the same time; neither waits for the other.
//
// A record is a log_record and its bytes, and begins at a multiple of LOG_RECORD_ALIGN. None crosses
// the end of a page; where less than LOG_RECORD_BYTES_MIN is left, the page's end stays unused. A
// record has a position, which only ever grows: its place in the ring is the rest of that by
// LOG_RING_BYTES. The first has the position LOG_RING_BYTES, so that zeros are no record.
//
// Rules:
// - the writer begins a page by writing a zero over the position of its first record, and writes a
//   record's position when all else of it is there;
// - a reader copies a page, then reads the position at its beginning again: where that has changed,
//   the copy is worth nothing;
// - what is read is not trusted: log_page_next checks it.
#pragma once

#include "lib/types.h"

enum : u32 {
    LOG_RING_PAGES = 16,
    LOG_RING_BYTES = LOG_RING_PAGES * PAGE_SIZE,
    LOG_RECORD_ALIGN = 8,
    LOG_RECORD_BYTES_MIN = 32,
};

enum log_stream : u32 { LOG_STDOUT = 1, LOG_STDERR = 2, LOG_SYSTEM = 3 };

struct log_record {
    u64 position;
    u64 time_ns; // since 1970
    u32 size_bytes;
    u32 stream; // enum log_stream
};
static_assert(sizeof(struct log_record) == 24);

static inline u32 log_place(u64 position) { return (u32)(position % LOG_RING_BYTES); }
static inline u64 log_page_start(u64 position) { return page_round_down(position); }

// The position that a record can have at or after this one.
static inline u64 log_position_next(u64 position) {
    u64 aligned = (position + LOG_RECORD_ALIGN - 1) & ~(u64)(LOG_RECORD_ALIGN - 1);
    bool has_room = PAGE_SIZE - aligned % PAGE_SIZE >= LOG_RECORD_BYTES_MIN;
    return has_room ? aligned : page_round_up(aligned);
}

// The record at *position in the copy of its page, and moves on behind it; NULL: there is none yet,
// or none any more. Its bytes are behind it.
const struct log_record *log_page_next(const u8 *page, u64 *position);
