// Mounts: which file system is on which directory.
// Rules:
// - a directory that is covered counts nothing; its mount counts it, and the mounted root;
// - mounts are found by the directory that they cover, so a file system is mounted once;
// - what programs mount is made and ended here; the root, /dev, /proc and /dev/pts are given by
//   system.c and stay unless somebody unmounts them.
#pragma once

#include "lib/list.h"
#include "linux/vfs.h"

enum {
    MOUNT_READ_ONLY = 1,
    MOUNT_NO_SUID = 2,
    MOUNT_NO_DEV = 4,
    MOUNT_NO_EXEC = 8,
    MOUNT_FLAGS = 15,
};

enum { MOUNT_SOURCE_BYTES = 64 };

struct mount {
    struct list node;
    struct file_system *system;
    char source[MOUNT_SOURCE_BYTES];
    void (*end)(
        struct mount *mount); // it is no longer mounted: frees it and what it has; may be NULL
};

// Puts the file system on the directory, over what was there. -EBUSY: it is mounted already, or the
// directory is a mounted root.
int mount_attach(struct mount *mount, struct vnode *directory);
enum { DETACH_IDLE = 0, DETACH_BUSY = 1 };
// Takes it away. DETACH_IDLE: -EBUSY while anybody has a file or directory of it.
int mount_detach(struct file_system *system, u32 flags);

// For walks. What is mounted on a found directory: consumes the reference, gives the one to go on
// with. The directory to look for ".." in; counted.
struct vnode *mount_cross(struct vnode *found);
struct vnode *mount_parent_side(struct vnode *directory);

// What /proc/mounts names as its source; a constant or the mount's.
const char *mount_source(const struct file_system *system);

// Changes the options of a file system that is mounted.
int mount_remount(struct file_system *system, u32 flags, const char *options);

// The text of /proc/mounts or /proc/self/mountinfo. Returns its length.
enum { MOUNTS_PLAIN = 0, MOUNTS_INFO = 1 };
usize mounts_text(u32 form, char *buffer, usize size);

// A new tmpfs with the options of mount's data; its root is in mount->system->root.
int mount_make_tmpfs(const char *source, const char *options, u32 flags, struct mount **out);
int mount_make_proc(const char *source, u32 flags, struct mount **out);
