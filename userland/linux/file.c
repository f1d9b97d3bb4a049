// Open files: counting, positions, and the operations that pass to the vnode.
#include "lib/heap.h"
#include "linux/abi.h"
#include "linux/credentials.h"
#include "linux/file_locks.h"
#include "linux/mount.h"
#include "linux/signal.h"
#include "linux/thread.h"
#include "linux/vfs.h"

static void file_too_large(struct thread *thread) {
    signal_send_thread(
        thread,
        &(struct queued_signal){.signal = SIGXFSZ, .code = SI_USER, .pid = thread->process->pid});
}

enum : u64 { OFFSET_MAX = (1UL << 63) - 1 };

static i64 vnode_file_read(struct thread *, struct file *file, void *buffer, usize size,
                           u64 *offset, u32) {
    struct vnode *vnode = file->vnode;
    if (vnode_is_directory(vnode)) {
        return -EISDIR;
    }
    if (!vnode->ops->read || *offset > OFFSET_MAX - size) {
        return -EINVAL;
    }
    i64 count = vnode->ops->read(vnode, buffer, size, *offset);
    if (count > 0) {
        *offset += (u64)count;
    }
    return count;
}

// How much may be written there: a file does not grow beyond the process's limit.
static i64 write_limit(struct thread *thread, u64 offset, usize size) {
    u64 limit = thread->process->limits[RLIMIT_FSIZE].current;
    if (likely(limit == ~0UL) || offset + size <= limit || size == 0) {
        return (i64)size;
    }
    if (offset < limit) {
        return (i64)(limit - offset);
    }
    file_too_large(thread);
    return -EFBIG;
}

static i64 vnode_file_write(struct thread *thread, struct file *file, const void *buffer,
                            usize size, u64 *offset, u32) {
    struct vnode *vnode = file->vnode;
    struct attributes attributes = {};
    bool appends = file_flags(file) & O_APPEND;
    if (!vnode->ops->write || *offset > OFFSET_MAX - size) {
        return -EINVAL;
    }
    if (appends && vnode_attributes(vnode, &attributes) != 0) {
        return -EIO;
    }
    i64 count = write_limit(thread, appends ? attributes.size_bytes : *offset, size);
    if (count < 0) {
        return count;
    }
    bool keeps = credentials_have(thread->process->credentials, CAP_FSETID);
    u32 flags = (appends ? IO_APPEND : 0) | (keeps ? IO_KEEPS_SET_ID : 0);
    count = vnode->ops->write(vnode, buffer, (usize)count, *offset, flags);
    if (count > 0) {
        *offset += (u64)count;
        if (appends && vnode_attributes(vnode, &attributes) == 0) {
            *offset = attributes.size_bytes;
        }
    }
    return count;
}

int file_resize(struct thread *thread, struct vnode *vnode, u64 size_bytes) {
    if (size_bytes > thread->process->limits[RLIMIT_FSIZE].current) {
        file_too_large(thread);
        return -EFBIG;
    }
    bool keeps = credentials_have(thread->process->credentials, CAP_FSETID);
    return vnode_set_attributes(vnode, &(struct attributes){.size_bytes = size_bytes},
                                ATTRIBUTE_SIZE | (keeps ? 0 : ATTRIBUTE_DROP_SET_ID));
}

static const struct file_ops vnode_file_ops = {
    .read = vnode_file_read,
    .write = vnode_file_write,
};

int file_create(struct path path, u32 flags, struct file **out)
    THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct file *file = heap_alloc_zero(sizeof(*file));
    if (!file) {
        return -ENOMEM;
    }
    file->ops = &vnode_file_ops;
    path = path_get(path);
    file->mount = path.mount;
    file->vnode = path.vnode;
    file->references = 1;
    file->flags = flags & ~(u32)(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC);
    file->traits = FILE_SEEKABLE;
    *out = file;
    return 0;
}

static int writer_add(struct path path) {
    int result = mount_writer_add(path.mount);
    if (result == 0) {
        result = vnode_writer_add(path.vnode);
        if (result != 0) {
            mount_writer_remove(path.mount);
        }
    }
    return result;
}

