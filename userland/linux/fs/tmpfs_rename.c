// Renaming in tmpfs. One lock covers the whole tree, so that nothing moves meanwhile. What can fail
// comes first: both entries are reserved before anything changes.
#include "linux/abi.h"
#include "linux/fs/tmpfs_node.h"

// One name: where it is, what it leads to (counted; NULL: nothing), and its entry, when reserved.
struct side {
    struct tmpfs_node *directory;
    struct name name;
    const struct vnode *expected;
    struct tmpfs_node *node;
    struct tmpfs_entry *entry;
};

struct rename {
    struct side from;
    struct side to;
    // References to give up when the lock was given back: two parents, a target and its pin.
    struct tmpfs_node *released[4];
    u32 released_count;
};

static void release_later(struct rename *rename, struct tmpfs_node *node) {
    if (node) {
        rename->released[rename->released_count++] = node;
    }
}

static bool is_below_locked(const struct tmpfs_node *node, const struct tmpfs_node *ancestor)
    REQUIRES(&tmpfs_lock) {
    while (node && node != ancestor) {
        node = node->parent;
    }
    return node != NULL;
}

static bool side_is_directory(const struct side *side) {
    return side->node && vnode_is_directory(&side->node->base);
}

// A directory can't come below itself.
static bool is_trapped_locked(const struct side *side, const struct tmpfs_node *directory)
    REQUIRES(&tmpfs_lock) {
    return side_is_directory(side) && is_below_locked(directory, side->node);
}

static int exchange_check_locked(const struct rename *rename) REQUIRES(&tmpfs_lock) {
    if (is_trapped_locked(&rename->from, rename->to.directory) ||
        is_trapped_locked(&rename->to, rename->from.directory)) {
        return -EINVAL;
    }
    bool is_covered =
        vnode_is_covered(&rename->from.node->base) || vnode_is_covered(&rename->to.node->base);
    return is_covered ? -EBUSY : 0;
}

static int rename_check_locked(const struct rename *rename) REQUIRES(&tmpfs_lock) {
    const struct side *from = &rename->from;
    const struct side *to = &rename->to;
    if (is_trapped_locked(from, to->directory)) {
        return -EINVAL;
    }
    if (is_trapped_locked(to, from->directory)) {
        return -ENOTEMPTY;
    }
    int result = 0;
    if (to->node) {
        u32 flags = side_is_directory(from) ? UNLINK_DIRECTORY : UNLINK_FILE;
        result = tmpfs_removal_check_locked(to->node, flags);
    }
    return vnode_is_covered(&from->node->base) ? -EBUSY : result;
}

// What the side leads to now; -EAGAIN when that is not what was looked at.
static int side_find_locked(struct side *side) REQUIRES(&tmpfs_lock) {
    int result = tmpfs_child_locked(side->directory, side->name, &side->node);
    if (result != 0 && result != -ENOENT) {
        return result;
    }
    return (side->node ? &side->node->base : NULL) == side->expected ? 0 : -EAGAIN;
}

// 1: nothing is to be done, as both are the same node.
static int rename_find_locked(struct rename *rename, u32 flags) REQUIRES(&tmpfs_lock) {
    struct side *from = &rename->from;
    struct side *to = &rename->to;
    int result = side_find_locked(from);
    if (result == 0) {
        result = side_find_locked(to);
    }
    if (result != 0) {
        return result;
    }
    if (!from->node || (!to->node && (flags & RENAME_EXCHANGE))) {
        return -ENOENT;
    }
    if (to->node && (flags & RENAME_NOREPLACE)) {
        return -EEXIST;
    }
    if (tmpfs_is_removed_locked(to->directory)) {
        return -ENOENT;
    }
    if (from->node == to->node) {
        return 1;
    }
    return flags & RENAME_EXCHANGE ? exchange_check_locked(rename) : rename_check_locked(rename);
}

static int rename_reserve_locked(struct rename *rename) REQUIRES(&tmpfs_lock) {
    struct side *from = &rename->from;
    struct side *to = &rename->to;
    from->entry = tmpfs_entry_reserve_locked(from->directory, from->name);
    to->entry = from->entry ? tmpfs_entry_reserve_locked(to->directory, to->name) : NULL;
    if (!to->entry && from->entry) {
        tmpfs_entry_abandon_locked(from->directory, from->entry);
    }
    return to->entry ? 0 : -ENOSPC;
}

// Takes a side's node off its name, with a reference for its next one.
static void side_detach_locked(struct rename *rename, struct side *side) REQUIRES(&tmpfs_lock) {
    if (!tmpfs_entry_take_locked(side->directory, side->entry)) {
        vnode_get(&side->node->base); // it had the image's name only
    }
    side->directory->nlink -= side_is_directory(side);
    release_later(rename, side->node->parent);
    side->node->parent = NULL;
}

static void side_attach_locked(struct side *side, struct tmpfs_node *node) REQUIRES(&tmpfs_lock) {
    tmpfs_entry_fill_locked(side->directory, side->entry, node);
    node->ctime_ns = time_now_ns();
    tmpfs_pin_locked(node);
}

static void replaced_remove_locked(struct rename *rename) REQUIRES(&tmpfs_lock) {
    struct side *to = &rename->to;
    struct tmpfs_node *named = tmpfs_entry_take_locked(to->directory, to->entry);
    tmpfs_name_keep_locked(to->node, to->name, 2 + (named != NULL));
    release_later(rename, named);
    release_later(rename, tmpfs_unlinked_locked(to->node));
    to->directory->nlink -= side_is_directory(to);
}

static void rename_commit_locked(struct rename *rename, u32 flags) REQUIRES(&tmpfs_lock) {
    struct side *from = &rename->from;
    struct side *to = &rename->to;
    side_detach_locked(rename, from);
    if (flags & RENAME_EXCHANGE) {
        side_detach_locked(rename, to);
        side_attach_locked(from, to->node);
    } else {
        if (to->node) {
            replaced_remove_locked(rename);
        }
        tmpfs_entry_clear_locked(from->directory, from->entry);
        tmpfs_touch_locked(from->directory);
    }
    side_attach_locked(to, from->node);
}

static int rename_locked(struct rename *rename, u32 flags) REQUIRES(&tmpfs_lock) {
    int result = rename_find_locked(rename, flags);
    if (result == 0) {
        result = rename_reserve_locked(rename);
        if (result == 0) {
            rename_commit_locked(rename, flags);
        }
    }
    return result < 0 ? result : 0;
}

int tmpfs_rename(const struct rename_side *from, const struct rename_side *to, u32 flags) {
    struct rename rename = {
        .from = {tmpfs_node(from->directory), from->name, from->target, NULL, NULL},
        .to = {tmpfs_node(to->directory), to->name, to->target, NULL, NULL},
    };
    mutex_lock(&tmpfs_lock);
    int result = rename_locked(&rename, flags);
    mutex_unlock(&tmpfs_lock);
    for (u32 i = 0; i < rename.released_count; i++) {
        tmpfs_node_put(rename.released[i]);
    }
    tmpfs_node_put(rename.from.node);
    tmpfs_node_put(rename.to.node);
    return result;
}
