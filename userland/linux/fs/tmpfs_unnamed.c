// Files of tmpfs without a name, and what a file's name is.
#include "lib/format.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/fs/tmpfs_node.h"

enum { NAME_TEXT_BYTES = 24 };

// `name` is what it is shown as; NULL: its number.
static int unnamed_make(struct vnode *directory, const struct creation *creation, const char *name,
                        struct tmpfs_node **out) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct tmpfs_node *node;
    usize size = name ? strlen(name) + 1 : NAME_TEXT_BYTES;
    int result = tmpfs_node_create(directory->system, creation, &node);
    if (result != 0) {
        return result;
    }
    node->nlink = 0;
    node->parent = tmpfs_node(vnode_get(directory));
    node->removed_name = heap_alloc(size);
    if (node->removed_name && name) {
        memcpy(node->removed_name, name, size);
    } else if (node->removed_name) {
        format_text(node->removed_name, size, "#%lu", node->base.ino);
    }
    *out = node;
    return 0;
}

int tmpfs_make_unnamed(struct vnode *directory, const struct creation *creation, u32 flags,
                       struct vnode **out) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct tmpfs_node *node;
    int result = unnamed_make(directory, creation, NULL, &node);
    if (result == 0) {
        node->is_linkable = flags == UNNAMED_LINKABLE;
        *out = &node->base;
    }
    return result;
}

// One file system for all of them, mounted nowhere; made for the first.
int tmpfs_make_memory(const char *name, const struct creation *creation, struct vnode **out) {
    static struct mutex lock;
    static struct tmpfs memory_files = {.system = {.name = "tmpfs", .device = 17}};
    struct tmpfs_node *node;
    mutex_lock(&lock);
    int result = memory_files.system.root ? 0 : tmpfs_mount(&memory_files, 0);
    mutex_unlock(&lock);
    if (result == 0) {
        result = unnamed_make(memory_files.system.root, creation, name, &node);
    }
    if (result == 0) {
        *out = &node->base;
    }
    return result;
}

// Without memory for it, the name is not known.
void tmpfs_name_keep_locked(struct tmpfs_node *node, struct name name, u32 references) {
    bool is_last = node->nlink == 1 || vnode_is_directory(&node->base);
    u32 others = __atomic_load_n(&node->base.references, __ATOMIC_RELAXED) - node->is_pinned;
    if (!is_last || others <= references) {
        return;
    }
    heap_free(node->removed_name);
    node->removed_name = heap_alloc(name.size + 1);
    if (node->removed_name) {
        memcpy(node->removed_name, name.text, name.size);
        node->removed_name[name.size] = 0;
    }
}

static bool name_is_own_locked(struct tmpfs_node *directory, const struct tmpfs_node *node,
                               char *name, u32 *size) REQUIRES(&tmpfs_lock) {
    struct tmpfs_entry *entry;
    list_for_each(entry, &directory->names.entries, node) {
        if (entry->target == node) {
            memcpy(name, entry->name, entry->name_size);
            *size = entry->name_size;
            return true;
        }
    }
    return false;
}

static bool name_is_lower_locked(struct tmpfs_node *directory, const struct tmpfs_node *node,
                                 char *name, u32 *size) REQUIRES(&tmpfs_lock) {
    struct tmpfs_listed listed;
    u64 cookie = 0;
    while (tmpfs_lower_next_locked(directory, &cookie, &listed) > 0) {
        if (listed.ino == node->base.ino) {
            memcpy(name, listed.name.text, listed.name.size);
            *size = listed.name.size;
            return true;
        }
    }
    return false;
}

int tmpfs_name(struct vnode *vnode, struct vnode **directory, char *name, u32 *size) {
    struct tmpfs_node *node = tmpfs_node(vnode);
    int result = 0;
    mutex_lock(&tmpfs_lock);
    if (!node->parent) {
        result = -ENOENT;
    } else if (node->removed_name && tmpfs_is_removed_locked(node)) {
        *size = (u32)strlen(node->removed_name);
        memcpy(name, node->removed_name, *size);
        result = VNODE_REMOVED;
    } else if (!name_is_own_locked(node->parent, node, name, size) &&
               !name_is_lower_locked(node->parent, node, name, size)) {
        result = -ENOENT;
    }
    if (result >= 0) {
        *directory = vnode_get(&node->parent->base);
    }
    mutex_unlock(&tmpfs_lock);
    return result;
}
