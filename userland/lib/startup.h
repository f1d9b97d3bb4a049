// How a native program starts.
//
// Rules:
// - its first thread finds in rdi one end of a channel, on which one one-way message waits: records
//   (records.h) with the handles that it is given (`ns`, its own namespace, among them), its
//   arguments and its environment;
// - `_start` (weak: a program may have its own) takes that message and calls main; what main returns
//   is the process's exit status;
// - the channel stays open as startup->bootstrap: whoever started the program has the other end.
#pragma once

#include "lib/records.h"

struct startup {
    handle_t bootstrap;
    struct records records;
};

// A program's own. The startup is valid for the life of the process.
int main(struct startup *startup);

// Takes the message that waits on `bootstrap`. Errors of channel_receive; INVALID_ARGUMENT for
// bytes that are no records.
status_t startup_receive(struct startup *startup, handle_t bootstrap);

static inline handle_t startup_handle(const struct startup *startup, const char *name) {
    return records_handle(&startup->records, name);
}

// The next argument after `previous` (NULL: the first), or NULL.
static inline const char *startup_argument(const struct startup *startup, const char *previous) {
    return records_next(&startup->records, 'a', previous);
}

// The value of an argument `KEY=VALUE`, or NULL.
static inline const char *startup_option(const struct startup *startup, const char *key) {
    return records_value(&startup->records, 'a', key);
}
