// The console as the terminal of a container that runs in the foreground: its size, and what is
// typed, as it is, but for two things that are ours: reports of the size, and the keys that leave.
#pragma once

#include "lib/types.h"

struct terminal_size {
    u32 rows;
    u32 columns;
};

// What of the input is ours.
enum terminal_event : u32 {
    TERMINAL_NOTHING,
    TERMINAL_RESIZED,
    TERMINAL_DETACHED, // Ctrl-P Ctrl-Q
};

// Takes the console over, and asks the terminal at it how large it is; 24 x 80 where it does not say.
struct terminal_size terminal_begin(void);
// Gives it back.
void terminal_end(void);

// Moves what was typed (input.h) into the buffer, until it is full or something is ours. It has room
// for CONTAINER_STREAM_BYTES_MAX.
enum terminal_event terminal_take(char *buffer, u32 size_bytes, u32 *used);
struct terminal_size terminal_size(void);
// Until when more of a sequence must come: then terminal_release gives what is there to the
// program. CL_DEADLINE_NEVER when nothing is held.
u64 terminal_deadline_ns(void);
void terminal_release(void);
