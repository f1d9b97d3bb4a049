// The table of mounts. mounts_lock guards it, and what is mounted on what; walks take it at a covered
// vnode and at the root of a mount only.
#include "linux/mount.h"

#include "lib/heap.h"
#include "lib/mutex.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/fs/tmpfs.h"

static struct mutex mounts_lock;
static struct list mounts GUARDED_BY(&mounts_lock) = LIST_INIT(mounts);
// As Linux's mount-max: a tree that is bound into itself doubles them each time.
enum { MOUNTS_MAX = 1000 };
static u32 mounts_count GUARDED_BY(&mounts_lock);
static u32 last_id GUARDED_BY(&mounts_lock) = 20;

// Held while mounts are shown, and while one is taken off or moved: before mounts_lock.
static struct mutex showing_lock;

int mount_make(struct file_system *system, struct vnode *root, const char *source, u32 flags,
               struct mount **out) {
    struct mount *mount = heap_alloc_zero(sizeof(*mount));
    if (!mount) {
        return -ENOMEM;
    }
    *mount = (struct mount){
        .system = system,
        .root = vnode_get(root),
        .references = 1,
        .flags = flags & MOUNT_FLAGS & ~(u32)MOUNT_READ_ONLY,
        .writers = flags & MOUNT_READ_ONLY ? -1 : 0,
    };
    memcpy(mount->source, source, min(strlen(source), sizeof(mount->source) - 1));
    __atomic_fetch_add(&system->mounts, 1, __ATOMIC_RELAXED);
    *out = mount;
    return 0;
}

struct mount *mount_get(struct mount *mount) {
    if (mount) {
        __atomic_fetch_add(&mount->references, 1, __ATOMIC_RELAXED);
    }
    return mount;
}

void mount_put(struct mount *mount) {
    if (!mount || __atomic_fetch_sub(&mount->references, 1, __ATOMIC_ACQ_REL) != 1 ||
        mount->is_given) {
        return;
    }
    struct file_system *system = mount->system;
    vnode_put(mount->root);
    heap_free(mount);
    if (__atomic_fetch_sub(&system->mounts, 1, __ATOMIC_ACQ_REL) == 1 && system->end) {
        system->end(system);
    }
}

static struct mount *mount_on_locked(struct path path) REQUIRES(&mounts_lock) {
    struct mount *mount;
    list_for_each(mount, &mounts, node) {
        if (path_is(mount->covered, path)) {
            return mount;
        }
    }
    return NULL;
}

// Before what is mounted in it already.
static void mount_insert_locked(struct mount *mount) REQUIRES(&mounts_lock) {
    struct mount *other;
    struct list *place = &mounts;
    list_for_each(other, &mounts, node) {
        if (other->covered.mount == mount) {
            place = &other->node;
            break;
        }
    }
    mount->id = mount->id ? mount->id : ++last_id;
    mount->is_attached = true;
    mounts_count++;
    list_insert_tail(place, &mount->node);
}

static void attach_locked(struct mount *mount, struct path target) REQUIRES(&mounts_lock) {
    struct mount *over;
    while ((over = mount_on_locked(target))) {
        target = (struct path){over, over->root}; // since it was looked up
    }
    mount->covered = path_get(target);
    __atomic_fetch_add(&target.vnode->mounts, 1, __ATOMIC_RELEASE);
    mount_insert_locked(mount);
}

int mount_attach(struct mount *mount, struct path target) {
    if (!target.mount) {
        return -EINVAL;
    }
    if (vnode_is_directory(mount->root) != vnode_is_directory(target.vnode)) {
        return -ENOTDIR;
    }
    mutex_lock(&mounts_lock);
    bool has_place = target.mount->is_attached || target.mount->is_given;
    int result = !has_place ? -EINVAL : mounts_count >= MOUNTS_MAX ? -ENOSPC : 0;
    if (result == 0) {
        attach_locked(mount, target);
    }
    mutex_unlock(&mounts_lock);
    return result;
}

void mount_attach_root(struct mount *mount) {
    mutex_lock(&mounts_lock);
    mount->id = ++last_id;
    mount->is_attached = true;
    list_insert_head(&mounts, &mount->node);
    mutex_unlock(&mounts_lock);
}

bool mount_has_place(const struct mount *mount) {
    mutex_lock(&mounts_lock);
    bool has = mount->is_attached;
    mutex_unlock(&mounts_lock);
    return has;
}

