// Writing the log of a container (log_ring.h). One writer at a time.
// Rules: nothing here waits or fails; what can't be logged is lost.
#pragma once

#include "abi/types.h"
#include "lib/log_ring.h"

struct log_writer {
    handle_t memobj; // 0: there is no log
    u64 position;    // of the next record
};

// `position` is where it goes on: LOG_RING_BYTES when the log is new, 0: look for the end of what is there.
void log_writer_open(struct log_writer *writer, handle_t memobj, u64 position);
void log_writer_write(struct log_writer *writer, enum log_stream stream, const void *bytes,
                      usize size);

// Given by the program: the system calls (0 or a negative code), and the time since 1970.
i64 log_memobj_read(handle_t memobj, u64 offset, void *bytes, usize size);
i64 log_memobj_write(handle_t memobj, u64 offset, const void *bytes, usize size);
u64 log_time_ns(void);
