// Opening, closing, duplicating, positioning: what is about descriptors and open files.
#include "linux/calls.h"
#include "linux/descriptors.h"
#include "linux/fs/pipe.h"
#include "linux/lock_calls.h"
#include "linux/mount.h"
#include "linux/permission.h"
#include "linux/process.h"
#include "linux/thread.h"
#include "linux/walk.h"

static int file_make(struct thread *thread, struct walk *walk, u32 mode, struct path *out) {
    struct creation creation;
    struct vnode *at = walk->at.vnode;
    struct vnode *made;
    if (!at->ops->create) {
        return -EACCES;
    }
    int result =
        creation_prepare(thread, walk->at, MODE_REGULAR | (mode & MODE_PERMISSIONS), &creation);
    if (result == 0) {
        result = at->ops->create(at, walk->last, &creation, &made);
    }
    if (result == 0) {
        *out = (struct path){mount_get(walk->at.mount), made};
    }
    return result;
}

// Looks the last component up, or makes the file, in one go with respect to others who make it.
static int open_or_create(struct thread *thread, struct walk *walk, u32 flags, u32 mode,
                          struct path *out, bool *is_new) {
    *is_new = false;
    if (!walk_last_is_name(walk) || walk->must_be_directory) {
        return -EISDIR;
    }
    int result;
    do {
        result = walk_lookup(walk, walk->last, out);
        if (result == 0 && (flags & O_EXCL)) {
            path_put(*out);
            return -EEXIST;
        }
        if (result == -ENOENT) {
            result = file_make(thread, walk, mode, out);
            *is_new = result == 0;
        }
    } while (result == -EEXIST && !(flags & O_EXCL));
    return result;
}

// A link without a text leads to what is there already, in place of a name in walk->at.
static int open_creating(struct thread *thread, struct walk *walk, u32 flags, u32 mode,
                         struct path *out, bool *is_new) {
    for (;;) {
        int result = walk_to_last(walk);
        if (result == 0 && walk->last.size == 0 && walk->links > 0 && !walk->must_be_directory) {
            *out = path_get(walk->at);
            return 0;
        }
        if (result == 0) {
            result = open_or_create(thread, walk, flags, mode, out, is_new);
        }
        if (result != 0 || out->vnode->type != MODE_LINK) {
            return result;
        }
        result = flags & O_NOFOLLOW ? -ELOOP : walk_follow_last(walk, out->vnode);
        path_put(*out);
        if (result != 0) {
            return result;
        }
    }
}

static u32 open_mask(u32 flags) {
    static const u8 masks[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE};
    return masks[flags & O_ACCMODE] | (flags & O_TRUNC ? MAY_WRITE : 0);
}

// Whether the file may be opened so, by its type.
static int open_type_check(struct vnode *vnode, u32 flags) {
    if (vnode->type == MODE_LINK) {
        return flags & O_PATH ? 0 : -ELOOP;
    }
    if (vnode_is_directory(vnode)) {
        bool changes = (open_mask(flags) & MAY_WRITE) || (flags & O_CREAT);
        return changes && !(flags & O_PATH) ? -EISDIR : 0;
    }
    if (flags & O_DIRECTORY) {
        return -ENOTDIR;
    }
    return vnode->type == MODE_SOCKET && !(flags & O_PATH) ? -ENXIO : 0;
}

static int open_permission(struct thread *thread, struct path path, u32 flags) {
    const struct credentials *credentials = thread->process->credentials;
    if ((flags & O_TRUNC) && path.vnode->type == MODE_REGULAR && path_is_read_only(path)) {
        return -EROFS;
    }
    int result = path_permission(credentials, path, open_mask(flags));
    if (result == 0 && (flags & O_NOATIME)) {
        struct attributes attributes;
        result = vnode_attributes(path.vnode, &attributes);
        result = result == 0 && !is_owner(credentials, &attributes) ? -EPERM : result;
    }
    return result;
}

