// Pipes, with and without names.
#pragma once

#include "linux/vfs.h"

struct pipe;

int pipe_create(struct thread *thread, u32 flags, struct file **reader, struct file **writer);

// Opens a FIFO: the pipe behind it is in *slot while somebody has it open. The slot is the node's
// that has the name, and written by these alone.
int fifo_open(struct thread *thread, struct pipe **slot, struct file *file);
