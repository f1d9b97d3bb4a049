// Making, removing, renaming names, and links.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/calls.h"
#include "linux/process.h"
#include "linux/thread.h"
#include "linux/walk.h"

// Walks to a name that is to be made; -EEXIST for one that is there already, whatever the file
// system can do.
static int walk_to_new(struct walk *walk, struct thread *thread, i32 directory, linux_ptr path) {
    struct vnode *existing;
    int result = walk_start(walk, thread, directory, path, WALK_NOFOLLOW);
    if (result == 0) {
        result = walk_to_last(walk);
    }
    if (result != 0) {
        return result;
    }
    if (!walk_last_is_name(walk)) {
        return -EEXIST;
    }
    result = vnode_lookup(walk->at, walk->last, &existing);
    if (result == 0) {
        vnode_put(existing);
        return -EEXIST;
    }
    return result == -ENOENT ? 0 : result;
}

static i64 node_create(struct thread *thread, i32 directory, linux_ptr path, u32 mode, u64 device) {
    struct walk walk;
    struct vnode *made;
    int result = walk_to_new(&walk, thread, directory, path);
    if (result == 0 && walk.must_be_directory && (mode & MODE_TYPE) != MODE_DIRECTORY) {
        result = -ENOENT;
    }
    if (result == 0) {
        struct creation creation = creation_of(thread->process, mode);
        creation.device = device;
        result = walk.at->ops->create ? walk.at->ops->create(walk.at, walk.last, &creation, &made)
                                      : -EROFS;
    }
    if (result == 0) {
        vnode_put(made);
    }
    walk_end(&walk);
    return result;
}

i64 linux_mkdirat(struct thread *thread, i32 directory, linux_ptr path, u32 mode) {
    return node_create(thread, directory, path, MODE_DIRECTORY | (mode & MODE_PERMISSIONS), 0);
}

i64 linux_mkdir(struct thread *thread, linux_ptr path, u32 mode) {
    return linux_mkdirat(thread, AT_FDCWD, path, mode);
}

i64 linux_mknodat(struct thread *thread, i32 directory, linux_ptr path, u32 mode, u64 device) {
    u32 type = mode & MODE_TYPE ? mode & MODE_TYPE : MODE_REGULAR;
    if (type == MODE_DIRECTORY) {
        return -EPERM;
    }
    if (type != MODE_REGULAR && type != MODE_FIFO && type != MODE_CHARACTER && type != MODE_BLOCK &&
        type != MODE_SOCKET) {
        return -EINVAL;
    }
    return node_create(thread, directory, path, type | (mode & MODE_PERMISSIONS), device);
}

i64 linux_mknod(struct thread *thread, linux_ptr path, u32 mode, u64 device) {
    return linux_mknodat(thread, AT_FDCWD, path, mode, device);
}

i64 linux_symlinkat(struct thread *thread, linux_ptr target_ptr, i32 directory, linux_ptr path) {
    struct walk walk;
    char *target = heap_alloc(LINUX_PATH_MAX);
    i64 size = target ? copy_string_from_linux(target, target_ptr, LINUX_PATH_MAX) : -ENOMEM;
    if (size <= 0) {
        heap_free(target);
        return size == 0 ? -ENOENT : size;
    }
    int result = walk_to_new(&walk, thread, directory, path);
    if (result == 0) {
        struct creation creation = creation_of(thread->process, MODE_LINK);
        creation.mode = MODE_LINK | 0777;
        struct name text = {target, (u32)size};
        result = walk.at->ops->symlink ? walk.at->ops->symlink(walk.at, walk.last, &creation, text)
                                       : -EROFS;
    }
    walk_end(&walk);
    heap_free(target);
    return result;
}

i64 linux_symlink(struct thread *thread, linux_ptr target, linux_ptr path) {
    return linux_symlinkat(thread, target, AT_FDCWD, path);
}

i64 linux_linkat(struct thread *thread, i32 old_directory, linux_ptr old_path, i32 new_directory,
                 linux_ptr new_path, u32 flags) {
    struct walk walk;
    struct vnode *target;
    u32 walk_flags = (flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : WALK_NOFOLLOW) |
                     (flags & AT_EMPTY_PATH ? WALK_EMPTY_PATH : 0);
    if (flags & ~(u32)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) {
        return -EINVAL;
    }
    int result = path_resolve(thread, old_directory, old_path, walk_flags, &target);
    if (result != 0) {
        return result;
    }
    result = walk_to_new(&walk, thread, new_directory, new_path);
    if (result == 0) {
        result = vnode_is_directory(target)          ? -EPERM
                 : target->system != walk.at->system ? -EXDEV
                 : walk.at->ops->link == NULL ? -EROFS
                                              : walk.at->ops->link(walk.at, walk.last, target);
    }
    walk_end(&walk);
    vnode_put(target);
    return result;
}

i64 linux_link(struct thread *thread, linux_ptr old_path, linux_ptr new_path) {
    return linux_linkat(thread, AT_FDCWD, old_path, AT_FDCWD, new_path, 0);
}

