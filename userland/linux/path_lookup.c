// One step from a path to the next: down to a name, or up; through the mounts that are there.
#include "linux/abi.h"
#include "linux/mount.h"
#include "linux/walk.h"

static const struct name parent_name = {"..", 2};

int path_child(struct path directory, struct name name, struct vnode **out) {
    int result = vnode_lookup(directory.vnode, name, out);
    struct file_system *system = directory.vnode->system;
    if (result == 0 && system->attach && directory.vnode == system->root &&
        vnode_is_directory(*out)) {
        system->attach(name, *out);
    }
    return result;
}

int path_lookup(struct path directory, struct name name, struct path *out) {
    struct vnode *found;
    int result = path_child(directory, name, &found);
    if (result == 0) {
        *out = mount_cross((struct path){mount_get(directory.mount), found});
    }
    return result;
}

bool mount_shows(const struct mount *mount, struct vnode *vnode) {
    struct vnode *at = vnode_get(vnode);
    struct vnode *up;
    if (mount->root == mount->system->root) {
        vnode_put(at);
        return true;
    }
    while (at != mount->root && vnode_lookup(at, parent_name, &up) == 0) {
        bool is_top = up == at;
        vnode_put(at);
        at = up;
        if (is_top) {
            break;
        }
    }
    vnode_put(at);
    return at == mount->root;
}

// Consumes `from`, which is not the root of a mount.
static int parent_in_mount(struct path from, struct path *out) {
    struct vnode *up;
    int result = vnode_lookup(from.vnode, parent_name, &up);
    if (result == 0 && from.mount && !mount_shows(from.mount, up)) {
        vnode_put(up);
        result = -ENOENT;
    }
    if (result == 0) {
        *out = mount_cross((struct path){mount_get(from.mount), up});
    }
    path_put(from);
    return result;
}

int path_parent(struct path from, struct path root, struct path *out) {
    struct path at = path_get(from);
    bool is_top = path_is(at, root);
    while (!is_top && at.mount && at.vnode == at.mount->root) {
        is_top = !mount_leave(&at) || path_is(at, root);
    }
    if (is_top) {
        path_put(at);
        *out = path_get(from);
        return 0;
    }
    return parent_in_mount(at, out);
}
