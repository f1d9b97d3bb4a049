// The container's image: a read-only EROFS image, mapped into the personality.
#pragma once

#include "lib/types.h"
#include "linux/vfs.h"

// The image is mapped at `memory` and stays there; `memobj` is its handle, for mapping its pages
// into Linux address spaces. 0, or a negative error with *problem a constant text.
int image_mount(struct file_system *system, const void *memory, u64 size_bytes, u32 memobj,
                const char **problem);
