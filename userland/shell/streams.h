// The streams of a container that runs in the foreground.
#pragma once

#include "lib/manager_protocol.h"
#include "lib/records.h"

enum end : u32 { END_NOTIFY, END_STDOUT, END_STDERR, END_STDIN, ENDS_COUNT };

enum streams_kind : u32 {
    STREAMS_INPUT = 1,    // there is a stdin
    STREAMS_TERMINAL = 2, // the console is the container's terminal; terminal_begin was called
};

struct streams {
    handle_t ours[ENDS_COUNT]; // 0: it is not there, or closed
    const char *name;          // the container's
    u32 exec_id;               // of what `exec` has started in it; 0: its first process
    bool has_ended;
    bool has_terminal;
    bool is_detached; // by the keys: the container goes on
    bool is_killed;   // by Ctrl-C
    bool is_left;     // by a second one, as it does not end
    struct manager_end end;
};

// Makes the channels and adds their far ends to a RUN or EXEC request. False: an error line was said.
bool streams_make(struct streams *streams, u32 kind, struct records_writer *writer);

// Carries them until the end is told or the keys to leave are pressed. Returns the status for us to
// exit with; why it ended, where that was not by itself, is said.
i32 streams_run(struct streams *streams, const char *name, u32 exec_id);

void streams_close(struct streams *streams);
