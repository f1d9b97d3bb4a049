// The image below a tmpfs: nodes for its inodes, its names, its bytes. One inode is one node while
// that is alive: a table by inode number finds it. A node whose count has reached 0 is no longer
// given out, though it is in the table until its release takes the lock.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/fs/tmpfs.h"
#include "linux/fs/tmpfs_node.h"

enum { LOWER_BUCKETS = 128 };

struct lower_node {
    struct tmpfs_node node;
    struct erofs_inode inode;
};

static struct {
    struct erofs erofs;
    u32 memobj;
    struct tmpfs_node *buckets[LOWER_BUCKETS] GUARDED_BY(&tmpfs_lock);
} lower;

static int lower_error(status_t status) {
    switch (status) {
    case EROFS_OK: return 0;
    case EROFS_NOT_FOUND: return -ENOENT;
    case EROFS_NOT_DIRECTORY: return -ENOTDIR;
    default: return -EIO;
    }
}

static void node_fill(struct tmpfs_node *node, const struct erofs_inode *inode)
    REQUIRES(&tmpfs_lock) {
    node->lower = inode;
    node->mode = inode->mode;
    node->nlink = inode->nlink;
    node->uid = inode->uid;
    node->gid = inode->gid;
    node->device = device_number(inode->device_major, inode->device_minor);
    node->size_bytes = inode->size_bytes;
    node->atime_ns = node->mtime_ns = node->ctime_ns =
        inode->mtime_s * 1000000000 + inode->mtime_ns;
    if (vnode_is_directory(&node->base)) {
        list_init(&node->names.entries);
    } else if (node->base.type == MODE_REGULAR) {
        node->data.base_size = inode->size_bytes;
        node->data.count = page_round_up(inode->size_bytes) / PAGE_SIZE;
    }
}

// `parent` is NULL for the root, else the directory that the inode was found in.
static int node_make_locked(struct file_system *system, struct tmpfs_node *parent, u64 nid,
                            struct tmpfs_node **out) REQUIRES(&tmpfs_lock) {
    // Nodes of the image are not limited, but counted as any.
    struct lower_node *made = heap_alloc_zero(sizeof(*made));
    if (!made) {
        return -ENOMEM;
    }
    int result = lower_error(erofs_inode_read(&lower.erofs, nid, &made->inode));
    if (result != 0) {
        heap_free(made);
        return result;
    }
    struct tmpfs_node *node = &made->node;
    tmpfs_node_charge(container_of(system, struct tmpfs, system));
    vnode_init(&node->base, &tmpfs_ops, system, made->inode.mode, nid);
    node_fill(node, &made->inode);
    if (parent) {
        node->parent = parent;
        vnode_get(&parent->base);
    }
    node->chain = lower.buckets[nid % LOWER_BUCKETS];
    lower.buckets[nid % LOWER_BUCKETS] = node;
    *out = node;
    return 0;
}

// In a damaged image a directory may have a name in two directories, below itself even: -EIO.
static int node_find_locked(struct tmpfs_node *directory, u64 nid, struct tmpfs_node **out)
    REQUIRES(&tmpfs_lock) {
    struct tmpfs_node *node = lower.buckets[nid % LOWER_BUCKETS];
    for (; node; node = node->chain) {
        if (node->base.ino != nid) {
            continue;
        }
        if (vnode_is_directory(&node->base) && node->parent != directory) {
            return -EIO;
        }
        if (vnode_get_unless_zero(&node->base)) {
            *out = node;
            return 0;
        }
    }
    return -ENOENT;
}

void tmpfs_lower_forget_locked(struct tmpfs_node *node) {
    struct tmpfs_node **link = &lower.buckets[node->base.ino % LOWER_BUCKETS];
    while (*link != node) {
        link = &(*link)->chain;
    }
    *link = node->chain;
}

int tmpfs_lower_child_locked(struct tmpfs_node *directory, struct name name,
                             struct tmpfs_node **out) {
    struct erofs_entry entry;
    status_t status = erofs_lookup(&lower.erofs, directory->lower, name.text, name.size, &entry);
    if (status != EROFS_OK) {
        return lower_error(status);
    }
    int result = node_find_locked(directory, entry.nid, out);
    return result == -ENOENT ? node_make_locked(directory->base.system, directory, entry.nid, out)
                             : result;
}

bool tmpfs_lower_has_locked(struct tmpfs_node *directory, struct name name) {
    struct erofs_entry entry;
    return directory->lower &&
           erofs_lookup(&lower.erofs, directory->lower, name.text, name.size, &entry) == EROFS_OK;
}

u64 tmpfs_lower_count(const struct tmpfs_node *directory) {
    return directory->lower ? erofs_directory_count(&lower.erofs, directory->lower) : 0;
}

static bool is_dots(const struct erofs_entry *entry) {
    return entry->name[0] == '.' &&
           (entry->name_size == 1 || (entry->name_size == 2 && entry->name[1] == '.'));
}

static u32 entry_type(u32 file_type) {
    static const u8 types[] = {DT_UNKNOWN, DT_REG,  DT_DIR,  DT_CHR,
                               DT_BLK,     DT_FIFO, DT_SOCK, DT_LNK};
    return file_type < ARRAY_SIZE(types) ? types[file_type] : DT_UNKNOWN;
}

int tmpfs_lower_next_locked(struct tmpfs_node *directory, u64 *cookie, struct tmpfs_listed *out) {
    struct erofs_entry entry;
    status_t status = EROFS_END;
    while (directory->lower && (status = erofs_directory_next(&lower.erofs, directory->lower,
                                                              *cookie, &entry)) == EROFS_OK) {
        *cookie = entry.cookie;
        *out = (struct tmpfs_listed){
            {entry.name, entry.name_size}, entry.nid, entry_type(entry.file_type)};
        if (is_dots(&entry)) {
            continue;
        }
        const struct tmpfs_entry *own = tmpfs_entry_find_locked(directory, out->name);
        if (!own) {
            return 1;
        }
        if (own->target) {
            out->ino = own->target->base.ino;
            out->type = own->target->base.type >> 12;
            return 1;
        }
    }
    return status == EROFS_END ? 0 : lower_error(status);
}

void tmpfs_lower_read(const struct tmpfs_node *node, void *buffer, usize size, u64 offset) {
    u64 count = erofs_read(&lower.erofs, node->lower, offset, buffer, size);
    memset((u8 *)buffer + count, 0, size - count);
}

void tmpfs_lower_map(const struct tmpfs_node *node, u64 offset, struct page_source *out) {
    out->pages = erofs_mappable_pages(node->lower, offset, &out->offset);
    out->memobj = lower.memobj;
}

int tmpfs_mount_image(struct tmpfs *tmpfs, const void *memory, u64 size_bytes, u32 memobj,
                      const char **problem) {
    struct tmpfs_node *root;
    lower.memobj = memobj;
    int result = lower_error(erofs_open(&lower.erofs, memory, size_bytes));
    if (result == 0) {
        tmpfs_inos_reserve(size_bytes / EROFS_INODE_UNIT);
        mutex_lock(&tmpfs_lock);
        result = node_make_locked(&tmpfs->system, NULL, lower.erofs.root_nid, &root);
        mutex_unlock(&tmpfs_lock);
    }
    if (result == 0) {
        tmpfs->system.root = &root->base;
    }
    *problem = lower.erofs.problem;
    return result;
}
