// The streams of a container that runs in the foreground.
#pragma once

#include "lib/manager_protocol.h"
#include "lib/records.h"

enum end : u32 { END_NOTIFY, END_STDOUT, END_STDERR, END_STDIN, ENDS_COUNT };

struct streams {
    handle_t ours[ENDS_COUNT]; // 0: it is not there, or closed
    const char *name;          // the container's
    bool has_ended;
    struct manager_end end;
};

// Makes the channels and adds their far ends to a RUN request. False: an error line was said.
bool streams_make(struct streams *streams, bool has_input, struct records_writer *writer);

// Carries them until the end is told: streams->end.
void streams_carry(struct streams *streams, const char *name);

void streams_close(struct streams *streams);
