// The image's vnodes, made when they are looked up and gone with their last reference. A table by
// inode number finds those that are alive, so that one inode is one vnode.
//
// The table's lock is taken to find, make and free a vnode. A vnode whose count has reached 0 is
// no longer given out, though it may still be in the table until its release takes the lock.
#include "linux/fs/image.h"

#include "lib/erofs.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"

enum { IMAGE_BUCKETS = 32 };

struct image_vnode {
    struct vnode base;
    struct image_vnode *next; // in its bucket; under image.lock
    struct erofs_inode inode;
};

static struct {
    struct erofs erofs;
    u32 memobj;
    struct mutex lock;
    struct image_vnode *buckets[IMAGE_BUCKETS] GUARDED_BY(&lock);
} image;

static const struct vnode_ops image_ops;

static struct image_vnode *image_vnode(struct vnode *vnode) {
    return container_of(vnode, struct image_vnode, base);
}

static int image_error(status_t status) {
    switch (status) {
    case EROFS_OK: return 0;
    case EROFS_NOT_FOUND: return -ENOENT;
    case EROFS_NOT_DIRECTORY: return -ENOTDIR;
    default: return -EIO;
    }
}

static bool vnode_get_unless_zero(struct vnode *vnode) {
    u32 count = __atomic_load_n(&vnode->references, __ATOMIC_RELAXED);
    while (count != 0) {
        if (__atomic_compare_exchange_n(&vnode->references, &count, count + 1, true,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
            return true;
        }
    }
    return false;
}

static int image_make_locked(struct file_system *system, u64 nid, struct vnode **out)
    REQUIRES(&image.lock) {
    struct image_vnode *node = heap_alloc(sizeof(*node));
    if (!node) {
        return -ENOMEM;
    }
    int result = image_error(erofs_inode_read(&image.erofs, nid, &node->inode));
    if (result != 0) {
        heap_free(node);
        return result;
    }
    vnode_init(&node->base, &image_ops, system, node->inode.mode, nid);
    node->next = image.buckets[nid % IMAGE_BUCKETS];
    image.buckets[nid % IMAGE_BUCKETS] = node;
    *out = &node->base;
    return 0;
}

static int image_find(struct file_system *system, u64 nid, struct vnode **out) {
    mutex_lock(&image.lock);
    struct image_vnode *node = image.buckets[nid % IMAGE_BUCKETS];
    while (node && !(node->base.ino == nid && vnode_get_unless_zero(&node->base))) {
        node = node->next;
    }
    int result = 0;
    if (node) {
        *out = &node->base;
    } else {
        result = image_make_locked(system, nid, out);
    }
    mutex_unlock(&image.lock);
    return result;
}

static void image_release(struct vnode *vnode) {
    struct image_vnode *node = image_vnode(vnode);
    mutex_lock(&image.lock);
    struct image_vnode **link = &image.buckets[vnode->ino % IMAGE_BUCKETS];
    while (*link != node) {
        link = &(*link)->next;
    }
    *link = node->next;
    mutex_unlock(&image.lock);
    heap_free(node);
}

static int image_attributes(struct vnode *vnode, struct attributes *out) {
    const struct erofs_inode *inode = &image_vnode(vnode)->inode;
    u64 mtime_ns = inode->mtime_s * 1000000000 + inode->mtime_ns;
    *out = (struct attributes){
        .ino = vnode->ino,
        .size_bytes = inode->size_bytes,
        .blocks = page_round_up(inode->size_bytes) / 512,
        .device = device_number(inode->device_major, inode->device_minor),
        .mode = inode->mode,
        .nlink = inode->nlink,
        .uid = inode->uid,
        .gid = inode->gid,
        .atime_ns = mtime_ns,
        .mtime_ns = mtime_ns,
        .ctime_ns = mtime_ns,
    };
    return 0;
}

static int image_lookup(struct vnode *directory, struct name name, struct vnode **out) {
    struct erofs_entry entry;
    status_t status =
        erofs_lookup(&image.erofs, &image_vnode(directory)->inode, name.text, name.size, &entry);
    if (status != EROFS_OK) {
        return image_error(status);
    }
    return image_find(directory->system, entry.nid, out);
}

static int image_list(struct vnode *directory, u64 *cookie, struct directory_sink *sink) {
    static const u8 types[] = {DT_UNKNOWN, DT_REG, DT_DIR, DT_CHR, DT_BLK, DT_FIFO, 12, DT_LNK};
    struct erofs_entry entry;
    status_t status;
    while ((status = erofs_directory_next(&image.erofs, &image_vnode(directory)->inode, *cookie,
                                          &entry)) == EROFS_OK) {
        u32 type = entry.file_type < ARRAY_SIZE(types) ? types[entry.file_type] : DT_UNKNOWN;
        struct name name = {entry.name, entry.name_size};
        if (!sink->add(sink, name, entry.nid, type, entry.cookie)) {
            return 0;
        }
        *cookie = entry.cookie;
    }
    return status == EROFS_END ? 0 : image_error(status);
}

static i64 image_read(struct vnode *vnode, void *buffer, usize size, u64 offset) {
    return (i64)erofs_read(&image.erofs, &image_vnode(vnode)->inode, offset, buffer, size);
}

static i64 image_read_link(struct vnode *link, char *buffer, usize size) {
    return image_read(link, buffer, size, 0);
}

static int image_map(struct vnode *vnode, u64 offset, struct page_source *out) {
    out->pages = erofs_mappable_pages(&image_vnode(vnode)->inode, offset, &out->offset);
    out->memobj = image.memobj;
    return 0;
}

static int image_statfs(struct vnode *, u64 *type, u64 *free_pages) {
    *type = (u32)EROFS_MAGIC;
    *free_pages = 0;
    return 0;
}

static const struct vnode_ops image_ops = {
    .release = image_release,
    .attributes = image_attributes,
    .lookup = image_lookup,
    .list = image_list,
    .read = image_read,
    .read_link = image_read_link,
    .map = image_map,
    .statfs = image_statfs,
};

int image_mount(struct file_system *system, const void *memory, u64 size_bytes, u32 memobj,
                const char **problem) {
    image.memobj = memobj;
    int result = image_error(erofs_open(&image.erofs, memory, size_bytes));
    if (result == 0) {
        result = image_find(system, image.erofs.root_nid, &system->root);
    }
    *problem = image.erofs.problem;
    return result;
}
