// Working directories and listing directories.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/calls.h"
#include "linux/descriptors.h"
#include "linux/permission.h"
#include "linux/process.h"
#include "linux/thread.h"
#include "linux/walk.h"

i64 linux_getcwd(struct thread *thread, linux_ptr buffer, usize size) {
    struct fs_context *context = thread->process->fs;
    char *path = heap_alloc(LINUX_PATH_MAX);
    if (!path) {
        return -ENOMEM;
    }
    struct path root = fs_context_root(context);
    struct path cwd = fs_context_cwd(context);
    i64 length = directory_path(root, cwd, path, LINUX_PATH_MAX);
    path_put(root);
    path_put(cwd);
    if (length >= 0 && (usize)length + 1 > size) {
        length = -ERANGE;
    }
    if (length >= 0) {
        length = copy_to_linux(buffer, path, (usize)length + 1) != 0 ? -EFAULT : length + 1;
    }
    heap_free(path);
    return length;
}

static i64 change_directory(struct thread *thread, struct path directory) {
    if (!vnode_is_directory(directory.vnode)) {
        return -ENOTDIR;
    }
    int result = vnode_permission(thread->process->credentials, directory.vnode, MAY_EXECUTE);
    if (result == 0) {
        fs_context_set_cwd(thread->process->fs, directory);
    }
    return result;
}

i64 linux_chdir(struct thread *thread, linux_ptr path) {
    struct path directory;
    i64 result = path_resolve(thread, AT_FDCWD, path, WALK_FOLLOW, &directory);
    if (result == 0) {
        result = change_directory(thread, directory);
        path_put(directory);
    }
    return result;
}

i64 linux_fchdir(struct thread *thread, i32 fd) {
    struct file *file = descriptor_get(thread, fd);
    if (!file) {
        return -EBADF;
    }
    i64 result = change_directory(thread, file_path(file));
    file_put(file);
    return result;
}

static i64 change_root(struct thread *thread, struct path directory) {
    const struct credentials *credentials = thread->process->credentials;
    if (!vnode_is_directory(directory.vnode)) {
        return -ENOTDIR;
    }
    int result = vnode_permission(credentials, directory.vnode, MAY_EXECUTE);
    if (result != 0 || !credentials_have(credentials, CAP_SYS_CHROOT)) {
        return result != 0 ? result : -EPERM;
    }
    fs_context_set_root(thread->process->fs, directory);
    return 0;
}

i64 linux_chroot(struct thread *thread, linux_ptr path) {
    struct path directory;
    i64 result = path_resolve(thread, AT_FDCWD, path, WALK_FOLLOW, &directory);
    if (result == 0) {
        result = change_root(thread, directory);
        path_put(directory);
    }
    return result;
}

// Packs entries as struct linux_dirent64 into a buffer.
struct dirent_sink {
    struct directory_sink base;
    u8 *buffer;
    usize size;
    usize used;
    bool was_too_small;
};

static bool dirent_add(struct directory_sink *base, struct name name, u64 ino, u32 type,
                       u64 cookie) {
    struct dirent_sink *sink = container_of(base, struct dirent_sink, base);
    usize size = (__builtin_offsetof(struct linux_dirent64, name) + name.size + 1 + 7) & ~7UL;
    if (size > sink->size - sink->used) {
        sink->was_too_small = true;
        return false;
    }
    struct linux_dirent64 *entry = (struct linux_dirent64 *)(sink->buffer + sink->used);
    memset(entry, 0, size);
    entry->ino = ino;
    entry->offset = (i64)cookie;
    entry->size = (u16)size;
    entry->type = (u8)type;
    memcpy(entry->name, name.text, name.size);
    sink->used += size;
    return true;
}

static i64 list_to_linux(struct file *file, linux_ptr buffer, usize size) {
    struct dirent_sink sink = {.base.add = dirent_add, .size = min(size, (usize)PAGE_SIZE)};
    sink.buffer = heap_alloc(sink.size);
    if (!sink.buffer) {
        return -ENOMEM;
    }
    mutex_lock(&file->lock);
    u64 cookie = file->offset;
    i64 result = file->vnode->ops->list(file->vnode, &cookie, &sink.base);
    file->offset = cookie;
    mutex_unlock(&file->lock);
    if (result == 0 && sink.used == 0 && sink.was_too_small) {
        result = -EINVAL;
    } else if (result == 0) {
        result = copy_to_linux(buffer, sink.buffer, sink.used) != 0 ? -EFAULT : (i64)sink.used;
    }
    heap_free(sink.buffer);
    return result;
}

i64 linux_getdents64(struct thread *thread, i32 fd, linux_ptr buffer, usize size) {
    struct file *file = descriptor_get_open(thread, fd);
    if (!file) {
        return -EBADF;
    }
    i64 result = vnode_is_directory(file->vnode) && file->vnode->ops->list
                     ? list_to_linux(file, buffer, size)
                     : -ENOTDIR;
    file_put(file);
    return result;
}
