// `cp` between containers: a tree as a ustar stream over a channel, from one personality to another.
// Rules: both run in the thread of a process that launch.c has made for them; what they report is a
// line in `problem`, which has room for ARCHIVE_PROBLEM_MAX bytes. They consume the channel.
#pragma once

#include "abi/types.h"
#include "lib/types.h"

struct thread;

enum { ARCHIVE_PROBLEM_MAX = 128 };

// Writes the tree at `path`, its names beginning with `name`. Symbolic links are not followed, and other
// mounted file systems left out.
int archive_write(struct thread *thread, const char *path, const char *name, handle_t channel,
                  char *problem);

// Makes what comes at `path`: in it, as `name`, where that is a directory, else as it. The sender's own
// first name does not matter, and no name of his leads anywhere else. `.` as `name`: what is in the
// tree comes into the directory.
int archive_extract(struct thread *thread, const char *path, const char *name, handle_t channel,
                    char *problem);
