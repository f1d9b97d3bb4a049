// The container's standard streams: one-way messages of bytes on channels (lib/container_protocol.h).
#pragma once

#include "abi/types.h"
#include "lib/log_ring.h"
#include "linux/vfs.h"

enum stream_kind : u32 {
    STREAM_ONCE,      // of EXEC: when its other end is gone, it is over
    STREAM_CONTAINER, // of the container: what is attached can change; without a reader it is read
                      // from the log only, without a writer it waits
};

struct stream_options {
    handle_t channel; // 0: nobody is attached
    enum stream_kind kind;
    u32 log; // enum log_stream; 0: its bytes are not logged
};

// Consumes the channel, but for -ENOMEM.
int stream_create(const struct stream_options *options, u32 flags, struct file **out);

// /dev/console's and /proc's: what is the same stream once more.
int stream_open_console(struct file *file);
bool file_is_stream(const struct file *file);

// The container's three: which they are, and what is attached to them from now on. Handles are
// consumed; 0: nobody.
// Writes to the container's own stream, whatever descriptors there are. -ENXIO: there is none, as with
// a terminal.
i64 stream_write_standard(struct thread *thread, u32 number, const void *buffer, usize size);
void stream_set_standard(u32 number, struct file *file);
void streams_attach(const handle_t channels[3]);
// The container's first process is gone.
void streams_forget(void);
