// mount and umount2: file systems in memory, /proc, and what is bound elsewhere.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/calls.h"
#include "linux/credentials.h"
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

static bool is_mount_root(struct path path) { return path.mount && path.vnode == path.mount->root; }

// Consumes the mount.
static i64 mount_put_on(struct mount *mount, struct path target) {
    int result = mount_attach(mount, target);
    if (result != 0) {
        mount_put(mount);
    }
    return result;
}

static i64 new_mount(struct path target, const struct mount_texts *texts, u32 flags) {
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
    return result == 0 ? mount_put_on(mount, target) : result;
}

// With what is mounted in it, or not at all. Consumes the mount.
static i64 tree_put_on(struct mount *mount, struct mount *from, struct path target) {
    mount_get(mount);
    i64 result = mount_put_on(mount, target);
    if (result == 0) {
        result = mount_bind_below(from, mount);
        if (result != 0) {
            mount_detach(mount, DETACH_BUSY);
        }
    }
    mount_put(mount);
    return result;
}

static i64 bind_mount(struct thread *thread, struct path target, linux_ptr source, u64 flags) {
    struct path bound;
    struct mount *mount;
    i64 result = path_resolve(thread, AT_FDCWD, source, WALK_FOLLOW, &bound);
    if (result != 0) {
        return result;
    }
    result = bound.mount && mount_has_place(bound.mount) ? mount_bind(bound, &mount) : -EINVAL;
    if (result == 0) {
        result =
            flags & MS_REC ? tree_put_on(mount, bound.mount, target) : mount_put_on(mount, target);
    }
    path_put(bound);
    return result;
}

static i64 move_mount(struct thread *thread, struct path target, linux_ptr source) {
    struct path moved;
    i64 result = path_resolve(thread, AT_FDCWD, source, WALK_FOLLOW, &moved);
    if (result == 0) {
        result = is_mount_root(moved) ? mount_move(moved.mount, target) : -EINVAL;
        path_put(moved);
    }
    return result;
}

static i64 mount_on(struct thread *thread, struct path target, linux_ptr source,
                    const struct mount_texts *texts, u64 flags) {
    if (flags & (MS_REMOUNT | MS_PROPAGATION)) {
        return !is_mount_root(target)  ? -EINVAL
               : !(flags & MS_REMOUNT) ? 0
               : flags & MS_BIND       ? mount_set_flags(target.mount, (u32)flags)
                                       : mount_remount(target.mount, (u32)flags, texts->options);
    }
    if (flags & MS_BIND) {
        return bind_mount(thread, target, source, flags);
    }
    return flags & MS_MOVE ? move_mount(thread, target, source)
                           : new_mount(target, texts, (u32)flags);
}

i64 linux_mount(struct thread *thread, linux_ptr source, linux_ptr target, linux_ptr type,
                u64 flags, linux_ptr options) {
    struct path found;
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
        result = path_resolve(thread, AT_FDCWD, target, WALK_FOLLOW, &found);
    }
    if (result == 0) {
        result = credentials_have(thread->process->credentials, CAP_SYS_ADMIN)
                     ? mount_on(thread, found, source, texts, flags)
                     : -EPERM;
        path_put(found);
    }
    heap_free(texts);
    return result;
}

// The walk's references are given up first: a mount is idle when the path's is the only one.
i64 linux_umount2(struct thread *thread, linux_ptr target, u32 flags) {
    struct path found;
    if (flags & ~(u32)(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)) {
        return -EINVAL;
    }
    i64 result = path_resolve(thread, AT_FDCWD, target,
                              flags & UMOUNT_NOFOLLOW ? WALK_NOFOLLOW : WALK_FOLLOW, &found);
    if (result != 0) {
        return result;
    }
    if (!credentials_have(thread->process->credentials, CAP_SYS_ADMIN)) {
        result = -EPERM;
    } else if (!is_mount_root(found)) {
        result = -EINVAL;
    } else {
        result = mount_detach(found.mount, flags & MNT_DETACH ? DETACH_BUSY : DETACH_IDLE);
    }
    path_put(found);
    return result;
}
