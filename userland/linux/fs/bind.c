// Bound trees: a directory has a vnode of its own here, which knows its parent on this side and leads
// to the directory behind it; files are those behind. So ".." leads to where the tree is mounted, and
// a file is one vnode however it was found. A directory that is looked up twice is two vnodes: nothing
// can be mounted on them.
#include "linux/fs/bind.h"

#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"

struct bind_mount {
    struct mount mount;
    struct file_system system;
    u32 references; // of its vnodes, and of the mount; atomic
};

struct bind_node {
    struct vnode base;
    struct vnode *behind;     // counted
    struct bind_node *parent; // counted; the root has none
};

static const struct vnode_ops bind_ops;

static struct bind_node *bind_node(struct vnode *vnode) {
    return container_of(vnode, struct bind_node, base);
}

struct vnode *bind_behind(struct vnode *vnode) {
    return vnode && vnode->ops == &bind_ops ? bind_node(vnode)->behind : vnode;
}

static void bind_put(struct file_system *system) {
    struct bind_mount *bind = container_of(system, struct bind_mount, system);
    if (__atomic_fetch_sub(&bind->references, 1, __ATOMIC_ACQ_REL) == 1) {
        heap_free(bind);
    }
}

// Consumes the reference to what is behind.
static int node_make(struct file_system *system, struct bind_node *parent, struct vnode *behind,
                     struct vnode **out) {
    struct bind_node *node = heap_alloc(sizeof(*node));
    if (!node) {
        vnode_put(behind);
        return -ENOMEM;
    }
    vnode_init(&node->base, &bind_ops, system, MODE_DIRECTORY, behind->ino);
    node->behind = behind;
    node->parent = parent;
    if (parent) {
        vnode_get(&parent->base);
    }
    __atomic_fetch_add(&container_of(system, struct bind_mount, system)->references, 1,
                       __ATOMIC_RELAXED);
    *out = &node->base;
    return 0;
}

// One that was the last to hold its parent goes on with that.
static void bind_release(struct vnode *vnode) {
    while (vnode) {
        struct bind_node *node = bind_node(vnode);
        struct vnode *parent = node->parent ? &node->parent->base : NULL;
        struct file_system *system = vnode->system;
        vnode_put(node->behind);
        heap_free(node);
        bind_put(system);
        vnode = parent && vnode_put_is_last(parent) ? parent : NULL;
    }
}

static int bind_attributes(struct vnode *vnode, struct attributes *out) {
    return vnode_attributes(bind_behind(vnode), out);
}

static int bind_set_attributes(struct vnode *vnode, const struct attributes *values, u32 which) {
    return vnode_set_attributes(bind_behind(vnode), values, which);
}

// Gives what was found behind a directory: a directory as one of the bound tree.
static int found_give(struct bind_node *directory, struct vnode *found, struct vnode **out) {
    if (vnode_is_directory(found)) {
        return node_make(directory->base.system, directory, found, out);
    }
    *out = found;
    return 0;
}

static int bind_lookup(struct vnode *vnode, struct name name, struct vnode **out) {
    struct bind_node *directory = bind_node(vnode);
    struct vnode *found;
    if (name.size == 2 && memcmp(name.text, "..", 2) == 0) {
        *out = vnode_get(directory->parent ? &directory->parent->base : vnode);
        return 0;
    }
    int result = directory->behind->ops->lookup(directory->behind, name, &found);
    return result == 0 ? found_give(directory, found, out) : result;
}

static int bind_create(struct vnode *directory, struct name name, const struct creation *creation,
                       struct vnode **out) {
    struct vnode *behind = bind_behind(directory);
    struct vnode *made;
    int result = behind->ops->create ? behind->ops->create(behind, name, creation, &made) : -EPERM;
    return result == 0 ? found_give(bind_node(directory), made, out) : result;
}

static int bind_symlink(struct vnode *directory, struct name name, const struct creation *creation,
                        struct name target) {
    struct vnode *behind = bind_behind(directory);
    return behind->ops->symlink ? behind->ops->symlink(behind, name, creation, target) : -EPERM;
}

static int bind_link(struct vnode *directory, struct name name, struct vnode *target) {
    struct vnode *behind = bind_behind(directory);
    return behind->ops->link ? behind->ops->link(behind, name, target) : -EPERM;
}

static int bind_unlink(struct vnode *directory, struct name name, struct vnode *target, u32 flags) {
    struct vnode *behind = bind_behind(directory);
    return behind->ops->unlink ? behind->ops->unlink(behind, name, bind_behind(target), flags)
                               : -EPERM;
}

static struct rename_side side_behind(const struct rename_side *side) {
    return (struct rename_side){bind_behind(side->directory), side->name,
                                bind_behind(side->target)};
}

static int bind_rename(const struct rename_side *from, const struct rename_side *to, u32 flags) {
    const struct rename_side from_behind = side_behind(from);
    const struct rename_side to_behind = side_behind(to);
    const struct vnode_ops *ops = from_behind.directory->ops;
    return ops->rename ? ops->rename(&from_behind, &to_behind, flags) : -EPERM;
}

static int bind_make_unnamed(struct vnode *directory, const struct creation *creation, u32 flags,
                             struct vnode **out) {
    struct vnode *behind = bind_behind(directory);
    return behind->ops->make_unnamed ? behind->ops->make_unnamed(behind, creation, flags, out)
                                     : -EOPNOTSUPP;
}

static int bind_list(struct vnode *directory, u64 *cookie, struct directory_sink *sink) {
    struct vnode *behind = bind_behind(directory);
    return behind->ops->list ? behind->ops->list(behind, cookie, sink) : -ENOTDIR;
}

static int bind_statfs(struct vnode *vnode, struct usage *out) {
    struct vnode *behind = bind_behind(vnode);
    return behind->ops->statfs ? behind->ops->statfs(behind, out) : 0;
}

static const struct vnode_ops bind_ops = {
    .release = bind_release,
    .attributes = bind_attributes,
    .set_attributes = bind_set_attributes,
    .lookup = bind_lookup,
    .create = bind_create,
    .symlink = bind_symlink,
    .link = bind_link,
    .unlink = bind_unlink,
    .rename = bind_rename,
    .make_unnamed = bind_make_unnamed,
    .list = bind_list,
    .statfs = bind_statfs,
};

static void bind_end(struct mount *mount) {
    struct bind_mount *bind = container_of(mount, struct bind_mount, mount);
    vnode_put(bind->system.root);
    bind_put(&bind->system);
}

int bind_make(struct vnode *directory, const char *source, u32 flags, struct mount **out) {
    struct bind_mount *bind = heap_alloc_zero(sizeof(*bind));
    struct vnode *behind = bind_behind(directory);
    if (!bind) {
        return -ENOMEM;
    }
    bind->references = 1;
    bind->system.name = behind->system->name;
    bind->system.device = behind->system->device;
    bind->system.flags = behind->system->flags | (flags & MOUNT_FLAGS);
    int result = node_make(&bind->system, NULL, vnode_get(behind), &bind->system.root);
    if (result != 0) {
        heap_free(bind);
        return result;
    }
    bind->mount.system = &bind->system;
    bind->mount.end = bind_end;
    usize size = min(strlen(source), sizeof(bind->mount.source) - 1);
    memcpy(bind->mount.source, source, size);
    *out = &bind->mount;
    return 0;
}
