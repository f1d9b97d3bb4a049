// What the parts of pipes share: the ring and its files (pipe.c), opening (fifo.c), moving bytes
// without Linux memory and sizes (pipe_splice.c).
#pragma once

#include "linux/fs/pipe.h"
#include "linux/waiting.h"

enum { PIPE_BYTES = 64 << 10, PIPE_CHUNK = PAGE_SIZE };

struct pipe {
    struct vnode vnode; // counted by its files
    struct mutex lock;
    struct waitqueue changed;
    // under lock:
    u32 readers GUARDED_BY(&lock); // files, not descriptors
    u32 writers GUARDED_BY(&lock);
    u32 readers_ever GUARDED_BY(&lock);
    u32 writers_ever GUARDED_BY(&lock);
    u64 head GUARDED_BY(&lock); // bytes ever written
    u64 tail GUARDED_BY(&lock); // bytes ever read
    u32 chunks_count GUARDED_BY(&lock);
    u8 **chunks GUARDED_BY(&lock);
    // constant:
    u32 uid;
    u32 gid;
    u64 made_ns;
    struct pipe *
        *slot; // where a node with a name has it; NULL: it has none. Under the lock of fifo.c
};

extern const struct file_ops pipe_ops;

static inline usize pipe_capacity_locked(const struct pipe *pipe) REQUIRES(&pipe->lock) {
    return (usize)pipe->chunks_count * PIPE_CHUNK;
}

// Whether an operation with these flags waits.
bool pipe_may_wait(struct file *file, u32 flags);

// NULL: no memory. The caller has the one reference.
struct pipe *pipe_make(struct thread *thread);
// Makes the file an end, or both, by its flags; consumes a reference to the pipe.
void pipe_file_attach(struct pipe *pipe, struct file *file);
// The same for a file that is being opened: waits for the other end as Linux does. The reference is
// consumed on success.
int pipe_open_end(struct thread *thread, struct pipe *pipe, struct file *file);
// The last reference to a pipe with a name is gone: its slot no longer leads to it.
void fifo_forget(struct pipe *pipe);
