// The start message of a container's personality, and its answer.
//
// Who makes a container clones the frozen personality with one end of a channel as its bootstrap
// handle and sends one message over the other: this structure, then `strings_size` bytes, with the
// handles in the order of enum start_handle. When the first process has ended, the personality
// sends a struct linux_exit back and ends.
#pragma once

#include "lib/types.h"

enum { LINUX_START_VERSION = 1, LINUX_START_STREAMS = 3, LINUX_START_STREAM_NONE = 0xff };

enum start_handle {
    START_IMAGE = 0,  // memory object: an EROFS image; READ and EXECUTE
    START_STREAMS = 1, // channels: READ, WRITE, WAIT; as many as stream_handles says
};

struct linux_start {
    u32 version;
    u32 argc;
    u32 envc;
    u32 strings_size; // of what follows: argc + envc strings, each with its final zero
    u64 image_size;   // bytes
    u32 stream_handles;
    // For descriptor 0, 1, 2: which of the stream handles, or LINUX_START_STREAM_NONE: /dev/null.
    u8 streams[LINUX_START_STREAMS];
    u8 reserved;
    char hostname[64]; // with a final zero; empty: the default
};

enum linux_exit_kind {
    LINUX_EXIT_ENDED = 0,         // status: as wait4 reports it
    LINUX_EXIT_NOT_FOUND = 1,     // there is no such program; status: a Linux error
    LINUX_EXIT_NOT_EXECUTABLE = 2, // it can't be run; status: a Linux error
    LINUX_EXIT_FAILED = 3,        // the container could not be set up; status: a Linux error
};

struct linux_exit {
    u32 kind;
    i32 status;
    char reason[120]; // for the last three: a text with a final zero
};
