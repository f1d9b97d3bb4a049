// Attributes of files: reading and changing them.
#include "lib/string.h"
#include "linux/calls.h"
#include "linux/descriptors.h"
#include "linux/thread.h"
#include "linux/walk.h"

enum { BLOCK_BYTES = 4096, STATX_BASIC = 0x7ff, UTIME_NOW = 0x3fffffff, UTIME_OMIT = 0x3ffffffe };
enum : u64 { SECOND_NS = 1000000000 };

static struct linux_timespec timespec_of(u64 time_ns) {
    return (struct linux_timespec){(i64)(time_ns / SECOND_NS), (i64)(time_ns % SECOND_NS)};
}

static i64 stat_write(struct vnode *vnode, linux_ptr out) {
    struct attributes attributes;
    int result = vnode_attributes(vnode, &attributes);
    if (result != 0) {
        return result;
    }
    struct linux_stat stat = {
        .device = vnode->system->device,
        .ino = attributes.ino,
        .nlink = attributes.nlink,
        .mode = attributes.mode,
        .uid = attributes.uid,
        .gid = attributes.gid,
        .rdev = attributes.device,
        .size = (i64)attributes.size_bytes,
        .block_size = BLOCK_BYTES,
        .blocks = (i64)attributes.blocks,
        .atime = timespec_of(attributes.atime_ns),
        .mtime = timespec_of(attributes.mtime_ns),
        .ctime = timespec_of(attributes.ctime_ns),
    };
    return copy_to_linux(out, &stat, sizeof(stat));
}

static u32 walk_flags(u32 flags) {
    return (flags & AT_SYMLINK_NOFOLLOW ? WALK_NOFOLLOW : WALK_FOLLOW) |
           (flags & AT_EMPTY_PATH ? WALK_EMPTY_PATH : 0);
}

i64 linux_newfstatat(struct thread *thread, i32 directory, linux_ptr path, linux_ptr out,
                     u32 flags) {
    struct vnode *vnode;
    i64 result = path_resolve(thread, directory, path, walk_flags(flags), &vnode);
    if (result == 0) {
        result = stat_write(vnode, out);
        vnode_put(vnode);
    }
    return result;
}

i64 linux_stat(struct thread *thread, linux_ptr path, linux_ptr out) {
    return linux_newfstatat(thread, AT_FDCWD, path, out, 0);
}

i64 linux_lstat(struct thread *thread, linux_ptr path, linux_ptr out) {
    return linux_newfstatat(thread, AT_FDCWD, path, out, AT_SYMLINK_NOFOLLOW);
}

i64 linux_fstat(struct thread *thread, i32 fd, linux_ptr out) {
    struct file *file = descriptor_get(thread, fd);
    if (!file) {
        return -EBADF;
    }
    i64 result = stat_write(file->vnode, out);
    file_put(file);
    return result;
}

static struct linux_statx_time statx_time(u64 time_ns) {
    return (struct linux_statx_time){(i64)(time_ns / SECOND_NS), (u32)(time_ns % SECOND_NS), 0};
}

i64 linux_statx(struct thread *thread, i32 directory, linux_ptr path, u32 flags, u32,
                linux_ptr out) {
    struct vnode *vnode;
    struct attributes attributes;
    i64 result = path_resolve(thread, directory, path, walk_flags(flags), &vnode);
    if (result != 0) {
        return result;
    }
    u32 device = vnode->system->device;
    result = vnode_attributes(vnode, &attributes);
    vnode_put(vnode);
    struct linux_statx statx = {
        .mask = STATX_BASIC,
        .block_size = BLOCK_BYTES,
        .nlink = attributes.nlink,
        .uid = attributes.uid,
        .gid = attributes.gid,
        .mode = (u16)attributes.mode,
        .ino = attributes.ino,
        .size = attributes.size_bytes,
        .blocks = attributes.blocks,
        .atime = statx_time(attributes.atime_ns),
        .ctime = statx_time(attributes.ctime_ns),
        .mtime = statx_time(attributes.mtime_ns),
        .rdev_major = (u32)(attributes.device >> 8) & 0xfff,
        .rdev_minor = (u32)(attributes.device & 0xff) | ((u32)(attributes.device >> 12) & 0xfff00),
        .device_minor = device,
    };
    return result != 0 ? result : copy_to_linux(out, &statx, sizeof(statx));
}

