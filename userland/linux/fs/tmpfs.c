// Nodes of tmpfs: making them, their attributes, and their end.
#include "linux/fs/tmpfs.h"

#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/file_locks.h"
#include "linux/fs/pipe.h"
#include "linux/fs/special.h"
#include "linux/fs/tmpfs_node.h"

struct mutex tmpfs_lock;

static u64 last_ino; // atomic

void tmpfs_inos_reserve(u64 last) {
    if (last > __atomic_load_n(&last_ino, __ATOMIC_RELAXED)) {
        __atomic_store_n(&last_ino, last, __ATOMIC_RELAXED);
    }
}

int tmpfs_node_create(struct file_system *system, const struct creation *creation,
                      struct tmpfs_node **out) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct tmpfs *tmpfs = container_of(system, struct tmpfs, system);
    struct tmpfs_node *node = tmpfs_node_charge(tmpfs) ? heap_alloc_zero(sizeof(*node)) : NULL;
    if (!node) {
        tmpfs_node_uncharge(tmpfs);
        return -ENOSPC;
    }
    vnode_init(&node->base, &tmpfs_ops, system, creation->mode,
               __atomic_add_fetch(&last_ino, 1, __ATOMIC_RELAXED));
    node->mode = creation->mode;
    node->uid = creation->uid;
    node->gid = creation->gid;
    node->device = creation->device;
    node->nlink = 1;
    node->atime_ns = node->mtime_ns = node->ctime_ns = time_now_ns();
    if (vnode_is_directory(&node->base)) {
        node->nlink = 2;
        list_init(&node->names.entries);
    }
    *out = node;
    return 0;
}

void tmpfs_node_put(struct tmpfs_node *node) {
    if (node) {
        vnode_put(&node->base);
    }
}

// A removed node can't be found through the image again: pinned, it would stay for ever.
void tmpfs_pin_locked(struct tmpfs_node *node) {
    if (node->lower && !node->is_pinned && node->nlink > 0) {
        node->is_pinned = true;
        vnode_get(&node->base);
    }
}

void tmpfs_accessed_locked(struct tmpfs_node *node) {
    enum : u64 { DAY_NS = 86400UL * 1000000000 };
    if (node->lower && !node->is_pinned) {
        return;
    }
    bool has_changed = node->atime_ns <= node->mtime_ns || node->atime_ns <= node->ctime_ns;
    u64 now_ns = time_now_ns();
    if (has_changed || now_ns > node->atime_ns + DAY_NS) {
        node->atime_ns = now_ns;
    }
}

void tmpfs_touch_locked(struct tmpfs_node *node) {
    node->mtime_ns = node->ctime_ns = time_now_ns();
    tmpfs_pin_locked(node);
}

struct tmpfs_node *tmpfs_unlinked_locked(struct tmpfs_node *node) {
    node->nlink = vnode_is_directory(&node->base) ? 0 : node->nlink - 1;
    node->ctime_ns = time_now_ns();
    if (node->nlink > 0) {
        tmpfs_pin_locked(node);
        return NULL;
    }
    bool was_pinned = node->is_pinned;
    node->is_pinned = false;
    return was_pinned ? node : NULL;
}

static void node_free(struct tmpfs_node *node) {
    struct tmpfs *tmpfs = tmpfs_of(node);
    heap_free(node->removed_name);
    switch (node->base.type) {
    case MODE_REGULAR:
        tmpfs_pages_uncharge(node, tmpfs_pages_cut(&node->data, 0));
        tmpfs_object_end(node);
        break;
    case MODE_LINK: heap_free(node->link); break;
    case MODE_DIRECTORY: tmpfs_names_free(node); break;
    default: break;
    }
    heap_free(node);
    tmpfs_node_uncharge(tmpfs);
}

// The last reference is gone, names included, so nobody else can reach the node but through the
// table of lower nodes. A directory may hold the last reference to its parent, and so on.
static void tmpfs_release(struct vnode *vnode) {
    while (vnode) {
        struct tmpfs_node *node = tmpfs_node(vnode);
        if (node->lower) {
            mutex_lock(&tmpfs_lock);
            tmpfs_lower_forget_locked(node);
            mutex_unlock(&tmpfs_lock);
        }
        struct tmpfs_node *parent = node->parent;
        file_locks_free(vnode);
        node_free(node);
        vnode = parent && vnode_put_is_last(&parent->base) ? &parent->base : NULL;
    }
}

