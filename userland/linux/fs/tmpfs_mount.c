// Instances of tmpfs: options, limits, and their end.
#include "lib/format.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/fs/tmpfs_node.h"
#include "linux/system.h"

enum { MODE_DEFAULT = 01777 };

static struct tmpfs *tmpfs_of_system(const struct file_system *system) {
    return container_of(system, struct tmpfs, system);
}

bool tmpfs_pages_charge(struct tmpfs_node *node, u64 count) {
    struct tmpfs *tmpfs = tmpfs_of(node);
    u64 pages = __atomic_add_fetch(&tmpfs->pages, count, __ATOMIC_RELAXED);
    if (tmpfs->pages_max == 0 || pages <= tmpfs->pages_max) {
        return true;
    }
    tmpfs_pages_uncharge(node, count);
    return false;
}

void tmpfs_pages_uncharge(struct tmpfs_node *node, u64 count) {
    __atomic_fetch_sub(&tmpfs_of(node)->pages, count, __ATOMIC_RELAXED);
}

// Counts it in any case.
bool tmpfs_node_charge(struct tmpfs *tmpfs) {
    u64 nodes = __atomic_add_fetch(&tmpfs->nodes, 1, __ATOMIC_RELAXED);
    return tmpfs->nodes_max == 0 || nodes <= tmpfs->nodes_max;
}

void tmpfs_node_uncharge(struct tmpfs *tmpfs) {
    bool is_last = __atomic_sub_fetch(&tmpfs->nodes, 1, __ATOMIC_ACQ_REL) == 0;
    if (is_last && __atomic_load_n(&tmpfs->has_ended, __ATOMIC_ACQUIRE)) {
        heap_free(tmpfs);
    }
}

int tmpfs_mount(struct tmpfs *tmpfs, u32 mode) {
    struct tmpfs_node *root;
    const struct creation creation = {
        .mode = MODE_DIRECTORY | (mode & MODE_PERMISSIONS), .uid = tmpfs->uid, .gid = tmpfs->gid};
    tmpfs->system.is_tmpfs = true;
    int result = tmpfs_node_create(&tmpfs->system, &creation, &root);
    if (result == 0) {
        tmpfs->system.root = &root->base;
    }
    return result;
}

// Without a limit, what the container's memory leaves.
int tmpfs_statfs(struct vnode *vnode, struct usage *out) {
    const struct tmpfs *tmpfs = tmpfs_of_system(vnode->system);
    struct system_memory memory;
    system_memory(&memory);
    u64 pages = __atomic_load_n(&tmpfs->pages, __ATOMIC_RELAXED);
    u64 nodes = __atomic_load_n(&tmpfs->nodes, __ATOMIC_RELAXED);
    u64 free_pages = memory.free_bytes / PAGE_SIZE;
    *out = (struct usage){
        .type = vnode->system->is_tmpfs ? 0x01021994 : 0x794c7630,
        .blocks = tmpfs->pages_max ? tmpfs->pages_max : memory.total_bytes / PAGE_SIZE,
        .blocks_free =
            tmpfs->pages_max ? tmpfs->pages_max - min(pages, tmpfs->pages_max) : free_pages,
        .files = tmpfs->nodes_max ? tmpfs->nodes_max : nodes + free_pages,
    };
    out->files_free = out->files - min(nodes, out->files);
    return 0;
}

static bool number_parse(const char **at, u32 base, u64 *value) {
    const char *start = *at;
    *value = 0;
    while (**at >= '0' && **at < (char)('0' + base) && *value < 1UL << 56) {
        *value = *value * base + (u64)(*(*at)++ - '0');
    }
    return *at != start;
}

// A size: with a suffix, or in percent of the memory.
static bool size_parse(const char **at, u64 *value) {
    struct system_memory memory;
    if (!number_parse(at, 10, value)) {
        return false;
    }
    switch (**at | 0x20) {
    case 'k': *value <<= 10; break;
    case 'm': *value <<= 20; break;
    case 'g': *value <<= 30; break;
    default:
        if (**at != '%') {
            return true;
        }
        system_memory(&memory);
        *value = memory.total_bytes / 100 * *value;
        break;
    }
    ++*at;
    return true;
}

static bool option_is(const char **at, const char *name) {
    usize size = strlen(name);
    if (strncmp(*at, name, size) != 0) {
        return false;
    }
    *at += size;
    return true;
}

