// What the container's streams show: the log (lib/log_ring.h), and those who follow it.
// Rules: nothing here waits or fails; what can't be logged is lost.
#pragma once

#include "abi/types.h"
#include "lib/log_ring.h"
#include "lib/types.h"

// The log, before anything is written. `position` is where it goes on: LOG_RING_BYTES when it is new,
// 0: look for the end of what is there.
void output_open(handle_t memobj, u64 position);
void output_log(enum log_stream stream, const void *bytes, usize size);
// A line of the system's own.
void output_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Takes a channel end that gets a message when the log has grown. Closed with the last process, or
// when there are too many.
void output_follow(handle_t channel);
void output_unfollow(void);
