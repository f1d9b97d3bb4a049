// What may be done to files, by owner, group, mode and capabilities.
// Rules:
// - results are 0, -EACCES (the mode says no), -EPERM (it is the owner's to do), or the error of
//   reading the attributes;
// - a check comes before what it allows; a name that leads elsewhere meanwhile is found by the
//   operation itself (vnode_ops).
#pragma once

#include "linux/credentials.h"
#include "linux/vfs.h"

enum { MAY_EXECUTE = 1, MAY_WRITE = 2, MAY_READ = 4 };

// By the vnode's mode alone, or by the mount, too, which may be read-only (-EROFS).
int vnode_permission(const struct credentials *credentials, struct vnode *vnode, u32 mask);
int path_permission(const struct credentials *credentials, struct path path, u32 mask);
// The same with attributes that were read already.
int attributes_permission(const struct credentials *credentials,
                          const struct attributes *attributes, u32 mask);

static inline bool is_owner(const struct credentials *credentials,
                            const struct attributes *attributes) {
    return credentials->fsuid == attributes->uid || credentials_have(credentials, CAP_FOWNER);
}

// Whether `victim` may lose its name in the directory; -EPERM in a sticky one that is others'.
int removal_permission(const struct credentials *credentials, struct path directory,
                       struct vnode *victim);

// Whether names may be made in the directory, and what a file of this type and mode is made with:
// the caller's ids, without the permissions of the mask, in the group of a set-group-id directory.
int creation_prepare(struct thread *thread, struct path directory, u32 mode, struct creation *out);

// Changes attributes as chmod, chown and utimensat do: checks who may, and takes set-id bits away
// where a change of owner or group does.
int owner_set_mode(const struct credentials *credentials, struct path path, u32 mode);
int owner_set_owner(const struct credentials *credentials, struct path path, u32 uid, u32 gid);
// TIMES_NOW: both times become now, which whoever may write can do.
enum { TIMES_GIVEN = 0, TIMES_NOW = 1 };
int owner_set_times(const struct credentials *credentials, struct path path,
                    const struct attributes *values, u32 which, u32 flags);

// Whether a hard link may be made to the file: its owner may, and who could read and write it.
int link_permission(const struct credentials *credentials, struct vnode *target);
// Whether the link at the end of a path is followed: in a sticky directory that all can write, those
// of others are not.
int follow_permission(const struct credentials *credentials, struct vnode *directory,
                      struct vnode *link);
