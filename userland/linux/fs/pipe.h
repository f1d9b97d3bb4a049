// Pipes, with and without names.
#pragma once

#include "linux/vfs.h"

struct pipe;

int pipe_create(struct thread *thread, u32 flags, struct file **reader, struct file **writer);

// Opens a FIFO: the pipe behind it is in *slot while somebody has it open. The slot is the node's
// that has the name, and written by these alone.
int fifo_open(struct thread *thread, struct pipe **slot, struct file *file);

// The pipe that a file is an end of; NULL: it is none.
struct pipe *pipe_of(struct file *file);
// Reads without taking out: as a read otherwise. pipe_consume takes out what is still there of that.
i64 pipe_peek(struct thread *thread, struct file *file, void *buffer, usize size, u32 flags);
void pipe_consume(struct pipe *pipe, usize size);

// The capacity in bytes. Setting it gives the new one: a power of two of pages, -EBUSY when it holds
// more.
i64 pipe_size(struct pipe *pipe);
i64 pipe_set_size(struct pipe *pipe, u64 size, bool is_privileged);
