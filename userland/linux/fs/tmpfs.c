// Nodes of tmpfs: making them, their attributes, and their end.
#include "linux/fs/tmpfs.h"

#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/fs/special.h"
#include "linux/fs/tmpfs_node.h"

struct mutex tmpfs_lock;

static u64 next_ino = 1; // atomic

int tmpfs_node_create(struct file_system *system, u32 mode, struct tmpfs_node **out)
    THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct tmpfs_node *node = heap_alloc_zero(sizeof(*node));
    if (!node) {
        return -ENOMEM;
    }
    vnode_init(&node->base, &tmpfs_ops, system, mode,
               __atomic_fetch_add(&next_ino, 1, __ATOMIC_RELAXED));
    node->mode = mode;
    node->nlink = 1;
    node->atime_ns = node->mtime_ns = node->ctime_ns = time_now_ns();
    if (vnode_is_directory(&node->base)) {
        node->nlink = 2;
        list_init(&node->directory.entries);
    }
    *out = node;
    return 0;
}

void tmpfs_touch_locked(struct tmpfs_node *node) {
    node->mtime_ns = node->ctime_ns = time_now_ns();
}

// The last reference is gone, names included, so nobody else can reach the node.
static void tmpfs_release(struct vnode *vnode) {
    struct tmpfs_node *node = tmpfs_node(vnode);
    if (vnode->type == MODE_REGULAR) {
        tmpfs_data_free(&node->data);
    } else if (vnode->type == MODE_LINK) {
        heap_free(node->link);
    }
    heap_free(node);
}

static int tmpfs_attributes(struct vnode *vnode, struct attributes *out) {
    struct tmpfs_node *node = tmpfs_node(vnode);
    mutex_lock(&tmpfs_lock);
    *out = (struct attributes){
        .ino = vnode->ino,
        .size_bytes = node->size_bytes,
        .blocks = vnode->type == MODE_REGULAR ? (u64)node->data.count * (PAGE_SIZE / 512) : 0,
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
    if (which & ATTRIBUTE_SIZE) {
        result =
            vnode->type == MODE_REGULAR ? tmpfs_resize_locked(node, values->size_bytes) : -EINVAL;
    }
    if (result == 0) {
        node->mode = which & ATTRIBUTE_MODE
                         ? (node->mode & MODE_TYPE) | (values->mode & MODE_PERMISSIONS)
                         : node->mode;
        node->uid = which & ATTRIBUTE_OWNER ? values->uid : node->uid;
        node->gid = which & ATTRIBUTE_GROUP ? values->gid : node->gid;
        node->atime_ns = which & ATTRIBUTE_ATIME ? values->atime_ns : node->atime_ns;
        node->mtime_ns = which & ATTRIBUTE_MTIME ? values->mtime_ns : node->mtime_ns;
        node->ctime_ns = time_now_ns();
    }
    mutex_unlock(&tmpfs_lock);
    return result;
}

static i64 tmpfs_read_link(struct vnode *link, char *buffer, usize size) {
    // A link's target never changes.
    struct tmpfs_node *node = tmpfs_node(link);
    usize count = min(size, (usize)node->size_bytes);
    memcpy(buffer, node->link, count);
    return (i64)count;
}

static int tmpfs_open(struct thread *thread, struct vnode *vnode, struct file *file) {
    return special_open(thread, vnode, tmpfs_node(vnode)->device, file);
}

static int tmpfs_statfs(struct vnode *, u64 *type, u64 *free_pages) {
    *type = 0x01021994;
    *free_pages = 0;
    return 0;
}

const struct vnode_ops tmpfs_ops = {
    .release = tmpfs_release,
    .attributes = tmpfs_attributes,
    .set_attributes = tmpfs_set_attributes,
    .lookup = tmpfs_lookup,
    .create = tmpfs_create,
    .symlink = tmpfs_symlink,
    .link = tmpfs_link,
    .unlink = tmpfs_unlink,
    .rename = tmpfs_rename,
    .list = tmpfs_list,
    .read_link = tmpfs_read_link,
    .read = tmpfs_read,
    .write = tmpfs_write,
    .open = tmpfs_open,
    .statfs = tmpfs_statfs,
};

int tmpfs_mount(struct file_system *system, u32 mode) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct tmpfs_node *root;
    int result = tmpfs_node_create(system, MODE_DIRECTORY | (mode & MODE_PERMISSIONS), &root);
    if (result == 0) {
        root->directory.parent = root;
        system->root = &root->base;
    }
    return result;
}
