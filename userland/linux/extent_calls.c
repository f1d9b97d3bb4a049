// Room and holes in files, and calls that only have to do with a disk.
#include "linux/calls.h"
#include "linux/credentials.h"
#include "linux/descriptors.h"
#include "linux/fs/tmpfs.h"
#include "linux/io.h"
#include "linux/process.h"
#include "linux/thread.h"

enum { FALLOC_FL_KEEP_SIZE = 1, FALLOC_FL_PUNCH_HOLE = 2 };
enum { MFD_CLOEXEC = 1, MFD_ALLOW_SEALING = 2, MEMORY_NAME_BYTES = 250 };

static i64 allocate(struct thread *thread, struct file *file, u32 mode, u64 offset, u64 size) {
    struct vnode *vnode = file->vnode;
    if (vnode->type != MODE_REGULAR) {
        return vnode->type == MODE_FIFO ? -ESPIPE : vnode_is_directory(vnode) ? -EISDIR : -ENODEV;
    }
    bool punches = mode & FALLOC_FL_PUNCH_HOLE;
    if ((mode & ~(u32)(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) ||
        (punches && !(mode & FALLOC_FL_KEEP_SIZE)) || !vnode->ops->allocate) {
        return -EOPNOTSUPP;
    }
    if (offset + size > (1UL << 63) - 1) {
        return -EFBIG;
    }
    if (!(mode & FALLOC_FL_KEEP_SIZE) &&
        offset + size > thread->process->limits[RLIMIT_FSIZE].current) {
        return file_resize(thread, vnode, offset + size); // refuses it
    }
    u32 flags =
        (mode & FALLOC_FL_KEEP_SIZE ? ALLOCATE_KEEP_SIZE : 0) | (punches ? ALLOCATE_PUNCH : 0);
    return vnode->ops->allocate(vnode, flags, offset, size);
}

// A file that only descriptors and mappings keep.
static i64 memory_file_open(struct thread *thread, const char *name, u32 flags) {
    const struct credentials *credentials = thread->process->credentials;
    const struct creation creation = {
        .mode = MODE_REGULAR | 0777, .uid = credentials->fsuid, .gid = credentials->fsgid};
    struct vnode *vnode;
    struct file *file;
    int result = tmpfs_make_memory(name, &creation, &vnode);
    if (result == 0) {
        result = file_open_vnode(thread, vnode, O_RDWR | O_LARGEFILE, &file);
        vnode_put(vnode);
    }
    if (result != 0) {
        return result;
    }
    i32 fd = descriptor_install(thread, file, flags & MFD_CLOEXEC ? FD_CLOEXEC : 0, 0);
    if (fd < 0) {
        file_put(file);
    }
    return fd;
}

// Seals are not there; a file that allows them is one like others.
i64 linux_memfd_create(struct thread *thread, linux_ptr name_ptr, u32 flags) {
    char name[6 + MEMORY_NAME_BYTES] = "memfd:";
    if (flags & ~(u32)(MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
        return -EINVAL;
    }
    i64 size = copy_string_from_linux(name + 6, name_ptr, MEMORY_NAME_BYTES);
    if (size < 0) {
        return size == -ENAMETOOLONG ? -EINVAL : size;
    }
    return memory_file_open(thread, name, flags);
}

i64 linux_fallocate(struct thread *thread, i32 fd, u32 mode, i64 offset, i64 size) {
    struct file *file = file_open_for(thread, fd, O_RDONLY);
    if (!file) {
        return -EBADF;
    }
    i64 result =
        offset < 0 || size <= 0 ? -EINVAL : allocate(thread, file, mode, (u64)offset, (u64)size);
    file_put(file);
    return result;
}

// Nothing here outlives the container, so there is nothing to make durable.
static i64 descriptor_is_open(struct thread *thread, i32 fd) {
    struct file *file = descriptor_get_open(thread, fd);
    file_put(file);
    return file ? 0 : -EBADF;
}

i64 linux_fadvise64(struct thread *thread, i32 fd, i64, u64, i32) {
    return descriptor_is_open(thread, fd);
}

i64 linux_fsync(struct thread *thread, i32 fd) { return descriptor_is_open(thread, fd); }

i64 linux_fdatasync(struct thread *thread, i32 fd) { return descriptor_is_open(thread, fd); }

i64 linux_syncfs(struct thread *thread, i32 fd) { return descriptor_is_open(thread, fd); }

i64 linux_sync(struct thread *) { return 0; }

i64 linux_sync_file_range(struct thread *thread, i32 fd, i64, i64, u32) {
    return descriptor_is_open(thread, fd);
}

i64 linux_readahead(struct thread *thread, i32 fd, i64, usize) {
    return descriptor_is_open(thread, fd);
}