// As Linux's tmpfs shows it: some bytes for each name.
static u64 directory_bytes_locked(const struct tmpfs_node *node) REQUIRES(&tmpfs_lock) {
    enum { NAME_BYTES = 20 };
    const struct tmpfs_names *names = &node->names;
    return NAME_BYTES * (2 + names->live + tmpfs_lower_count(node) - names->hiding);
}

static int tmpfs_attributes(struct vnode *vnode, struct attributes *out) {
    struct tmpfs_node *node = tmpfs_node(vnode);
    mutex_lock(&tmpfs_lock);
    *out = (struct attributes){
        .ino = vnode->ino,
        .size_bytes = vnode_is_directory(vnode) ? directory_bytes_locked(node) : node->size_bytes,
        .blocks = vnode->type == MODE_REGULAR ? node->data.count * (PAGE_SIZE / 512) : 0,
        .device = node->device,
        .mode = node->mode,
        .nlink = node->nlink,
        .uid = node->uid,
        .gid = node->gid,
        .atime_ns = node->atime_ns,
        .mtime_ns = node->mtime_ns,
        .ctime_ns = node->ctime_ns,
    };
    mutex_unlock(&tmpfs_lock);
    return 0;
}

static int tmpfs_set_attributes(struct vnode *vnode, const struct attributes *values, u32 which) {
    struct tmpfs_node *node = tmpfs_node(vnode);
    int result = 0;
    mutex_lock(&tmpfs_lock);
    if ((which & ATTRIBUTE_IF_OWNED) && (node->uid != values->uid || node->gid != values->gid)) {
        result = -EAGAIN;
    } else if (which & ATTRIBUTE_SIZE) {
        result =
            vnode->type == MODE_REGULAR ? tmpfs_resize_locked(node, values->size_bytes) : -EINVAL;
    }
    if (result == 0) {
        node->mode = which & ATTRIBUTE_MODE
                         ? (node->mode & MODE_TYPE) | (values->mode & MODE_PERMISSIONS)
                         : node->mode;
        node->mode = which & ATTRIBUTE_DROP_SET_ID ? mode_without_set_id(node->mode) : node->mode;
        node->uid = which & ATTRIBUTE_OWNER ? values->uid : node->uid;
        node->gid = which & ATTRIBUTE_GROUP ? values->gid : node->gid;
        node->atime_ns = which & ATTRIBUTE_ATIME ? values->atime_ns : node->atime_ns;
        node->mtime_ns = which & ATTRIBUTE_MTIME ? values->mtime_ns : node->mtime_ns;
        node->ctime_ns = time_now_ns();
        tmpfs_pin_locked(node);
    }
    mutex_unlock(&tmpfs_lock);
    return result;
}

static i64 tmpfs_read_link(struct vnode *link, char *buffer, usize size) {
    // A link's target never changes.
    struct tmpfs_node *node = tmpfs_node(link);
    usize count = min(size, (usize)node->size_bytes);
    mutex_lock(&tmpfs_lock);
    tmpfs_accessed_locked(node);
    mutex_unlock(&tmpfs_lock);
    if (node->link) {
        memcpy(buffer, node->link, count);
    } else {
        tmpfs_lower_read(node, buffer, count, 0);
    }
    return (i64)count;
}

static int tmpfs_open(struct thread *thread, struct vnode *vnode, struct file *file) {
    struct tmpfs_node *node = tmpfs_node(vnode);
    return vnode->type == MODE_FIFO ? fifo_open(thread, &node->pipe, file)
                                    : special_open(thread, vnode, node->device, file);
}

const struct vnode_ops tmpfs_ops = {
    .release = tmpfs_release,
    .attributes = tmpfs_attributes,
    .set_attributes = tmpfs_set_attributes,
    .lookup = tmpfs_lookup,
    .create = tmpfs_create,
    .symlink = tmpfs_symlink,
    .link = tmpfs_link,
    .make_unnamed = tmpfs_make_unnamed,
    .name = tmpfs_name,
    .allocate = tmpfs_allocate,
    .seek = tmpfs_seek,
    .unlink = tmpfs_unlink,
    .rename = tmpfs_rename,
    .list = tmpfs_list,
    .read_link = tmpfs_read_link,
    .read = tmpfs_read,
    .write = tmpfs_write,
    .open = tmpfs_open,
    .map = tmpfs_map,
    .share = tmpfs_share,
    .statfs = tmpfs_statfs,
};
