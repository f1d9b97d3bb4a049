// Reading a container's log (lib/log_ring.h) while it is written.
#pragma once

#include "abi/types.h"
#include "lib/log_ring.h"

struct log_reader {
    handle_t memobj;
    u64 position; // of the next record
    u64 page_start;
    bool has_page;
    bool has_lost; // records were overwritten before they were read
    u8 page[PAGE_SIZE] __attribute__((aligned(8)));
};

// From the oldest record on. The handle stays the caller's.
void log_reader_begin(struct log_reader *reader, handle_t memobj);

// The next record, valid until the next call; its bytes are behind it. NULL: there is none yet.
const struct log_record *log_reader_next(struct log_reader *reader);
