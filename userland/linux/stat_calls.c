// Attributes of files: reading and changing them.
#include "lib/string.h"
#include "linux/calls.h"
#include "linux/descriptors.h"
#include "linux/mount.h"
#include "linux/permission.h"
#include "linux/thread.h"
#include "linux/walk.h"

enum { BLOCK_BYTES = 4096, STATX_BASIC = 0x7ff, UTIME_NOW = 0x3fffffff, UTIME_OMIT = 0x3ffffffe };
enum : u64 { SECOND_NS = 1000000000 };
enum { ST_VALID = 0x20, ST_RELATIME = 0x1000 };

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
    struct path found;
    i64 result = path_resolve(thread, directory, path, walk_flags(flags), &found);
    if (result == 0) {
        result = stat_write(found.vnode, out);
        path_put(found);
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
    struct path found;
    struct attributes attributes;
    i64 result = path_resolve(thread, directory, path, walk_flags(flags), &found);
    if (result != 0) {
        return result;
    }
    u32 device = found.vnode->system->device;
    result = vnode_attributes(found.vnode, &attributes);
    path_put(found);
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

// The real ids instead of the effective ones, and what root could do, or nobody.
static struct credentials real_credentials(const struct credentials *own) {
    struct credentials real = *own;
    real.fsuid = own->uid;
    real.fsgid = own->gid;
    if (!(own->secure_bits & SECBIT_NO_SETUID_FIXUP)) {
        real.effective = own->uid == 0 ? own->permitted : 0;
    }
    return real;
}

// Nothing is run from a mount without programs, whoever asks.
static int access_permission(const struct credentials *credentials, struct path path, u32 mode) {
    bool is_no_program = (mode & MAY_EXECUTE) && path.vnode->type == MODE_REGULAR &&
                         (path_mount_flags(path) & MOUNT_NO_EXEC);
    return is_no_program ? -EACCES : path_permission(credentials, path, mode);
}

static i64 access_check(struct thread *thread, i32 directory, linux_ptr path, u32 mode, u32 flags) {
    struct walk walk;
    struct path found;
    if ((mode & ~7U) || (flags & ~(u32)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))) {
        return -EINVAL;
    }
    const struct credentials real = real_credentials(thread->process->credentials);
    i64 result = walk_start(&walk, thread, directory, path, walk_flags(flags & ~(u32)AT_EACCESS));
    if (!(flags & AT_EACCESS)) {
        walk.credentials = &real;
    }
    if (result == 0) {
        result = walk_resolve(&walk, &found);
    }
    if (result == 0) {
        result = mode ? access_permission(walk.credentials, found, mode) : 0;
        path_put(found);
    }
    walk_end(&walk);
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

// One way to change a file's attributes, by path or by descriptor.
struct change {
    int (*apply)(const struct credentials *credentials, struct path path,
                 const struct change *change);
    struct attributes values;
    u32 which;
    u32 flags; // TIMES_...
};

static i64 change_path(struct thread *thread, i32 directory, linux_ptr path, u32 flags,
                       const struct change *change) {
    struct path found;
    i64 result = path_resolve(thread, directory, path, walk_flags(flags), &found);
    if (result == 0) {
        result = change->apply(thread->process->credentials, found, change);
        path_put(found);
    }
    return result;
}

static i64 change_file(struct thread *thread, i32 fd, const struct change *change) {
    struct file *file = descriptor_get(thread, fd);
    if (!file) {
        return -EBADF;
    }
    i64 result = file_flags(file) & O_PATH
                     ? -EBADF
                     : change->apply(thread->process->credentials, file_path(file), change);
    file_put(file);
    return result;
}

static int apply_mode(const struct credentials *credentials, struct path path,
                      const struct change *change) {
    return path.vnode->type == MODE_LINK ? -EOPNOTSUPP
                                         : owner_set_mode(credentials, path, change->values.mode);
}

static struct change mode_change(u32 mode) {
    return (struct change){.apply = apply_mode, .values.mode = mode};
}

i64 linux_chmod(struct thread *thread, linux_ptr path, u32 mode) {
    const struct change change = mode_change(mode);
    return change_path(thread, AT_FDCWD, path, 0, &change);
}

i64 linux_fchmod(struct thread *thread, i32 fd, u32 mode) {
    const struct change change = mode_change(mode);
    return change_file(thread, fd, &change);
}

i64 linux_fchmodat(struct thread *thread, i32 directory, linux_ptr path, u32 mode) {
    const struct change change = mode_change(mode);
    return change_path(thread, directory, path, 0, &change);
}

static int apply_owner(const struct credentials *credentials, struct path path,
                       const struct change *change) {
    return owner_set_owner(credentials, path, change->values.uid, change->values.gid);
}

static struct change owner_change(u32 uid, u32 gid) {
    return (struct change){.apply = apply_owner, .values = {.uid = uid, .gid = gid}};
}

i64 linux_fchownat(struct thread *thread, i32 directory, linux_ptr path, u32 uid, u32 gid,
                   u32 flags) {
    const struct change change = owner_change(uid, gid);
    if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) {
        return -EINVAL;
    }
    return change_path(thread, directory, path, flags, &change);
}

