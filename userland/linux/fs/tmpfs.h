// Files in memory: directories, regular files, symbolic links, special files. The root of a
// container is one of these with an image below it: what was not changed is the image's.
#pragma once

#include "lib/types.h"
#include "linux/vfs.h"

// Makes an empty file system whose root has these permissions; system->root is set.
int tmpfs_mount(struct file_system *system, u32 mode);

// The same over an EROFS image, mapped at `memory`, which stays there; `memobj` is its handle, for
// mapping its pages into Linux address spaces. One file system can have it. 0, or a negative error
// with *problem a constant text.
int tmpfs_mount_image(struct file_system *system, const void *memory, u64 size_bytes, u32 memobj,
                      const char **problem);
