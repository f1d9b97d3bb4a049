// Pipes.
#pragma once

#include "linux/vfs.h"

int pipe_create(u32 flags, struct file **reader, struct file **writer);