i64 linux_chown(struct thread *thread, linux_ptr path, u32 uid, u32 gid) {
    return linux_fchownat(thread, AT_FDCWD, path, uid, gid, 0);
}

i64 linux_lchown(struct thread *thread, linux_ptr path, u32 uid, u32 gid) {
    return linux_fchownat(thread, AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

i64 linux_fchown(struct thread *thread, i32 fd, u32 uid, u32 gid) {
    const struct change change = owner_change(uid, gid);
    return change_file(thread, fd, &change);
}

static i64 truncate_path(struct thread *thread, struct path path, u64 size) {
    if (path.vnode->type != MODE_REGULAR) {
        return vnode_is_directory(path.vnode) ? -EISDIR : -EINVAL;
    }
    if (path_is_read_only(path)) {
        return -EROFS;
    }
    int result = path_permission(thread->process->credentials, path, MAY_WRITE);
    return result == 0 ? file_truncate(thread, path, size) : result;
}

i64 linux_truncate(struct thread *thread, linux_ptr path, i64 size) {
    struct path found;
    if (size < 0) {
        return -EINVAL;
    }
    i64 result = path_resolve(thread, AT_FDCWD, path, WALK_FOLLOW, &found);
    if (result == 0) {
        result = truncate_path(thread, found, (u64)size);
        path_put(found);
    }
    return result;
}

i64 linux_ftruncate(struct thread *thread, i32 fd, i64 size) {
    struct file *file = descriptor_get(thread, fd);
    if (!file) {
        return -EBADF;
    }
    i64 result = -EINVAL;
    if (file_flags(file) & O_PATH) {
        result = -EBADF;
    } else if (size >= 0 && (file_flags(file) & O_ACCMODE) != O_RDONLY &&
               file->vnode->type == MODE_REGULAR) {
        result = file_resize(thread, file->vnode, (u64)size);
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

static int apply_times(const struct credentials *credentials, struct path path,
                       const struct change *change) {
    return owner_set_times(credentials, path, &change->values, change->which, change->flags);
}

static struct change times_now(void) {
    u64 now_ns = time_now_ns();
    return (struct change){.apply = apply_times,
                           .values = {.atime_ns = now_ns, .mtime_ns = now_ns},
                           .which = ATTRIBUTE_ATIME | ATTRIBUTE_MTIME,
                           .flags = TIMES_NOW};
}

static struct change times_given(u64 atime_ns, u64 mtime_ns) {
    return (struct change){.apply = apply_times,
                           .values = {.atime_ns = atime_ns, .mtime_ns = mtime_ns},
                           .which = ATTRIBUTE_ATIME | ATTRIBUTE_MTIME};
}

static bool timespec_is_valid(const struct linux_timespec *time) {
    return (u64)time->nanoseconds < SECOND_NS || time->nanoseconds == UTIME_NOW ||
           time->nanoseconds == UTIME_OMIT;
}

static i64 times_read(linux_ptr times_ptr, struct change *change) {
    struct linux_timespec times[2];
    *change = times_now();
    if (linux_is_null(times_ptr)) {
        return 0;
    }
    if (copy_from_linux(times, times_ptr, sizeof(times)) != 0) {
        return -EFAULT;
    }
    if (!timespec_is_valid(&times[0]) || !timespec_is_valid(&times[1])) {
        return -EINVAL;
    }
    bool is_now = times[0].nanoseconds == UTIME_NOW && times[1].nanoseconds == UTIME_NOW;
    change->flags = is_now ? TIMES_NOW : TIMES_GIVEN;
    change->which = time_value(&times[0], ATTRIBUTE_ATIME, &change->values.atime_ns) |
                    time_value(&times[1], ATTRIBUTE_MTIME, &change->values.mtime_ns);
    return 0;
}

i64 linux_utimensat(struct thread *thread, i32 directory, linux_ptr path, linux_ptr times_ptr,
                    u32 flags) {
    struct change change;
    if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) {
        return -EINVAL;
    }
    i64 result = times_read(times_ptr, &change);
    if (result != 0) {
        return result;
    }
    return linux_is_null(path) ? change_file(thread, directory, &change)
                               : change_path(thread, directory, path, flags, &change);
}

i64 linux_futimesat(struct thread *thread, i32 directory, linux_ptr path, linux_ptr times_ptr) {
    struct linux_timeval times[2];
    struct change change = times_now();
    if (!linux_is_null(times_ptr)) {
        if (copy_from_linux(times, times_ptr, sizeof(times)) != 0) {
            return -EFAULT;
        }
        if ((u64)times[0].microseconds >= 1000000 || (u64)times[1].microseconds >= 1000000) {
            return -EINVAL;
        }
        change = times_given((u64)times[0].seconds * SECOND_NS + (u64)times[0].microseconds * 1000,
                             (u64)times[1].seconds * SECOND_NS + (u64)times[1].microseconds * 1000);
    }
    return linux_is_null(path) ? change_file(thread, directory, &change)
                               : change_path(thread, directory, path, 0, &change);
}

i64 linux_utimes(struct thread *thread, linux_ptr path, linux_ptr times_ptr) {
    return linux_futimesat(thread, AT_FDCWD, path, times_ptr);
}

i64 linux_utime(struct thread *thread, linux_ptr path, linux_ptr times_ptr) {
    i64 times[2];
    struct change change = times_now();
    if (!linux_is_null(times_ptr)) {
        if (copy_from_linux(times, times_ptr, sizeof(times)) != 0) {
            return -EFAULT;
        }
        change = times_given((u64)times[0] * SECOND_NS, (u64)times[1] * SECOND_NS);
    }
    return change_path(thread, AT_FDCWD, path, 0, &change);
}

static i64 statfs_write(struct path path, linux_ptr out) {
    struct vnode *vnode = path.vnode;
    struct usage usage = {};
    if (vnode->ops->statfs) {
        vnode->ops->statfs(vnode, &usage);
    }
    struct linux_statfs statfs = {
        .type = usage.type,
        .block_size = BLOCK_BYTES,
        .fragment_size = BLOCK_BYTES,
        .blocks = usage.blocks,
        .blocks_free = usage.blocks_free,
        .blocks_available = usage.blocks_free,
        .files = usage.files,
        .files_free = usage.files_free,
        .name_max = LINUX_NAME_MAX,
        .flags = ST_VALID | ST_RELATIME | path_mount_flags(path) |
                 (path_is_read_only(path) ? MOUNT_READ_ONLY : 0),
    };
    return copy_to_linux(out, &statfs, sizeof(statfs));
}

i64 linux_statfs(struct thread *thread, linux_ptr path, linux_ptr out) {
    struct path found;
    i64 result = path_resolve(thread, AT_FDCWD, path, WALK_FOLLOW, &found);
    if (result == 0) {
        result = statfs_write(found, out);
        path_put(found);
    }
    return result;
}

i64 linux_fstatfs(struct thread *thread, i32 fd, linux_ptr out) {
    struct file *file = descriptor_get(thread, fd);
    if (!file) {
        return -EBADF;
    }
    i64 result = statfs_write(file_path(file), out);
    file_put(file);
    return result;
}