static bool option_parse(const char **at, struct tmpfs *tmpfs) {
    u64 value;
    bool is_valid;
    if (option_is(at, "size=")) {
        is_valid = size_parse(at, &value);
        tmpfs->pages_max = (value + PAGE_MASK) / PAGE_SIZE;
    } else if (option_is(at, "nr_blocks=")) {
        is_valid = size_parse(at, &tmpfs->pages_max);
    } else if (option_is(at, "nr_inodes=")) {
        is_valid = size_parse(at, &tmpfs->nodes_max);
    } else if (option_is(at, "mode=")) {
        is_valid = number_parse(at, 8, &value);
        tmpfs->mode = (u32)value & MODE_PERMISSIONS;
    } else if (option_is(at, "uid=")) {
        is_valid = number_parse(at, 10, &value);
        tmpfs->uid = (u32)value;
    } else if (option_is(at, "gid=")) {
        is_valid = number_parse(at, 10, &value);
        tmpfs->gid = (u32)value;
    } else {
        is_valid = option_is(at, "inode64");
    }
    return is_valid && (**at == ',' || **at == 0);
}

static int options_parse(const char *options, struct tmpfs *tmpfs) {
    while (*options) {
        if (*options == ',') {
            options++;
        } else if (!option_parse(&options, tmpfs)) {
            return -EINVAL;
        }
    }
    return 0;
}

int tmpfs_make(const char *options, u32 device, struct file_system **out) {
    struct tmpfs *tmpfs = heap_alloc_zero(sizeof(*tmpfs));
    if (!tmpfs) {
        return -ENOMEM;
    }
    tmpfs->system.name = "tmpfs";
    tmpfs->system.device = device;
    tmpfs->mode = MODE_DEFAULT;
    int result = options_parse(options, tmpfs);
    if (result == 0) {
        result = tmpfs_mount(tmpfs, tmpfs->mode);
    }
    if (result != 0) {
        heap_free(tmpfs);
        return result;
    }
    *out = &tmpfs->system;
    return 0;
}

int tmpfs_remount(struct file_system *system, const char *options) {
    struct tmpfs *tmpfs = tmpfs_of_system(system);
    struct tmpfs changed = *tmpfs;
    int result = options_parse(options, &changed);
    if (result != 0) {
        return result;
    }
    if ((changed.pages_max && changed.pages_max < tmpfs->pages) ||
        (changed.nodes_max && changed.nodes_max < tmpfs->nodes)) {
        return -EINVAL;
    }
    tmpfs->pages_max = changed.pages_max;
    tmpfs->nodes_max = changed.nodes_max;
    return 0;
}

void tmpfs_options(const struct file_system *system, char *buffer, usize size) {
    const struct tmpfs *tmpfs = tmpfs_of_system(system);
    usize length = 0;
    buffer[0] = 0;
    if (tmpfs->pages_max) {
        length += format_text(buffer + length, size - length, ",size=%luk",
                              tmpfs->pages_max * (PAGE_SIZE / 1024));
    }
    if (tmpfs->nodes_max) {
        length += format_text(buffer + length, size - length, ",nr_inodes=%lu", tmpfs->nodes_max);
    }
    if (tmpfs->mode && tmpfs->mode != MODE_DEFAULT) {
        length += format_text(buffer + length, size - length, ",mode=%o", tmpfs->mode);
    }
    if (tmpfs->uid) {
        length += format_text(buffer + length, size - length, ",uid=%u", tmpfs->uid);
    }
    if (tmpfs->gid) {
        format_text(buffer + length, size - length, ",gid=%u", tmpfs->gid);
    }
}

// Takes one name that has nothing below it out of the tree. NULL: the root has none left.
static struct tmpfs_node *leaf_take_locked(struct tmpfs_node *root, struct tmpfs_node **pinned)
    REQUIRES(&tmpfs_lock) {
    struct tmpfs_node *directory = root;
    struct tmpfs_entry *entry = NULL;
    for (;;) {
        struct tmpfs_entry *next = list_first(&directory->names.entries, struct tmpfs_entry, node);
        if (!next) {
            break;
        }
        entry = next;
        if (!vnode_is_directory(&entry->target->base) ||
            list_is_empty(&entry->target->names.entries)) {
            break;
        }
        directory = entry->target;
    }
    if (!entry) {
        return NULL;
    }
    struct tmpfs_node *leaf = tmpfs_entry_clear_locked(directory, entry);
    *pinned = tmpfs_unlinked_locked(leaf);
    return leaf;
}

void tmpfs_end(struct file_system *system) {
    struct tmpfs *tmpfs = tmpfs_of_system(system);
    struct tmpfs_node *root = tmpfs_node(system->root);
    struct tmpfs_node *leaf;
    do {
        struct tmpfs_node *pinned = NULL;
        mutex_lock(&tmpfs_lock);
        leaf = leaf_take_locked(root, &pinned);
        mutex_unlock(&tmpfs_lock);
        tmpfs_node_put(leaf);
        tmpfs_node_put(pinned);
    } while (leaf);
    mutex_lock(&tmpfs_lock);
    root->nlink = 0; // nothing is made in it any more
    mutex_unlock(&tmpfs_lock);
    __atomic_store_n(&tmpfs->has_ended, 1, __ATOMIC_RELEASE);
    tmpfs_node_put(root);
}
