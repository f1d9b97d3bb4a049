// The container's standard streams: channels on which bytes come and go as messages, given at its
// start.
#pragma once

#include "linux/vfs.h"

// A file on a channel. The handle is the file's from then on.
int stream_create(u32 channel, u32 flags, struct file **out);

// For /dev/console and /dev/tty: makes `file` the same stream as the container's standard output;
// -ENXIO where there is none.
int stream_open_console(struct file *file);
void stream_set_console(struct file *file);
