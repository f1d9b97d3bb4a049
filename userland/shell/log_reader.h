// Reading a container's log (lib/log_ring.h) while it is written.
// Rules:
// - a look at the log ends, whatever its writer does meanwhile: it gives as much as a ring holds.
#pragma once

#include "abi/types.h"
#include "lib/log_ring.h"

struct log_reader {
    handle_t memobj;
    u64 position; // of the next record
    u64 page_start;
    u32 rest_bytes; // of this look
    bool has_page;
    bool has_lost; // records were overwritten before they were read
    u8 page[PAGE_SIZE] __attribute__((aligned(8)));
};

// From the oldest record on. The handle stays the caller's.
void log_reader_begin(struct log_reader *reader, handle_t memobj);

// One more look, from where the one before has ended.
void log_reader_go_on(struct log_reader *reader);

// The next record, valid until the next call; its bytes are behind it. NULL: there is none yet, or the
// look is over.
const struct log_record *log_reader_next(struct log_reader *reader);