// Looks the name up first: what may be mounted there is found by that.
static int name_remove(struct walk *walk, u32 flags) {
    struct vnode *existing;
    int result = vnode_lookup(walk->at, walk->last, &existing);
    if (result != 0) {
        return result;
    }
    bool is_directory = vnode_is_directory(existing);
    vnode_put(existing);
    if (walk->must_be_directory && !is_directory) {
        return -ENOTDIR;
    }
    return walk->at->ops->unlink ? walk->at->ops->unlink(walk->at, walk->last, flags) : -EPERM;
}

i64 linux_unlinkat(struct thread *thread, i32 directory, linux_ptr path, u32 flags) {
    struct walk walk;
    bool removes_directory = flags & AT_REMOVEDIR;
    if (flags & ~(u32)AT_REMOVEDIR) {
        return -EINVAL;
    }
    int result = walk_start(&walk, thread, directory, path, WALK_NOFOLLOW);
    if (result == 0) {
        result = walk_to_last(&walk);
    }
    if (result == 0 && !walk_last_is_name(&walk)) {
        bool is_dot = walk.last.size == 1;
        result = !removes_directory    ? -EISDIR
                 : walk.last.size == 0 ? -EBUSY
                 : is_dot              ? -EINVAL
                                       : -ENOTEMPTY;
    }
    if (result == 0) {
        result = name_remove(&walk, removes_directory ? UNLINK_DIRECTORY : UNLINK_FILE);
    }
    walk_end(&walk);
    return result;
}

i64 linux_unlink(struct thread *thread, linux_ptr path) {
    return linux_unlinkat(thread, AT_FDCWD, path, 0);
}

i64 linux_rmdir(struct thread *thread, linux_ptr path) {
    return linux_unlinkat(thread, AT_FDCWD, path, AT_REMOVEDIR);
}

static int walk_to_last_name(struct walk *walk, struct thread *thread, i32 directory,
                             linux_ptr path) {
    int result = walk_start(walk, thread, directory, path, WALK_NOFOLLOW);
    if (result == 0) {
        result = walk_to_last(walk);
    }
    return result == 0 && !walk_last_is_name(walk) ? -EBUSY : result;
}

// A trailing slash on either side means that a directory is to be renamed.
static int rename_slash_check(struct walk *from, const struct walk *to) {
    struct vnode *moved;
    int result = vnode_lookup(from->at, from->last, &moved);
    if (result == 0) {
        bool needs_directory = from->must_be_directory || to->must_be_directory;
        result = needs_directory && !vnode_is_directory(moved) ? -ENOTDIR : 0;
        vnode_put(moved);
    }
    return result;
}

i64 linux_renameat2(struct thread *thread, i32 old_directory, linux_ptr old_path, i32 new_directory,
                    linux_ptr new_path, u32 flags) {
    if ((flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE)) ||
        flags == (RENAME_NOREPLACE | RENAME_EXCHANGE)) {
        return -EINVAL;
    }
    struct walk *walks = heap_alloc_zero(2 * sizeof(struct walk));
    if (!walks) {
        return -ENOMEM;
    }
    struct walk *from = &walks[0];
    struct walk *to = &walks[1];
    int result = walk_to_last_name(from, thread, old_directory, old_path);
    if (result == 0) {
        result = walk_to_last_name(to, thread, new_directory, new_path);
    }
    if (result == 0) {
        result = rename_slash_check(from, to);
    }
    if (result == 0) {
        result = from->at->system != to->at->system ? -EXDEV
                 : !from->at->ops->rename
                     ? -EROFS
                     : from->at->ops->rename(from->at, from->last, to->at, to->last, flags);
    }
    walk_end(from);
    walk_end(to);
    heap_free(walks);
    return result;
}

i64 linux_renameat(struct thread *thread, i32 old_directory, linux_ptr old_path, i32 new_directory,
                   linux_ptr new_path) {
    return linux_renameat2(thread, old_directory, old_path, new_directory, new_path, 0);
}

i64 linux_rename(struct thread *thread, linux_ptr old_path, linux_ptr new_path) {
    return linux_renameat2(thread, AT_FDCWD, old_path, AT_FDCWD, new_path, 0);
}

i64 linux_readlinkat(struct thread *thread, i32 directory, linux_ptr path, linux_ptr buffer,
                     usize size) {
    struct vnode *link;
    if ((i64)size <= 0) {
        return -EINVAL;
    }
    i64 result = path_resolve(thread, directory, path, WALK_NOFOLLOW | WALK_EMPTY_PATH, &link);
    if (result != 0) {
        return result;
    }
    char *text = link->type == MODE_LINK ? heap_alloc(LINUX_PATH_MAX) : NULL;
    result = link->type != MODE_LINK ? -EINVAL
             : !text ? -ENOMEM
                     : link->ops->read_link(link, text, min(size, (usize)LINUX_PATH_MAX));
    if (result > 0 && copy_to_linux(buffer, text, (usize)result) != 0) {
        result = -EFAULT;
    }
    heap_free(text);
    vnode_put(link);
    return result;
}

i64 linux_readlink(struct thread *thread, linux_ptr path, linux_ptr buffer, usize size) {
    return linux_readlinkat(thread, AT_FDCWD, path, buffer, size);
}
