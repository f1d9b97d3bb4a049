// Directories of tmpfs: a list of entries in order of creation.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/fs/tmpfs_node.h"

static struct tmpfs_entry *entry_find_locked(struct tmpfs_node *directory, struct name name)
    REQUIRES(&tmpfs_lock) {
    struct tmpfs_entry *entry;
    list_for_each(entry, &directory->directory.entries, node) {
        if (entry->name_size == name.size && memcmp(entry->name, name.text, name.size) == 0) {
            return entry;
        }
    }
    return NULL;
}

static struct tmpfs_entry *entry_alloc(struct name name, struct tmpfs_node *target) {
    struct tmpfs_entry *entry = heap_alloc(sizeof(*entry) + name.size);
    if (entry) {
        entry->target = target;
        entry->name_size = name.size;
        memcpy(entry->name, name.text, name.size);
    }
    return entry;
}

// A directory that was removed takes no more entries.
static bool directory_is_removed_locked(const struct tmpfs_node *directory) REQUIRES(&tmpfs_lock) {
    return directory->nlink == 0;
}

// Consumes the entry, whose target reference becomes the directory's.
static void entry_insert_locked(struct tmpfs_node *directory, struct tmpfs_entry *entry)
    REQUIRES(&tmpfs_lock) {
    entry->id = ++directory->directory.next_id;
    list_insert_tail(&directory->directory.entries, &entry->node);
    if (vnode_is_directory(&entry->target->base)) {
        entry->target->directory.parent = directory;
        directory->nlink++;
    }
    tmpfs_touch_locked(directory);
}

// The entry's reference becomes the caller's.
static struct tmpfs_node *entry_remove_locked(struct tmpfs_node *directory,
                                              struct tmpfs_entry *entry) REQUIRES(&tmpfs_lock) {
    struct tmpfs_node *target = entry->target;
    list_remove(&entry->node);
    heap_free(entry);
    if (vnode_is_directory(&target->base)) {
        directory->nlink--;
    }
    tmpfs_touch_locked(directory);
    return target;
}

// One name less. A directory without its name has no links at all, and is its own parent: the
// former one may go first.
static void node_unlinked_locked(struct tmpfs_node *node) REQUIRES(&tmpfs_lock) {
    if (vnode_is_directory(&node->base)) {
        node->nlink = 0;
        node->directory.parent = node;
    } else {
        node->nlink--;
    }
    node->ctime_ns = time_now_ns();
}

int tmpfs_lookup(struct vnode *vnode, struct name name, struct vnode **out) {
    struct tmpfs_node *directory = tmpfs_node(vnode);
    struct tmpfs_node *found = NULL;
    mutex_lock(&tmpfs_lock);
    if (name.size == 2 && memcmp(name.text, "..", 2) == 0) {
        found = directory->directory.parent;
    } else {
        struct tmpfs_entry *entry = entry_find_locked(directory, name);
        found = entry ? entry->target : NULL;
    }
    if (found) {
        *out = vnode_get(&found->base);
    }
    mutex_unlock(&tmpfs_lock);
    return found ? 0 : -ENOENT;
}

// Inserts a new node under a name that must be free. Consumes the node's reference, but gives one
// through `out` where that is not NULL.
static int node_insert(struct tmpfs_node *directory, struct name name, struct tmpfs_node *node,
                       struct vnode **out) {
    struct tmpfs_entry *entry = entry_alloc(name, node);
    int result = entry ? 0 : -ENOMEM;
    if (result == 0) {
        mutex_lock(&tmpfs_lock);
        if (directory_is_removed_locked(directory)) {
            result = -ENOENT;
        } else if (entry_find_locked(directory, name)) {
            result = -EEXIST;
        } else {
            entry_insert_locked(directory, entry);
            if (out) {
                *out = vnode_get(&node->base);
            }
        }
        mutex_unlock(&tmpfs_lock);
    }
    if (result != 0) {
        heap_free(entry);
        vnode_put(&node->base);
    }
    return result;
}

int tmpfs_create(struct vnode *vnode, struct name name, u32 mode, u64 device, struct vnode **out) {
    struct tmpfs_node *node;
    int result = tmpfs_node_create(vnode->system, mode, &node);
    if (result != 0) {
        return result;
    }
    node->device = device;
    return node_insert(tmpfs_node(vnode), name, node, out);
}

int tmpfs_symlink(struct vnode *vnode, struct name name, struct name target) {
    struct tmpfs_node *node;
    int result = tmpfs_node_create(vnode->system, MODE_LINK | 0777, &node);
    if (result != 0) {
        return result;
    }
    node->link = heap_alloc(target.size);
    if (!node->link) {
        vnode_put(&node->base);
        return -ENOMEM;
    }
    memcpy(node->link, target.text, target.size);
    node->size_bytes = target.size;
    return node_insert(tmpfs_node(vnode), name, node, NULL);
}

int tmpfs_link(struct vnode *vnode, struct name name, struct vnode *target) {
    struct tmpfs_node *node = tmpfs_node(target);
    struct tmpfs_node *directory = tmpfs_node(vnode);
    struct tmpfs_entry *entry = entry_alloc(name, node);
    if (!entry) {
        return -ENOMEM;
    }
    int result = 0;
    mutex_lock(&tmpfs_lock);
    if (directory_is_removed_locked(directory) || node->nlink == 0) {
        result = -ENOENT;
    } else if (entry_find_locked(directory, name)) {
        result = -EEXIST;
    } else {
        vnode_get(target);
        node->nlink++;
        node->ctime_ns = time_now_ns();
        entry_insert_locked(directory, entry);
    }
    mutex_unlock(&tmpfs_lock);
    if (result != 0) {
        heap_free(entry);
    }
    return result;
}