struct path mount_cross(struct path found) {
    while (unlikely(vnode_is_covered(found.vnode)) && found.mount) {
        mutex_lock(&mounts_lock);
        struct mount *mount = mount_on_locked(found);
        if (mount) {
            mount_get(mount);
        }
        mutex_unlock(&mounts_lock);
        if (!mount) {
            break;
        }
        path_put(found);
        found = (struct path){mount, vnode_get(mount->root)};
    }
    return found;
}

bool mount_leave(struct path *path) {
    mutex_lock(&mounts_lock);
    struct path covered = path->mount->covered;
    bool is_somewhere = covered.mount != NULL;
    if (is_somewhere) {
        path_get(covered);
    }
    mutex_unlock(&mounts_lock);
    if (is_somewhere) {
        path_put(*path);
        *path = covered;
    }
    return is_somewhere;
}

static bool is_below_locked(const struct mount *mount, const struct mount *above)
    REQUIRES(&mounts_lock) {
    while (mount && mount != above) {
        mount = mount->covered.mount;
    }
    return mount != NULL;
}

// The last of those that are on this one, directly or not; itself when there are none.
static struct mount *last_below_locked(struct mount *above) REQUIRES(&mounts_lock) {
    struct mount *mount;
    struct mount *last = above;
    list_for_each(mount, &mounts, node) {
        if (mount != above && is_below_locked(mount, last)) {
            last = mount;
        }
    }
    return last;
}

// One that was taken off, and what it covered, which is given up without the lock.
struct detached {
    struct mount *mount;
    struct path covered;
};

static struct detached take_off_locked(struct mount *mount) REQUIRES(&mounts_lock) {
    struct detached detached = {mount, mount->covered};
    mount->covered = (struct path){};
    mount->is_attached = false;
    mounts_count--;
    list_remove(&mount->node);
    __atomic_fetch_sub(&detached.covered.vnode->mounts, 1, __ATOMIC_RELEASE);
    return detached;
}

// One mount of those to be taken off; the named one is the last.
static int detach_one(struct mount *named, u32 flags, struct detached *detached) {
    int result = 0;
    mutex_lock(&mounts_lock);
    if (!named->is_attached || !named->covered.mount) {
        result = -EINVAL;
    } else if (flags == DETACH_IDLE && __atomic_load_n(&named->references, __ATOMIC_ACQUIRE) > 2) {
        result = -EBUSY;
    } else {
        *detached = take_off_locked(last_below_locked(named));
    }
    mutex_unlock(&mounts_lock);
    return result;
}

int mount_detach(struct mount *mount, u32 flags) {
    struct detached detached = {};
    int result = 0;
    mutex_lock(&showing_lock);
    while (result == 0 && detached.mount != mount) {
        result = detach_one(mount, flags, &detached);
        if (result == 0) {
            path_put(detached.covered);
            mount_put(detached.mount);
        }
    }
    mutex_unlock(&showing_lock);
    return result;
}

static int move_locked(struct mount *mount, struct path target, struct path *left)
    REQUIRES(&mounts_lock) {
    if (!mount->is_attached || !mount->covered.mount || !target.mount->is_attached) {
        return -EINVAL;
    }
    if (is_below_locked(target.mount, mount)) {
        return -ELOOP;
    }
    *left = take_off_locked(mount).covered;
    attach_locked(mount, target);
    return 0;
}

int mount_move(struct mount *mount, struct path target) {
    struct path left = {};
    if (!target.mount || vnode_is_directory(mount->root) != vnode_is_directory(target.vnode)) {
        return -EINVAL;
    }
    mutex_lock(&showing_lock);
    mutex_lock(&mounts_lock);
    int result = move_locked(mount, target, &left);
    mutex_unlock(&mounts_lock);
    mutex_unlock(&showing_lock);
    path_put(left);
    return result;
}

static u32 all_flags(const struct mount *mount) {
    bool is_read_only = __atomic_load_n(&mount->writers, __ATOMIC_RELAXED) < 0;
    return __atomic_load_n(&mount->flags, __ATOMIC_RELAXED) |
           (is_read_only ? (u32)MOUNT_READ_ONLY : 0);
}

int mount_bind(struct path path, struct mount **out) {
    struct mount *mount = path.mount;
    return mount_make(mount->system, path.vnode, mount->source, all_flags(mount), out);
}

// The next one that has no twin and whose parent has one in which its place is to be seen.
static struct mount *next_to_bind_locked(const struct mount *to) REQUIRES(&mounts_lock) {
    struct mount *mount;
    list_for_each(mount, &mounts, node) {
        const struct mount *parent = mount->covered.mount;
        if (mount != to && !mount->twin && parent && parent->twin &&
            mount_shows(parent->twin, mount->covered.vnode)) {
            return mount;
        }
    }
    return NULL;
}

