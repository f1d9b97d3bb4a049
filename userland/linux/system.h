// What the container looks like to its programs: names, memory, mounted file systems.
#pragma once

#include "linux/vfs.h"

extern const char system_release[];
extern const char system_version[];

enum { SYSTEM_HOSTNAME_MAX = 64 };
extern char system_hostname[SYSTEM_HOSTNAME_MAX + 1];

struct system_memory {
    u64 total_bytes;
    u64 free_bytes;
};

void system_memory(struct system_memory *memory);

// Makes what does not depend on the container; once, before all else.
int system_prepare(void);

// Mounts the image with a layer over it; what belongs on it (/proc and /dev, where the image has those
// directories) follows when it is looked up. system_root is set. 0, or a negative error with a text.
int system_mount(const void *image, u64 image_size, u32 image_memobj, const char **problem);
struct path system_root(void);
// A device of /dev by name, whether or not the image has that directory; counted.
int system_device(const char *name, struct path *out);
// Mounts what has not been looked up yet, for who shows what is mounted.
void system_mount_given(void);