static void writer_remove(struct path path) {
    vnode_writer_remove(path.vnode);
    mount_writer_remove(path.mount);
}

int file_truncate(struct thread *thread, struct path path, u64 size_bytes) {
    int result = writer_add(path);
    if (result == 0) {
        result = file_resize(thread, path.vnode, size_bytes);
        writer_remove(path);
    }
    return result;
}

static int file_open(struct thread *thread, struct vnode *vnode, struct file *file) {
    u32 flags = file_flags(file);
    if (flags & O_PATH) {
        return 0;
    }
    if (vnode_is_directory(vnode) && (flags & O_ACCMODE) != O_RDONLY) {
        return -EISDIR;
    }
    if (vnode->type == MODE_REGULAR && (flags & O_ACCMODE) != O_RDONLY) {
        int result = writer_add(file_path(file));
        if (result != 0) {
            return result;
        }
        file->traits |= FILE_IS_WRITER;
    }
    return vnode->ops->open ? vnode->ops->open(thread, vnode, file) : 0;
}

int file_open_path(struct thread *thread, struct path path, u32 flags, struct file **out) {
    int result = file_create(path, flags, out);
    if (result == 0) {
        result = file_open(thread, path.vnode, *out);
        if (result != 0) {
            (*out)->ops = &vnode_file_ops;
            file_put(*out);
        }
    }
    return result;
}

int file_open_vnode(struct thread *thread, struct vnode *vnode, u32 flags, struct file **out) {
    return file_open_path(thread, (struct path){.vnode = vnode}, flags, out);
}

struct file *file_get(struct file *file) {
    __atomic_fetch_add(&file->references, 1, __ATOMIC_RELAXED);
    return file;
}

void file_put(struct file *file) {
    if (!file || __atomic_fetch_sub(&file->references, 1, __ATOMIC_ACQ_REL) != 1) {
        return;
    }
    if (file->vnode->locks) {
        file_locks_release(file->vnode, file);
    }
    if (file->ops->release) {
        file->ops->release(file);
    }
    if (file->traits & FILE_IS_WRITER) {
        writer_remove(file_path(file));
    }
    path_put(file_path(file));
    heap_free(file);
}

u32 file_flags(const struct file *file) { return __atomic_load_n(&file->flags, __ATOMIC_RELAXED); }

i64 file_read(struct thread *thread, struct file *file, void *buffer, usize size, u32 flags) {
    u64 unused = 0;
    if (!file->ops->read) {
        return -EINVAL;
    }
    if (!(file->traits & FILE_SEEKABLE)) {
        return file->ops->read(thread, file, buffer, size, &unused, flags);
    }
    mutex_lock(&file->lock);
    i64 count = file->ops->read(thread, file, buffer, size, &file->offset, flags);
    mutex_unlock(&file->lock);
    return count;
}

i64 file_write(struct thread *thread, struct file *file, const void *buffer, usize size,
               u32 flags) {
    u64 unused = 0;
    if (!file->ops->write) {
        return -EINVAL;
    }
    if (!(file->traits & FILE_SEEKABLE)) {
        return file->ops->write(thread, file, buffer, size, &unused, flags);
    }
    mutex_lock(&file->lock);
    i64 count = file->ops->write(thread, file, buffer, size, &file->offset, flags);
    mutex_unlock(&file->lock);
    return count;
}

i64 file_read_at(struct thread *thread, struct file *file, void *buffer, usize size, u64 offset) {
    if (!(file->traits & FILE_SEEKABLE)) {
        return -ESPIPE;
    }
    return file->ops->read ? file->ops->read(thread, file, buffer, size, &offset, 0) : -EINVAL;
}

i64 file_write_at(struct thread *thread, struct file *file, const void *buffer, usize size,
                  u64 offset) {
    if (!(file->traits & FILE_SEEKABLE)) {
        return -ESPIPE;
    }
    return file->ops->write ? file->ops->write(thread, file, buffer, size, &offset, 0) : -EINVAL;
}

u32 file_poll(struct file *file) {
    return file->ops->poll ? file->ops->poll(file) : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}