static i64 access_check(struct thread *thread, i32 directory, linux_ptr path, u32 mode, u32 flags) {
    struct vnode *vnode;
    struct attributes attributes;
    if (mode & ~7U) {
        return -EINVAL;
    }
    i64 result = path_resolve(thread, directory, path, walk_flags(flags), &vnode);
    if (result != 0) {
        return result;
    }
    result = vnode_attributes(vnode, &attributes);
    bool is_read_only = vnode->type == MODE_REGULAR ? !vnode->ops->write
                        : vnode_is_directory(vnode) ? !vnode->ops->create
                                                    : false;
    // For root everything is readable, and executable what has any x bit.
    if (result == 0 && (mode & 2) && is_read_only) {
        result = -EROFS;
    } else if (result == 0 && (mode & 1) && !vnode_is_directory(vnode) &&
               !(attributes.mode & 0111)) {
        result = -EACCES;
    }
    vnode_put(vnode);
    return result;
}

i64 linux_access(struct thread *thread, linux_ptr path, u32 mode) {
    return access_check(thread, AT_FDCWD, path, mode, 0);
}

i64 linux_faccessat(struct thread *thread, i32 directory, linux_ptr path, u32 mode) {
    return access_check(thread, directory, path, mode, 0);
}

i64 linux_faccessat2(struct thread *thread, i32 directory, linux_ptr path, u32 mode, u32 flags) {
    return access_check(thread, directory, path, mode, flags);
}

static i64 change_path(struct thread *thread, i32 directory, linux_ptr path, u32 flags,
                       const struct attributes *values, u32 which) {
    struct vnode *vnode;
    i64 result = path_resolve(thread, directory, path, walk_flags(flags), &vnode);
    if (result == 0) {
        result = vnode_set_attributes(vnode, values, which);
        vnode_put(vnode);
    }
    return result;
}

static i64 change_file(struct thread *thread, i32 fd, const struct attributes *values, u32 which) {
    struct file *file = descriptor_get(thread, fd);
    if (!file) {
        return -EBADF;
    }
    i64 result = vnode_set_attributes(file->vnode, values, which);
    file_put(file);
    return result;
}

i64 linux_chmod(struct thread *thread, linux_ptr path, u32 mode) {
    return change_path(thread, AT_FDCWD, path, 0, &(struct attributes){.mode = mode},
                       ATTRIBUTE_MODE);
}

i64 linux_fchmod(struct thread *thread, i32 fd, u32 mode) {
    return change_file(thread, fd, &(struct attributes){.mode = mode}, ATTRIBUTE_MODE);
}

i64 linux_fchmodat(struct thread *thread, i32 directory, linux_ptr path, u32 mode) {
    return change_path(thread, directory, path, 0, &(struct attributes){.mode = mode},
                       ATTRIBUTE_MODE);
}

static u32 owner_mask(u32 uid, u32 gid) {
    return (uid != ~0U ? ATTRIBUTE_OWNER : 0) | (gid != ~0U ? ATTRIBUTE_GROUP : 0);
}

i64 linux_fchownat(struct thread *thread, i32 directory, linux_ptr path, u32 uid, u32 gid,
                   u32 flags) {
    return change_path(thread, directory, path, flags, &(struct attributes){.uid = uid, .gid = gid},
                       owner_mask(uid, gid));
}

i64 linux_chown(struct thread *thread, linux_ptr path, u32 uid, u32 gid) {
    return linux_fchownat(thread, AT_FDCWD, path, uid, gid, 0);
}

