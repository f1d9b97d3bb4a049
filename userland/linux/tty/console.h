// The container's own terminals: what `run -t` or `exec -t` gives its program. The master side is a
// client of the manager, at the other end of two channels.
#pragma once

#include "abi/types.h"
#include "linux/tty/terminal.h"

struct console_channels {
    handle_t input;  // 0: nobody types
    handle_t output; // 0: nobody looks
};

// Makes a terminal on these channels, which are its own from then on. `size` is "ROWSxCOLUMNS"; what
// can't be read of it is 0.
int console_create(const struct console_channels *channels, const char *size,
                   struct terminal **out);
// A file of the programs' side, and the controlling terminal of the calling session leader.
int console_open(struct thread *thread, struct terminal *terminal, struct file **out);

// /dev/console: the terminal of the first program, counted; NULL when it has none.
struct terminal *console_first(void);

// It is the first program's: what it shows is in the log.
void console_set_first(struct terminal *terminal) EXCLUDES(&tasks.lock);
// The program that it was made for has ended: drains it, hangs it up, and puts it.
void console_end(struct terminal *terminal) EXCLUDES(&tasks.lock);

// Waits until all that was written is with the client, for a while.
void console_drain(struct terminal *terminal);

// A client that is there instead of the one before (attach). The channels are its own.
void console_attach(struct terminal *terminal, const struct console_channels *channels);