// Truncates the file where that is asked for. A new one is its maker's, whatever its mode says.
static int open_check(struct thread *thread, struct path path, u32 flags, bool is_new) {
    int result = open_type_check(path.vnode, flags);
    if (result != 0 || (flags & O_PATH) || is_new) {
        return result;
    }
    result = open_permission(thread, path, flags);
    if (result == 0 && (flags & O_TRUNC) && path.vnode->type == MODE_REGULAR) {
        result = file_truncate(thread, path, 0);
    }
    return result;
}

// A file without a name in the directory's file system.
static int open_unnamed(struct thread *thread, struct path directory, u32 flags, u32 mode,
                        struct path *out) {
    struct creation creation;
    struct vnode *made;
    struct vnode *at = directory.vnode;
    if (!vnode_is_directory(at)) {
        return -ENOTDIR;
    }
    if (!at->ops->make_unnamed) {
        return -EOPNOTSUPP;
    }
    int result =
        creation_prepare(thread, directory, MODE_REGULAR | (mode & MODE_PERMISSIONS), &creation);
    u32 kind = flags & O_EXCL ? UNNAMED_EXCLUSIVE : UNNAMED_LINKABLE;
    if (result == 0) {
        result = at->ops->make_unnamed(at, &creation, kind, &made);
    }
    if (result == 0) {
        *out = (struct path){mount_get(directory.mount), made};
    }
    return result;
}

// What is opened: found, or made.
static int open_find(struct thread *thread, struct walk *walk, u32 flags, u32 mode,
                     struct path *out, bool *is_new) {
    struct path directory;
    if (!(flags & O_TMPFILE) || (flags & O_PATH)) {
        return (flags & O_CREAT) && !(flags & O_PATH)
                   ? open_creating(thread, walk, flags, mode, out, is_new)
                   : walk_resolve(walk, out);
    }
    if (!(flags & O_DIRECTORY) || (flags & O_CREAT) || (flags & O_ACCMODE) == O_RDONLY) {
        return -EINVAL;
    }
    int result = walk_resolve(walk, &directory);
    if (result == 0) {
        result = open_unnamed(thread, directory, flags, mode, out);
        *is_new = true;
        path_put(directory);
    }
    return result;
}

static i64 open_at(struct thread *thread, i32 directory, linux_ptr path, u32 flags, u32 mode) {
    struct walk walk;
    struct path found;
    struct file *file;
    bool is_new = false;
    u32 walk_flags = flags & O_NOFOLLOW ? WALK_NOFOLLOW : WALK_FOLLOW;
    int result = walk_start(&walk, thread, directory, path, walk_flags);
    if (result == 0) {
        result = open_find(thread, &walk, flags, mode, &found, &is_new);
    }
    walk_end(&walk);
    if (result != 0) {
        return result;
    }
    if (flags & O_TMPFILE) {
        flags &= ~(u32)O_DIRECTORY;
    }
    result = open_check(thread, found, flags, is_new);
    if (result == 0) {
        result = file_open_path(thread, found, flags, &file);
    }
    path_put(found);
    if (result != 0) {
        return result;
    }
    i32 fd = descriptor_install(thread, file, flags & O_CLOEXEC ? FD_CLOEXEC : 0, 0);
    if (fd < 0) {
        file_put(file);
    }
    return fd;
}

i64 linux_open(struct thread *thread, linux_ptr path, u32 flags, u32 mode) {
    return open_at(thread, AT_FDCWD, path, flags, mode);
}

i64 linux_openat(struct thread *thread, i32 directory, linux_ptr path, u32 flags, u32 mode) {
    return open_at(thread, directory, path, flags, mode);
}

