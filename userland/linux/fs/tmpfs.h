// Files in memory: directories, regular files, symbolic links, special files. The root of a
// container is one of these with an image below it: what was not changed is the image's.
#pragma once

#include "lib/types.h"
#include "linux/vfs.h"

struct tmpfs {
    struct file_system system;
    // limits, 0 for none, and what is there; atomic
    u64 pages_max;
    u64 pages;
    u64 nodes_max;
    u64 nodes;
    // as it was mounted
    u32 mode;
    u32 uid;
    u32 gid;
    u32 has_ended; // unmounted: the last node frees it; atomic
};

// Makes an empty file system whose root has these permissions; system->root is set.
int tmpfs_mount(struct tmpfs *tmpfs, u32 mode);

// The same over an EROFS image, mapped at `memory`, which stays there; `memobj` is its handle, for
// mapping its pages into Linux address spaces. One file system can have it. 0, or a negative error
// with *problem a constant text.
int tmpfs_mount_image(struct tmpfs *tmpfs, const void *memory, u64 size_bytes, u32 memobj,
                      const char **problem);

// A file system of its own with the options of a mount ("size=4m,nr_inodes=100,mode=755,uid=1").
int tmpfs_make(const char *options, u32 device, struct file_system **out);
int tmpfs_remount(struct file_system *system, const char *options);
// The options as /proc/mounts has them, each after a comma.
void tmpfs_options(const struct file_system *system, char *buffer, usize size);
// It is mounted no more: its tree is taken down; what is still open lives on until it is closed.
void tmpfs_end(struct file_system *system);

// A file of memory alone (memfd_create), shown by this name.
int tmpfs_make_memory(const char *name, const struct creation *creation, struct vnode **out);
