// mount and umount2: file systems in memory, /proc, and directories that are bound elsewhere.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/calls.h"
#include "linux/credentials.h"
#include "linux/fs/bind.h"
#include "linux/mount.h"
#include "linux/thread.h"
#include "linux/walk.h"

enum : u64 {
    MS_REMOUNT = 1 << 5,
    MS_BIND = 1 << 12,
    MS_MOVE = 1 << 13,
    MS_REC = 1 << 14,
    MS_PROPAGATION = 1UL << 17 | 1UL << 18 | 1UL << 19 | 1UL << 20, // unbindable ... shared
    MS_MAGIC = 0xc0ed0000,
    MS_MAGIC_MASK = 0xffff0000,
};
enum { MNT_FORCE = 1, MNT_DETACH = 2, MNT_EXPIRE = 4, UMOUNT_NOFOLLOW = 8 };
enum { TEXT_BYTES = 256 };

// The call's strings; a null pointer is an empty one.
struct mount_texts {
    char source[TEXT_BYTES];
    char type[TEXT_BYTES];
    char options[TEXT_BYTES];
};

static i64 text_read(char *text, linux_ptr from) {
    *text = 0;
    i64 size = linux_is_null(from) ? 0 : copy_string_from_linux(text, from, TEXT_BYTES);
    return size == -ENAMETOOLONG ? -EINVAL : min(size, 0L);
}

static i64 new_mount(struct vnode *directory, const struct mount_texts *texts, u32 flags) {
    struct mount *mount;
    int result;
    const char *source = texts->source[0] ? texts->source : "none";
    if (strcmp(texts->type, "tmpfs") == 0 || strcmp(texts->type, "ramfs") == 0) {
        result = mount_make_tmpfs(source, texts->options, flags, &mount);
    } else if (strcmp(texts->type, "proc") == 0) {
        result = mount_make_proc(source, flags, &mount);
    } else {
        return -ENODEV;
    }
    if (result == 0) {
        result = mount_attach(mount, directory);
        if (result != 0) {
            mount->end(mount);
        }
    }
    return result;
}

// What is bound has to be found first; a file can't be.
static i64 bind_mount(struct thread *thread, struct vnode *directory, linux_ptr source) {
    struct vnode *bound;
    struct mount *mount;
    i64 result = path_resolve(thread, AT_FDCWD, source, WALK_FOLLOW, &bound);
    if (result != 0) {
        return result;
    }
    if (!vnode_is_directory(bound) || !vnode_is_directory(directory)) {
        result = -ENOTDIR;
    } else if (bind_behind(directory) != directory && directory != directory->system->root) {
        result = -EINVAL; // in a bound tree
    } else {
        result = bind_make(bound, mount_source(bound->system), 0, &mount);
    }
    vnode_put(bound);
    if (result == 0) {
        result = mount_attach(mount, directory);
        if (result != 0) {
            mount->end(mount);
        }
    }
    return result;
}

static i64 mount_on(struct thread *thread, struct vnode *directory, linux_ptr source,
                    const struct mount_texts *texts, u64 flags) {
    if (flags & MS_REMOUNT) {
        return directory == directory->system->root
                   ? mount_remount(directory->system, (u32)flags, texts->options)
                   : -EINVAL;
    }
    if (flags & MS_PROPAGATION) {
        return directory == directory->system->root ? 0 : -EINVAL;
    }
    if (flags & MS_BIND) {
        return bind_mount(thread, directory, source);
    }
    if ((flags & MS_MOVE) ||
        (bind_behind(directory) != directory && directory != directory->system->root)) {
        return -EINVAL;
    }
    return vnode_is_directory(directory) ? new_mount(directory, texts, (u32)flags) : -ENOTDIR;
}

i64 linux_mount(struct thread *thread, linux_ptr source, linux_ptr target, linux_ptr type,
                u64 flags, linux_ptr options) {
    struct vnode *directory;
    if ((flags & MS_MAGIC_MASK) == MS_MAGIC) {
        flags &= ~(u64)MS_MAGIC_MASK;
    }
    struct mount_texts *texts = heap_alloc(sizeof(*texts));
    i64 result = texts ? text_read(texts->source, source) : -ENOMEM;
    if (result == 0) {
        result = text_read(texts->type, type);
    }
    if (result == 0) {
        result = text_read(texts->options, options);
    }
    if (result == 0) {
        result = path_resolve(thread, AT_FDCWD, target, WALK_FOLLOW, &directory);
    }
    if (result == 0) {
        result = credentials_have(thread->process->credentials, CAP_SYS_ADMIN)
                     ? mount_on(thread, directory, source, texts, flags)
                     : -EPERM;
        vnode_put(directory);
    }
    heap_free(texts);
    return result;
}

i64 linux_umount2(struct thread *thread, linux_ptr target, u32 flags) {
    struct vnode *directory;
    if (flags & ~(u32)(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)) {
        return -EINVAL;
    }
    i64 result = path_resolve(thread, AT_FDCWD, target,
                              flags & UMOUNT_NOFOLLOW ? WALK_NOFOLLOW : WALK_FOLLOW, &directory);
    if (result != 0) {
        return result;
    }
    if (!credentials_have(thread->process->credentials, CAP_SYS_ADMIN)) {
        result = -EPERM;
    } else if (directory != directory->system->root) {
        result = -EINVAL;
    } else {
        result = mount_detach(directory->system, flags & MNT_DETACH ? DETACH_BUSY : DETACH_IDLE);
    }
    vnode_put(directory);
    return result;
}
