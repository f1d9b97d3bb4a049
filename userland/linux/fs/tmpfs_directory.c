// Directories of tmpfs: looking up, making and removing names.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/fs/tmpfs_node.h"

int tmpfs_lookup(struct vnode *vnode, struct name name, struct vnode **out) {
    struct tmpfs_node *directory = tmpfs_node(vnode);
    struct tmpfs_node *found = NULL;
    int result = 0;
    mutex_lock(&tmpfs_lock);
    if (name.size == 2 && memcmp(name.text, "..", 2) == 0) {
        found = directory->parent ? directory->parent : directory;
        vnode_get(&found->base);
    } else {
        result = tmpfs_child_locked(directory, name, &found);
    }
    mutex_unlock(&tmpfs_lock);
    if (result == 0) {
        *out = &found->base;
    }
    return result;
}

// Puts a node under a name that must be free. Consumes the reference on success.
static int node_insert_locked(struct tmpfs_node *directory, struct name name,
                              struct tmpfs_node *node) REQUIRES(&tmpfs_lock) {
    if (tmpfs_is_removed_locked(directory)) {
        return -ENOENT;
    }
    struct tmpfs_entry *entry = tmpfs_entry_find_locked(directory, name);
    if (entry ? entry->target != NULL : tmpfs_lower_has_locked(directory, name)) {
        return -EEXIST;
    }
    entry = tmpfs_entry_reserve_locked(directory, name);
    if (!entry) {
        return -ENOSPC;
    }
    tmpfs_entry_fill_locked(directory, entry, node);
    return 0;
}

static int node_insert(struct tmpfs_node *directory, struct name name, struct tmpfs_node *node,
                       struct vnode **out) {
    mutex_lock(&tmpfs_lock);
    int result = node_insert_locked(directory, name, node);
    if (result == 0 && out) {
        *out = vnode_get(&node->base);
    }
    mutex_unlock(&tmpfs_lock);
    if (result != 0) {
        tmpfs_node_put(node);
    }
    return result;
}

int tmpfs_create(struct vnode *vnode, struct name name, const struct creation *creation,
                 struct vnode **out) {
    struct tmpfs_node *node;
    int result = tmpfs_node_create(vnode->system, creation, &node);
    return result != 0 ? result : node_insert(tmpfs_node(vnode), name, node, out);
}

int tmpfs_symlink(struct vnode *vnode, struct name name, const struct creation *creation,
                  struct name target) {
    struct tmpfs_node *node;
    int result = tmpfs_node_create(vnode->system, creation, &node);
    if (result != 0) {
        return result;
    }
    node->link = heap_alloc(target.size);
    if (!node->link) {
        tmpfs_node_put(node);
        return -ENOSPC;
    }
    memcpy(node->link, target.text, target.size);
    node->size_bytes = target.size;
    return node_insert(tmpfs_node(vnode), name, node, NULL);
}

int tmpfs_link(struct vnode *vnode, struct name name, struct vnode *target) {
    struct tmpfs_node *node = tmpfs_node(target);
    int result = -ENOENT;
    mutex_lock(&tmpfs_lock);
    if (!tmpfs_is_removed_locked(node) || node->is_linkable) {
        result = node_insert_locked(tmpfs_node(vnode), name, node);
    }
    if (result == 0) {
        node->is_linkable = false;
        vnode_get(target);
        node->nlink++;
        node->ctime_ns = time_now_ns();
        tmpfs_pin_locked(node);
    }
    mutex_unlock(&tmpfs_lock);
    return result;
}

static bool is_empty_locked(struct tmpfs_node *directory) REQUIRES(&tmpfs_lock) {
    struct tmpfs_listed listed;
    u64 cookie = 0;
    return directory->names.live == 0 && tmpfs_lower_next_locked(directory, &cookie, &listed) == 0;
}

int tmpfs_removal_check_locked(struct tmpfs_node *node, u32 flags) {
    bool is_directory = vnode_is_directory(&node->base);
    if (is_directory != (flags == UNLINK_DIRECTORY)) {
        return is_directory ? -EISDIR : -ENOTDIR;
    }
    if (vnode_is_covered(&node->base)) {
        return -EBUSY;
    }
    return !is_directory || is_empty_locked(node) ? 0 : -ENOTEMPTY;
}

// References that an operation gives up when it has given the lock back.
struct released {
    struct tmpfs_node *by_entry;
    struct tmpfs_node *by_pin;
};

static int unlink_locked(struct tmpfs_node *directory, struct name name, struct tmpfs_node *node,
                         u32 flags, struct released *released) REQUIRES(&tmpfs_lock) {
    int result = tmpfs_removal_check_locked(node, flags);
    if (result != 0) {
        return result;
    }
    struct tmpfs_entry *entry = tmpfs_entry_reserve_locked(directory, name);
    if (!entry) {
        return -ENOSPC;
    }
    released->by_entry = tmpfs_entry_clear_locked(directory, entry);
    tmpfs_name_keep_locked(node, name, 2 + (released->by_entry != NULL));
    released->by_pin = tmpfs_unlinked_locked(node);
    directory->nlink -= vnode_is_directory(&node->base);
    tmpfs_touch_locked(directory);
    return 0;
}

int tmpfs_unlink(struct vnode *vnode, struct name name, struct vnode *target, u32 flags) {
    struct tmpfs_node *directory = tmpfs_node(vnode);
    struct tmpfs_node *node = NULL;
    struct released released = {};
    mutex_lock(&tmpfs_lock);
    int result = tmpfs_child_locked(directory, name, &node);
    if (result == 0 && &node->base != target) {
        result = -EAGAIN;
    }
    if (result == 0) {
        result = unlink_locked(directory, name, node, flags, &released);
    }
    mutex_unlock(&tmpfs_lock);
    tmpfs_node_put(node);
    tmpfs_node_put(released.by_entry);
    tmpfs_node_put(released.by_pin);
    return result;
}
