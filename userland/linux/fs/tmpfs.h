// Files in memory: directories, regular files, symbolic links, special files.
#pragma once

#include "lib/types.h"
#include "linux/vfs.h"

// Makes an empty file system whose root has these permissions; system->root is set.
int tmpfs_mount(struct file_system *system, u32 mode);
