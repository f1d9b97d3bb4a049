// Vnodes: counting, and what an operation means that a file system does not have.
#include "linux/abi.h"
#include "linux/file_locks.h"
#include "linux/kernel_if.h"
#include "linux/mount.h"
#include "linux/vfs.h"

void vnode_init(struct vnode *vnode, const struct vnode_ops *ops, struct file_system *system,
                u32 type, u64 ino) {
    *vnode = (struct vnode){
        .ops = ops, .system = system, .references = 1, .type = type & MODE_TYPE, .ino = ino};
}

struct path path_get(struct path path) {
    mount_get(path.mount);
    vnode_get(path.vnode);
    return path;
}

void path_put(struct path path) {
    vnode_put(path.vnode);
    mount_put(path.mount);
}

struct vnode *vnode_get(struct vnode *vnode) {
    if (vnode) {
        __atomic_fetch_add(&vnode->references, 1, __ATOMIC_RELAXED);
    }
    return vnode;
}

bool vnode_get_unless_zero(struct vnode *vnode) {
    u32 count = __atomic_load_n(&vnode->references, __ATOMIC_RELAXED);
    while (count != 0) {
        if (__atomic_compare_exchange_n(&vnode->references, &count, count + 1, true,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            return true;
        }
    }
    return false;
}

void vnode_put(struct vnode *vnode) {
    if (vnode && vnode_put_is_last(vnode)) {
        if (vnode->locks) {
            file_locks_free(vnode);
        }
        vnode->ops->release(vnode);
    }
}

bool writers_move(i32 *writers, i32 step) {
    i32 now = __atomic_load_n(writers, __ATOMIC_RELAXED);
    do {
        if (step > 0 ? now < 0 : now > 0) {
            return false;
        }
    } while (!__atomic_compare_exchange_n(writers, &now, now + step, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    return true;
}

int vnode_writer_add(struct vnode *vnode) {
    return writers_move(&vnode->writers, 1) ? 0 : -ETXTBSY;
}

void vnode_writer_remove(struct vnode *vnode) {
    __atomic_fetch_sub(&vnode->writers, 1, __ATOMIC_ACQ_REL);
}

int vnode_program_add(struct vnode *vnode) {
    return writers_move(&vnode->writers, -1) ? 0 : -ETXTBSY;
}

void vnode_program_remove(struct vnode *vnode) {
    __atomic_fetch_add(&vnode->writers, 1, __ATOMIC_ACQ_REL);
}

int vnode_attributes(struct vnode *vnode, struct attributes *out) {
    *out = (struct attributes){};
    return vnode->ops->attributes(vnode, out);
}

int vnode_set_attributes(struct vnode *vnode, const struct attributes *values, u32 which) {
    return vnode->ops->set_attributes ? vnode->ops->set_attributes(vnode, values, which) : -EROFS;
}

int vnode_lookup(struct vnode *directory, struct name name, struct vnode **out) {
    return vnode_is_directory(directory) ? directory->ops->lookup(directory, name, out) : -ENOTDIR;
}

// As the kernel's new_encode_dev, which is what stat shows for small numbers.
u64 device_number(u32 major, u32 minor) {
    return (minor & 0xff) | ((u64)(major & 0xfff) << 8) | ((u64)(minor & ~0xffU) << 12);
}

u64 time_now_ns(void) { return kernel_realtime_ns(); }
