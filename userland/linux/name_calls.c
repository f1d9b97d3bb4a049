// Making, removing, renaming names, and links.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/calls.h"
#include "linux/mount.h"
#include "linux/permission.h"
#include "linux/process.h"
#include "linux/thread.h"
#include "linux/walk.h"

// Walks to a name that is to be made; -EEXIST for one that is there already, whatever the file
// system can do.
static int walk_to_new(struct walk *walk, struct thread *thread, i32 directory, linux_ptr path) {
    struct path existing;
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
    result = walk_lookup(walk, walk->last, &existing);
    if (result == 0) {
        path_put(existing);
        return -EEXIST;
    }
    return result == -ENOENT ? 0 : result;
}

static int node_make(struct thread *thread, struct walk *walk, u32 mode, u64 device) {
    struct creation creation;
    struct vnode *at = walk->at.vnode;
    struct vnode *made;
    if (!at->ops->create) {
        return -EPERM;
    }
    int result = creation_prepare(thread, walk->at, mode, &creation);
    if (result == 0) {
        creation.device = device;
        result = at->ops->create(at, walk->last, &creation, &made);
    }
    if (result == 0) {
        vnode_put(made);
    }
    return result;
}

static i64 node_create(struct thread *thread, i32 directory, linux_ptr path, u32 mode, u64 device) {
    struct walk walk;
    int result = walk_to_new(&walk, thread, directory, path);
    if (result == 0 && walk.must_be_directory && (mode & MODE_TYPE) != MODE_DIRECTORY) {
        result = -ENOENT;
    }
    if (result == 0) {
        result = node_make(thread, &walk, mode, device);
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
    bool is_device = type == MODE_CHARACTER || type == MODE_BLOCK;
    if (is_device && !credentials_have(thread->process->credentials, CAP_MKNOD)) {
        return -EPERM;
    }
    return node_create(thread, directory, path, type | (mode & MODE_PERMISSIONS), device);
}

i64 linux_mknod(struct thread *thread, linux_ptr path, u32 mode, u64 device) {
    return linux_mknodat(thread, AT_FDCWD, path, mode, device);
}

static int link_make(struct thread *thread, struct walk *walk, struct name target) {
    struct creation creation;
    struct vnode *at = walk->at.vnode;
    if (!at->ops->symlink) {
        return -EPERM;
    }
    int result = creation_prepare(thread, walk->at, MODE_LINK, &creation);
    creation.mode = MODE_LINK | 0777;
    return result != 0 ? result : at->ops->symlink(at, walk->last, &creation, target);
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
    if (result == 0 && walk.must_be_directory) {
        result = -ENOENT;
    }
    if (result == 0) {
        result = link_make(thread, &walk, (struct name){target, (u32)size});
    }
    walk_end(&walk);
    heap_free(target);
    return result;
}

i64 linux_symlink(struct thread *thread, linux_ptr target, linux_ptr path) {
    return linux_symlinkat(thread, target, AT_FDCWD, path);
}

static int link_add(struct walk *walk, struct path target) {
    struct vnode *at = walk->at.vnode;
    if (target.mount != walk->at.mount) {
        return -EXDEV;
    }
    if (path_is_read_only(walk->at)) {
        return -EROFS;
    }
    int result = link_permission(walk->credentials, target.vnode);
    if (result == 0) {
        result = path_permission(walk->credentials, walk->at, MAY_WRITE | MAY_EXECUTE);
    }
    if (result != 0 || vnode_is_directory(target.vnode) || !at->ops->link) {
        return result != 0 ? result : -EPERM;
    }
    return at->ops->link(at, walk->last, target.vnode);
}

i64 linux_linkat(struct thread *thread, i32 old_directory, linux_ptr old_path, i32 new_directory,
                 linux_ptr new_path, u32 flags) {
    struct walk walk;
    struct path target;
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
    if (result == 0 && walk.must_be_directory) {
        result = -ENOENT;
    }
    if (result == 0) {
        result = link_add(&walk, target);
    }
    walk_end(&walk);
    path_put(target);
    return result;
}

i64 linux_link(struct thread *thread, linux_ptr old_path, linux_ptr new_path) {
    return linux_linkat(thread, AT_FDCWD, old_path, AT_FDCWD, new_path, 0);
}

// Looks the name up first: whose it is, and what may be mounted there, is found by that.
static int name_try_remove(struct walk *walk, u32 flags) {
    struct vnode *at = walk->at.vnode;
    struct vnode *victim;
    int result =
        path_is_read_only(walk->at) ? -EROFS : walk_lookup_covered(walk, walk->last, &victim);
    if (result != 0) {
        return result;
    }
    if (walk->must_be_directory && !vnode_is_directory(victim)) {
        result = -ENOTDIR;
    } else {
        result = removal_permission(walk->credentials, walk->at, victim);
    }
    if (result == 0) {
        result = at->ops->unlink ? at->ops->unlink(at, walk->last, victim, flags) : -EPERM;
    }
    vnode_put(victim);
    return result;
}

static int name_remove(struct walk *walk, u32 flags) {
    int result;
    do {
        result = name_try_remove(walk, flags);
    } while (result == -EAGAIN);
    return result;
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
static int rename_check(const struct walk *from, const struct walk *to, struct vnode *moved,
                        struct vnode *replaced, u32 flags) {
    bool needs_directory = from->must_be_directory || to->must_be_directory;
    if (needs_directory && !vnode_is_directory(moved)) {
        return -ENOTDIR;
    }
    if (replaced && (flags & RENAME_NOREPLACE)) {
        return -EEXIST;
    }
    int result = removal_permission(from->credentials, from->at, moved);
    if (result == 0) {
        result = replaced ? removal_permission(to->credentials, to->at, replaced)
                          : path_permission(to->credentials, to->at, MAY_WRITE | MAY_EXECUTE);
    }
    // Its ".." changes.
    if (result == 0 && vnode_is_directory(moved) && from->at.vnode != to->at.vnode) {
        result = vnode_permission(from->credentials, moved, MAY_WRITE);
    }
    return result;
}

static int try_rename(struct walk *from, struct walk *to, u32 flags) {
    struct vnode *moved;
    struct vnode *replaced = NULL;
    const struct vnode_ops *ops = from->at.vnode->ops;
    int result = walk_lookup_covered(from, from->last, &moved);
    if (result != 0) {
        return result;
    }
    result = walk_lookup_covered(to, to->last, &replaced);
    if (result == -ENOENT) {
        result = 0;
    }
    if (result == 0) {
        result = rename_check(from, to, moved, replaced, flags);
    }
    if (result == 0) {
        result = ops->rename
                     ? ops->rename(&(struct rename_side){from->at.vnode, from->last, moved},
                                   &(struct rename_side){to->at.vnode, to->last, replaced}, flags)
                     : -EPERM;
    }
    vnode_put(moved);
    vnode_put(replaced);
    return result;
}

static int names_rename(struct walk *from, struct walk *to, u32 flags) {
    int result;
    if (from->at.mount != to->at.mount) {
        return -EXDEV;
    }
    if (path_is_read_only(from->at)) {
        return -EROFS;
    }
    do {
        result = try_rename(from, to, flags);
    } while (result == -EAGAIN);
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
        result = names_rename(from, to, flags);
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

i64 linux_readlinkat(struct thread *thread, i32 directory, linux_ptr path_ptr, linux_ptr buffer,
                     usize size) {
    struct path path;
    if ((i64)size <= 0) {
        return -EINVAL;
    }
    i64 result = path_resolve(thread, directory, path_ptr, WALK_NOFOLLOW | WALK_EMPTY_PATH, &path);
    if (result != 0) {
        return result;
    }
    struct vnode *link = path.vnode;
    char *text = link->type == MODE_LINK ? heap_alloc(LINUX_PATH_MAX) : NULL;
    result = link->type != MODE_LINK ? -EINVAL
             : !text ? -ENOMEM
                     : link->ops->read_link(link, text, min(size, (usize)LINUX_PATH_MAX));
    if (result > 0 && copy_to_linux(buffer, text, (usize)result) != 0) {
        result = -EFAULT;
    }
    heap_free(text);
    path_put(path);
    return result;
}

i64 linux_readlink(struct thread *thread, linux_ptr path, linux_ptr buffer, usize size) {
    return linux_readlinkat(thread, AT_FDCWD, path, buffer, size);
}