i64 linux_lchown(struct thread *thread, linux_ptr path, u32 uid, u32 gid) {
    return linux_fchownat(thread, AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

i64 linux_fchown(struct thread *thread, i32 fd, u32 uid, u32 gid) {
    return change_file(thread, fd, &(struct attributes){.uid = uid, .gid = gid},
                       owner_mask(uid, gid));
}

i64 linux_truncate(struct thread *thread, linux_ptr path, i64 size) {
    struct vnode *vnode;
    if (size < 0) {
        return -EINVAL;
    }
    i64 result = path_resolve(thread, AT_FDCWD, path, WALK_FOLLOW, &vnode);
    if (result == 0) {
        result = vnode_is_directory(vnode)
                     ? -EISDIR
                     : vnode_set_attributes(vnode, &(struct attributes){.size_bytes = (u64)size},
                                            ATTRIBUTE_SIZE);
        vnode_put(vnode);
    }
    return result;
}

i64 linux_ftruncate(struct thread *thread, i32 fd, i64 size) {
    struct file *file = descriptor_get(thread, fd);
    if (!file) {
        return -EBADF;
    }
    i64 result = -EINVAL;
    if (size >= 0 && (file_flags(file) & O_ACCMODE) != O_RDONLY &&
        file->vnode->type == MODE_REGULAR) {
        result = vnode_set_attributes(file->vnode, &(struct attributes){.size_bytes = (u64)size},
                                      ATTRIBUTE_SIZE);
    }
    file_put(file);
    return result;
}

static u32 time_value(const struct linux_timespec *time, u32 attribute, u64 *out) {
    if (time->nanoseconds == UTIME_OMIT) {
        return 0;
    }
    *out = time->nanoseconds == UTIME_NOW ? time_now_ns()
                                          : (u64)time->seconds * SECOND_NS + (u64)time->nanoseconds;
    return attribute;
}

i64 linux_utimensat(struct thread *thread, i32 directory, linux_ptr path, linux_ptr times_ptr,
                    u32 flags) {
    struct linux_timespec times[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    struct attributes values = {};
    if (!linux_is_null(times_ptr) && copy_from_linux(times, times_ptr, sizeof(times)) != 0) {
        return -EFAULT;
    }
    u32 which = time_value(&times[0], ATTRIBUTE_ATIME, &values.atime_ns) |
                time_value(&times[1], ATTRIBUTE_MTIME, &values.mtime_ns);
    if (linux_is_null(path)) {
        return change_file(thread, directory, &values, which);
    }
    return change_path(thread, directory, path, flags, &values, which);
}

i64 linux_utimes(struct thread *thread, linux_ptr path, linux_ptr times_ptr) {
    struct linux_timeval times[2];
    struct attributes values = {.atime_ns = time_now_ns()};
    values.mtime_ns = values.atime_ns;
    if (!linux_is_null(times_ptr)) {
        if (copy_from_linux(times, times_ptr, sizeof(times)) != 0) {
            return -EFAULT;
        }
        values.atime_ns = (u64)times[0].seconds * SECOND_NS + (u64)times[0].microseconds * 1000;
        values.mtime_ns = (u64)times[1].seconds * SECOND_NS + (u64)times[1].microseconds * 1000;
    }
    return change_path(thread, AT_FDCWD, path, 0, &values, ATTRIBUTE_ATIME | ATTRIBUTE_MTIME);
}

i64 linux_utime(struct thread *thread, linux_ptr path, linux_ptr times_ptr) {
    i64 times[2];
    struct attributes values = {.atime_ns = time_now_ns()};
    values.mtime_ns = values.atime_ns;
    if (!linux_is_null(times_ptr)) {
        if (copy_from_linux(times, times_ptr, sizeof(times)) != 0) return -EFAULT;
        values.atime_ns = (u64)times[0] * SECOND_NS;
        values.mtime_ns = (u64)times[1] * SECOND_NS;
    }
    return change_path(thread, AT_FDCWD, path, 0, &values, ATTRIBUTE_ATIME | ATTRIBUTE_MTIME);
}

static i64 statfs_write(struct vnode *vnode, linux_ptr out) {
    struct linux_statfs statfs = {
        .block_size = BLOCK_BYTES, .fragment_size = BLOCK_BYTES, .name_max = LINUX_NAME_MAX};
    if (vnode->ops->statfs) {
        vnode->ops->statfs(vnode, &statfs.type, &statfs.blocks_free);
    }
    statfs.blocks_available = statfs.blocks = statfs.blocks_free;
    return copy_to_linux(out, &statfs, sizeof(statfs));
}

i64 linux_statfs(struct thread *thread, linux_ptr path, linux_ptr out) {
    struct vnode *vnode;
    i64 result = path_resolve(thread, AT_FDCWD, path, WALK_FOLLOW, &vnode);
    if (result == 0) {
        result = statfs_write(vnode, out);
        vnode_put(vnode);
    }
    return result;
}

i64 linux_fstatfs(struct thread *thread, i32 fd, linux_ptr out) {
    struct file *file = descriptor_get(thread, fd);
    if (!file) {
        return -EBADF;
    }
    i64 result = statfs_write(file->vnode, out);
    file_put(file);
    return result;
}