int mount_bind_below(struct mount *from, struct mount *to) {
    struct mount *mount;
    int result = 0;
    mutex_lock(&mounts_lock);
    from->twin = to;
    while (result == 0 && (mount = next_to_bind_locked(to))) {
        result = mounts_count < MOUNTS_MAX
                     ? mount_bind((struct path){mount, mount->root}, &mount->twin)
                     : -ENOSPC;
        if (result == 0) {
            attach_locked(mount->twin,
                          (struct path){mount->covered.mount->twin, mount->covered.vnode});
        }
    }
    list_for_each(mount, &mounts, node) {
        mount->twin = NULL;
    }
    from->twin = NULL;
    mutex_unlock(&mounts_lock);
    return result;
}

u32 path_mount_flags(struct path path) {
    return path.mount ? __atomic_load_n(&path.mount->flags, __ATOMIC_RELAXED) : 0;
}

bool path_is_read_only(struct path path) {
    return path.mount && (__atomic_load_n(&path.mount->writers, __ATOMIC_RELAXED) < 0 ||
                          vnode_is_read_only(path.vnode));
}

// The file system first, so that one that has none has no mount with any.
int mount_writer_add(struct mount *mount) {
    if (!mount) {
        return 0;
    }
    if (!writers_move(&mount->system->writers, 1)) {
        return -EROFS;
    }
    if (!writers_move(&mount->writers, 1)) {
        __atomic_fetch_sub(&mount->system->writers, 1, __ATOMIC_ACQ_REL);
        return -EROFS;
    }
    return 0;
}

void mount_writer_remove(struct mount *mount) {
    if (mount) {
        __atomic_fetch_sub(&mount->writers, 1, __ATOMIC_ACQ_REL);
        __atomic_fetch_sub(&mount->system->writers, 1, __ATOMIC_ACQ_REL);
    }
}

// Under mounts_lock, so that nobody else changes it from or to read-only.
static int read_only_set(i32 *writers, u32 flags) {
    bool is_read_only = __atomic_load_n(writers, __ATOMIC_RELAXED) < 0;
    i32 none = 0;
    if (flags & MOUNT_READ_ONLY) {
        bool is_set =
            is_read_only || __atomic_compare_exchange_n(writers, &none, -1, false, __ATOMIC_ACQ_REL,
                                                        __ATOMIC_RELAXED);
        return is_set ? 0 : -EBUSY;
    }
    if (is_read_only) {
        __atomic_store_n(writers, 0, __ATOMIC_RELEASE);
    }
    return 0;
}

static int flags_set_locked(struct mount *mount, u32 flags) REQUIRES(&mounts_lock) {
    int result = read_only_set(&mount->writers, flags);
    if (result == 0) {
        __atomic_store_n(&mount->flags, flags & MOUNT_FLAGS & ~(u32)MOUNT_READ_ONLY,
                         __ATOMIC_RELAXED);
    }
    return result;
}

int mount_set_flags(struct mount *mount, u32 flags) {
    mutex_lock(&mounts_lock);
    int result = mount->is_attached ? flags_set_locked(mount, flags) : -EINVAL;
    mutex_unlock(&mounts_lock);
    return result;
}

// What writes through another mount keeps the file system from becoming read-only, not this mount.
int mount_remount(struct mount *mount, u32 flags, const char *options) {
    struct file_system *system = mount->system;
    mutex_lock(&mounts_lock);
    int result = mount->is_attached ? 0 : -EINVAL;
    if (result == 0 && system->is_tmpfs) {
        result = tmpfs_remount(system, options);
    }
    if (result == 0) {
        result = read_only_set(&system->writers, flags);
    }
    if (result == 0) {
        result = flags_set_locked(mount, flags);
    }
    mutex_unlock(&mounts_lock);
    return result;
}

u32 mounts_take(struct mount **shown) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct mount *mount;
    u32 count = 0;
    mutex_lock(&showing_lock);
    mutex_lock(&mounts_lock);
    list_for_each(mount, &mounts, node) {
        if (count < MOUNTS_SHOWN) {
            shown[count++] = mount_get(mount);
        }
    }
    mutex_unlock(&mounts_lock);
    return count;
}

void mounts_shown(struct mount **shown, u32 count) THREAD_ANNOTATION(no_thread_safety_analysis) {
    for (u32 i = 0; i < count; i++) {
        mount_put(shown[i]);
    }
    mutex_unlock(&showing_lock);
}
