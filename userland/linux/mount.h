// Mounts: which part of which file system is on which directory or file.
// Rules:
// - a path counts its mount, and a mount what it covers: while anything below is used, it is there. One
//   that is taken off while it is used goes on without a place, with its names;
// - a mount is found by the path that it covers; a file system may be mounted several times, as a whole
//   or from a directory (or file) of it on, and ends with the last of its mounts;
// - what is allowed in a mount is asked of the path, never of the vnode, which may be seen through others;
// - the root, /dev, /proc and /dev/pts are given by system.c and stay unless somebody unmounts them.
#pragma once

#include "lib/list.h"
#include "linux/vfs.h"

enum {
    MOUNT_READ_ONLY = 1, // as flags of calls; a mount's own are in `writers`
    MOUNT_NO_SUID = 2,
    MOUNT_NO_DEV = 4,
    MOUNT_NO_EXEC = 8,
    MOUNT_FLAGS = 15,
};

enum { MOUNT_SOURCE_BYTES = 64 };

struct mount {
    struct list node;
    struct file_system *system;
    struct vnode *root; // what it shows, counted
    u32 references;     // paths, mounts on it, and being mounted; atomic
    u32 flags;          // MOUNT_NO_...; atomic
    // Files that are open for writing through it; below 0: it is read-only. Atomic
    i32 writers;
    bool is_given; // never freed
    char source[MOUNT_SOURCE_BYTES];
    u32 id; // set when it is attached
    // under mounts_lock:
    bool is_attached;
    struct mount *twin;  // while a tree of mounts is bound: the one made of this
    struct path covered; // counted; of the container's root: nothing
};

// Shows the file system from `root` on. It gets one reference, which mount_attach takes over.
int mount_make(struct file_system *system, struct vnode *root, const char *source, u32 flags,
               struct mount **out);
// A second mount of what is there, with the flags of the first.
int mount_bind(struct path path, struct mount **out);
// Whether a directory is in what the mount shows: one may have been moved out of it. What is no directory
// is when it is the mount's root.
bool mount_shows(const struct mount *mount, struct vnode *vnode);
struct mount *mount_get(struct mount *mount); // NULL stays NULL
void mount_put(struct mount *mount);          // NULL: nothing

// Puts the mount on the path, over what is there. Consumes the reference on success only. -EINVAL: the
// path is not in a mount that has a place; -ENOSPC: there are enough; -ENOTDIR: one of the two is a directory.
int mount_attach(struct mount *mount, struct path target);
// The container's root, which covers nothing.
void mount_attach_root(struct mount *mount);
enum { DETACH_IDLE = 0, DETACH_BUSY = 1 };
// Takes it away, and what is mounted in it. The caller has one reference. DETACH_IDLE: -EBUSY while
// anybody else has one. -EINVAL: it is nowhere, or the root.
int mount_detach(struct mount *mount, u32 flags);
// Binds what is mounted below `from`, as far as `to` shows it, in the same places below `to`, another
// mount of the same file system. -ENOMEM, -ENOSPC: some are not there.
int mount_bind_below(struct mount *from, struct mount *to);
// Puts it elsewhere, with what is mounted in it. -EINVAL: one of the two has no place, or one alone is a
// directory; -ELOOP: the target is below the mount.
int mount_move(struct mount *mount, struct path target);
bool mount_has_place(const struct mount *mount);

// From a path to the one that is mounted on it; consumes the reference, gives the one to go on with.
struct path mount_cross(struct path found);
// From the root of a mount to what it covers; false: there is nothing.
bool mount_leave(struct path *path);

// What a path's mount allows. A path without a mount is refused nothing.
u32 path_mount_flags(struct path path);
bool path_is_read_only(struct path path);
// Whoever writes to files keeps the mount and its file system from becoming read-only. -EROFS.
int mount_writer_add(struct mount *mount);
void mount_writer_remove(struct mount *mount);

// Changes the options of a mount, or those and the file system's. -EBUSY: it can't become read-only.
int mount_set_flags(struct mount *mount, u32 flags);
int mount_remount(struct mount *mount, u32 flags, const char *options);

// The text of /proc/mounts or /proc/self/mountinfo. Returns its length.
enum { MOUNTS_PLAIN = 0, MOUNTS_INFO = 1 };
usize mounts_text(u32 form, char *buffer, usize size);

// What is mounted, in order, each counted; how many. While they are shown, nothing is unmounted, which
// mounts_shown ends: they would keep it from being idle.
enum { MOUNTS_SHOWN = 32 };
u32 mounts_take(struct mount **shown);
void mounts_shown(struct mount **shown, u32 count);

// A new tmpfs with the options of mount's data, and a new view of processes.
int mount_make_tmpfs(const char *source, const char *options, u32 flags, struct mount **out);
int mount_make_proc(const char *source, u32 flags, struct mount **out);