i64 linux_creat(struct thread *thread, linux_ptr path, u32 mode) {
    return open_at(thread, AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

i64 linux_close(struct thread *thread, i32 fd) { return descriptor_close(thread, fd); }

static i64 duplicate(struct thread *thread, i32 fd, i32 first, u32 flags) {
    struct file *file = descriptor_get(thread, fd);
    if (!file) {
        return -EBADF;
    }
    if (first < 0 || (u32)first >= descriptors_limit(thread->process)) {
        file_put(file);
        return -EINVAL;
    }
    i32 copy = descriptor_install(thread, file, flags, first);
    if (copy < 0) {
        file_put(file);
    }
    return copy;
}

static i64 duplicate_to(struct thread *thread, i32 fd, i32 target, u32 flags) {
    struct file *file = descriptor_get(thread, fd);
    if (!file) {
        return -EBADF;
    }
    int result = descriptor_replace(thread, target, file, flags);
    if (result != 0) {
        file_put(file);
        return result;
    }
    return target;
}

i64 linux_dup(struct thread *thread, i32 fd) { return duplicate(thread, fd, 0, 0); }

i64 linux_dup2(struct thread *thread, i32 fd, i32 target) {
    if (fd == target) {
        return descriptor_flags(thread, fd) < 0 ? -EBADF : target;
    }
    return duplicate_to(thread, fd, target, 0);
}

i64 linux_dup3(struct thread *thread, i32 fd, i32 target, u32 flags) {
    if (fd == target || (flags & ~(u32)O_CLOEXEC)) {
        return -EINVAL;
    }
    return duplicate_to(thread, fd, target, flags & O_CLOEXEC ? FD_CLOEXEC : 0);
}

static i64 file_set_flags(struct thread *thread, i32 fd, u32 flags) {
    struct file *file = descriptor_get_open(thread, fd);
    if (!file) {
        return -EBADF;
    }
    u32 settable = O_APPEND | O_NONBLOCK;
    __atomic_store_n(&file->flags, (file_flags(file) & ~settable) | (flags & settable),
                     __ATOMIC_RELAXED);
    file_put(file);
    return 0;
}

static i64 file_get_flags(struct thread *thread, i32 fd) {
    struct file *file = descriptor_get(thread, fd);
    if (!file) {
        return -EBADF;
    }
    i64 flags = file_flags(file) | O_LARGEFILE;
    file_put(file);
    return flags;
}

static i64 pipe_command(struct thread *thread, i32 fd, u32 command, u64 argument) {
    struct file *file = descriptor_get(thread, fd);
    if (!file) {
        return -EBADF;
    }
    struct pipe *pipe = pipe_of(file);
    bool is_privileged = credentials_have(thread->process->credentials, CAP_SYS_RESOURCE);
    i64 result = !pipe                     ? -EBADF
                 : command == F_GETPIPE_SZ ? pipe_size(pipe)
                                           : pipe_set_size(pipe, (u32)argument, is_privileged);
    file_put(file);
    return result;
}

i64 linux_fcntl(struct thread *thread, i32 fd, u32 command, u64 argument) {
    switch (command) {
    case F_DUPFD: return duplicate(thread, fd, (i32)argument, 0);
    case F_DUPFD_CLOEXEC: return duplicate(thread, fd, (i32)argument, FD_CLOEXEC);
    case F_GETFD: return descriptor_flags(thread, fd);
    case F_SETFD: return descriptor_set_flags(thread, fd, argument & FD_CLOEXEC);
    case F_GETFL: return file_get_flags(thread, fd);
    case F_SETFL: return file_set_flags(thread, fd, (u32)argument);
    case F_GETPIPE_SZ:
    case F_SETPIPE_SZ: return pipe_command(thread, fd, command, argument);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW: return fcntl_lock(thread, fd, command, linux_pointer(argument));
    default: return descriptor_flags(thread, fd) < 0 ? -EBADF : -EINVAL;
    }
}

// A file that knows of no holes is data, with a hole at its end.
static i64 seek_extent_locked(struct file *file, i64 offset, u32 whence) REQUIRES(&file->lock) {
    struct vnode *vnode = file->vnode;
    struct attributes attributes;
    if (offset < 0) {
        return -ENXIO;
    }
    int result = vnode_attributes(vnode, &attributes);
    if (result != 0) {
        return result;
    }
    i64 target = -ENXIO;
    if (vnode->type == MODE_REGULAR && vnode->ops->seek) {
        target = vnode->ops->seek(vnode, (u64)offset,
                                  whence == SEEK_DATA ? SEEK_FOR_DATA : SEEK_FOR_HOLE);
    } else if ((u64)offset < attributes.size_bytes) {
        target = whence == SEEK_DATA ? offset : (i64)attributes.size_bytes;
    }
    if (target >= 0) {
        file->offset = (u64)target;
    }
    return target;
}

static i64 seek_locked(struct file *file, i64 offset, u32 whence) REQUIRES(&file->lock) {
    struct attributes attributes;
    i64 base;
    switch (whence) {
    case SEEK_SET: base = 0; break;
    case SEEK_CUR: base = (i64)file->offset; break;
    case SEEK_END: {
        int result = vnode_attributes(file->vnode, &attributes);
        if (result != 0) {
            return result;
        }
        base = (i64)attributes.size_bytes;
        break;
    }
    case SEEK_DATA:
    case SEEK_HOLE: return seek_extent_locked(file, offset, whence);
    default: return -EINVAL;
    }
    i64 target = 0;
    if (__builtin_add_overflow(base, offset, &target) || target < 0) {
        return -EINVAL;
    }
    file->offset = (u64)target;
    return target;
}

i64 linux_lseek(struct thread *thread, i32 fd, i64 offset, u32 whence) {
    struct file *file = descriptor_get_open(thread, fd);
    if (!file) {
        return -EBADF;
    }
    i64 result = -ESPIPE;
    if (file->traits & FILE_SEEKABLE) {
        mutex_lock(&file->lock);
        result = seek_locked(file, offset, whence);
        mutex_unlock(&file->lock);
    } else if (file->vnode->type == MODE_CHARACTER) {
        result = 0; // as Linux's memory devices
    }
    file_put(file);
    return result;
}

i64 linux_ioctl(struct thread *thread, i32 fd, u32 request, linux_ptr argument) {
    struct file *file = descriptor_get_open(thread, fd);
    if (!file) {
        return -EBADF;
    }
    i64 result = -ENOTTY;
    u32 value = 0;
    if (request == FIONBIO) {
        result = copy_from_linux(&value, argument, sizeof(value));
        if (result == 0) {
            u32 flags = file_flags(file) & ~(u32)O_NONBLOCK;
            result = file_set_flags(thread, fd, value ? flags | O_NONBLOCK : flags);
        }
    } else if (file->ops->ioctl) {
        result = file->ops->ioctl(thread, file, request, argument.address);
    }
    file_put(file);
    return result;
}

i64 linux_pipe2(struct thread *thread, linux_ptr fds, u32 flags) {
    struct file *reader;
    struct file *writer;
    if (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK)) {
        return -EINVAL;
    }
    int result = pipe_create(thread, flags, &reader, &writer);
    if (result != 0) {
        return result;
    }
    u32 descriptor_flags = flags & O_CLOEXEC ? FD_CLOEXEC : 0;
    i32 numbers[2] = {-1, -1};
    numbers[0] = descriptor_install(thread, reader, descriptor_flags, 0);
    if (numbers[0] < 0) {
        file_put(reader);
        file_put(writer);
        return numbers[0];
    }
    numbers[1] = descriptor_install(thread, writer, descriptor_flags, 0);
    if (numbers[1] < 0) {
        descriptor_close(thread, numbers[0]);
        file_put(writer);
        return numbers[1];
    }
    if (copy_to_linux(fds, numbers, sizeof(numbers)) != 0) {
        descriptor_close(thread, numbers[0]);
        descriptor_close(thread, numbers[1]);
        return -EFAULT;
    }
    return 0;
}

i64 linux_pipe(struct thread *thread, linux_ptr fds) { return linux_pipe2(thread, fds, 0); }

i64 linux_umask(struct thread *thread, u32 mask) {
    struct fs_context *context = thread->process->fs;
    mutex_lock(&context->lock);
    u32 old = context->umask;
    context->umask = mask & 0777;
    mutex_unlock(&context->lock);
    return old;
}

i64 linux_close_range(struct thread *thread, u32 first, u32 last, u32 flags) {
    enum { CLOSE_RANGE_CLOEXEC = 4 };
    if (first > last || (flags & ~(u32)CLOSE_RANGE_CLOEXEC)) return -EINVAL;
    descriptors_close_range(thread, first, last, flags ? FD_CLOEXEC : 0);
    return 0;
}