// Whether `node` may be taken away as what the flags say.
static int removal_check_locked(const struct tmpfs_node *node, u32 flags) REQUIRES(&tmpfs_lock) {
    if (!vnode_is_directory(&node->base)) {
        return flags & UNLINK_DIRECTORY ? -ENOTDIR : 0;
    }
    if (!(flags & UNLINK_DIRECTORY)) {
        return -EISDIR;
    }
    if (node->base.mounted) {
        return -EBUSY;
    }
    return list_is_empty(&node->directory.entries) ? 0 : -ENOTEMPTY;
}

int tmpfs_unlink(struct vnode *vnode, struct name name, u32 flags) {
    struct tmpfs_node *directory = tmpfs_node(vnode);
    struct tmpfs_node *removed = NULL;
    mutex_lock(&tmpfs_lock);
    struct tmpfs_entry *entry = entry_find_locked(directory, name);
    int result = entry ? removal_check_locked(entry->target, flags) : -ENOENT;
    if (result == 0) {
        removed = entry_remove_locked(directory, entry);
        node_unlinked_locked(removed);
    }
    mutex_unlock(&tmpfs_lock);
    if (removed) {
        vnode_put(&removed->base);
    }
    return result;
}

static bool is_below_locked(const struct tmpfs_node *node, const struct tmpfs_node *ancestor)
    REQUIRES(&tmpfs_lock) {
    while (node != ancestor && node->directory.parent != node) {
        node = node->directory.parent;
    }
    return node == ancestor;
}

// Whether the entry may take the place of `old` (NULL: a free name) in `new_directory`.
static int rename_check_locked(const struct tmpfs_entry *entry, const struct tmpfs_entry *old,
                               const struct tmpfs_node *new_directory, u32 flags)
    REQUIRES(&tmpfs_lock) {
    bool is_directory = vnode_is_directory(&entry->target->base);
    if (is_directory && is_below_locked(new_directory, entry->target)) {
        return -EINVAL;
    }
    if (directory_is_removed_locked(new_directory)) {
        return -ENOENT;
    }
    if (!old) {
        return 0;
    }
    if (flags & RENAME_NOREPLACE) {
        return -EEXIST;
    }
    return removal_check_locked(old->target, is_directory ? UNLINK_DIRECTORY : UNLINK_FILE);
}

// `fresh` is the entry for the new name, without a target yet. Returns 1 when it was not needed.
static int rename_locked(struct tmpfs_node *directory, struct name name,
                         struct tmpfs_node *new_directory, struct tmpfs_entry *fresh, u32 flags,
                         struct tmpfs_node **replaced) REQUIRES(&tmpfs_lock) {
    struct tmpfs_entry *entry = entry_find_locked(directory, name);
    struct name new_name = {fresh->name, fresh->name_size};
    struct tmpfs_entry *old = entry_find_locked(new_directory, new_name);
    if (!entry) {
        return -ENOENT;
    }
    if (old && old->target == entry->target && !(flags & RENAME_NOREPLACE)) {
        return 1;
    }
    int result = rename_check_locked(entry, old, new_directory, flags);
    if (result != 0) {
        return result;
    }
    if (old) {
        *replaced = entry_remove_locked(new_directory, old);
        node_unlinked_locked(*replaced);
    }
    fresh->target = entry_remove_locked(directory, entry);
    fresh->target->ctime_ns = time_now_ns();
    entry_insert_locked(new_directory, fresh);
    return 0;
}

int tmpfs_rename(struct vnode *vnode, struct name name, struct vnode *new_vnode,
                 struct name new_name, u32 flags) {
    struct tmpfs_node *replaced = NULL;
    if (flags & ~(u32)RENAME_NOREPLACE) {
        return -EINVAL;
    }
    struct tmpfs_entry *fresh = entry_alloc(new_name, NULL);
    if (!fresh) {
        return -ENOMEM;
    }
    mutex_lock(&tmpfs_lock);
    int result =
        rename_locked(tmpfs_node(vnode), name, tmpfs_node(new_vnode), fresh, flags, &replaced);
    mutex_unlock(&tmpfs_lock);
    if (result != 0) {
        heap_free(fresh);
    }
    if (replaced) {
        vnode_put(&replaced->base);
    }
    return result < 0 ? result : 0;
}

// Cookies: 0 before ".", 1 before "..", then 2 + the id after which to go on.
int tmpfs_list(struct vnode *vnode, u64 *cookie, struct directory_sink *sink) {
    struct tmpfs_node *directory = tmpfs_node(vnode);
    struct tmpfs_entry *entry;
    mutex_lock(&tmpfs_lock);
    if (*cookie == 0 && sink->add(sink, (struct name){".", 1}, vnode->ino, DT_DIR, 1)) {
        *cookie = 1;
    }
    if (*cookie == 1 &&
        sink->add(sink, (struct name){"..", 2}, directory->directory.parent->base.ino, DT_DIR, 2)) {
        *cookie = 2;
    }
    if (*cookie >= 2) {
        list_for_each(entry, &directory->directory.entries, node) {
            struct vnode *target = &entry->target->base;
            if (entry->id <= *cookie - 2) {
                continue;
            }
            if (!sink->add(sink, (struct name){entry->name, entry->name_size}, target->ino,
                           target->type >> 12, entry->id + 2)) {
                break;
            }
            *cookie = entry->id + 2;
        }
    }
    mutex_unlock(&tmpfs_lock);
    return 0;
}
