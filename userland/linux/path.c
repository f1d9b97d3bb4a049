// From a directory back to its path: up through `..`, looking for each directory's name in its
// parent. Slow, and right whatever was renamed meanwhile.
#include "lib/format.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/mount.h"
#include "linux/walk.h"

// Prepends the name with the wanted inode number to a path that grows downwards.
struct name_sink {
    struct directory_sink base;
    u64 ino;
    char *start; // of the buffer
    char *path;  // of what is there of the path
    bool was_found;
    bool was_full;
};

static bool name_sink_add(struct directory_sink *sink, struct name name, u64 ino, u32, u64) {
    struct name_sink *self = container_of(sink, struct name_sink, base);
    bool is_dots =
        name.text[0] == '.' && (name.size == 1 || (name.size == 2 && name.text[1] == '.'));
    if (ino != self->ino || is_dots) {
        return true;
    }
    self->was_found = true;
    if ((usize)(self->path - self->start) < name.size + 1) {
        self->was_full = true;
        return false;
    }
    self->path -= name.size;
    memcpy(self->path, name.text, name.size);
    *--self->path = '/';
    return false;
}

// A mounted root is found in its parent as the directory that it covers.
static u64 name_ino(struct vnode *directory) {
    struct vnode *covered = mount_parent_side(directory);
    u64 ino = covered->ino;
    vnode_put(covered);
    return ino;
}

static int path_prepend(struct name_sink *sink, struct vnode *directory, struct vnode **parent) {
    int result = vnode_lookup(directory, (struct name){"..", 2}, parent);
    if (result != 0) {
        return result;
    }
    u64 cookie = 0;
    sink->ino = name_ino(directory);
    sink->was_found = false;
    result = *parent == directory || !(*parent)->ops->list
                 ? -ENOENT
                 : (*parent)->ops->list(*parent, &cookie, &sink->base);
    if (result == 0 && !sink->was_found) {
        result = -ENOENT;
    }
    if (result != 0) {
        vnode_put(*parent);
    }
    return result;
}

i64 directory_path(struct vnode *root, struct vnode *directory, char *buffer, usize size) {
    struct name_sink sink = {.base.add = name_sink_add, .start = buffer, .path = buffer + size - 1};
    if (size < 2) {
        return -ERANGE;
    }
    *sink.path = 0;
    struct vnode *at = vnode_get(directory);
    while (at != root) {
        struct vnode *parent;
        int result = path_prepend(&sink, at, &parent);
        vnode_put(at);
        if (result != 0) {
            return result;
        }
        at = parent;
        if (sink.was_full) {
            vnode_put(at);
            return -ERANGE;
        }
    }
    vnode_put(at);
    if (*sink.path == 0) {
        *--sink.path = '/';
    }
    usize length = (usize)(buffer + size - 1 - sink.path);
    memmove(buffer, sink.path, length + 1);
    return (i64)length;
}

i64 vnode_path(struct vnode *root, struct vnode *vnode, char *buffer, usize size) {
    struct vnode *directory;
    char name[LINUX_NAME_MAX];
    u32 name_size;
    if (vnode_is_directory(vnode)) {
        i64 length = directory_path(root, vnode, buffer, size);
        if (length != -ENOENT || !vnode->ops->name) {
            return length;
        }
    }
    int state = vnode->ops->name(vnode, &directory, name, &name_size);
    if (state < 0) {
        return state;
    }
    bool is_nowhere =
        directory == directory->system->root && !directory->system->covered && directory != root;
    i64 length = is_nowhere ? 1 : directory_path(root, directory, buffer, size);
    vnode_put(directory);
    if (length < 0) {
        return length;
    }
    usize at = length == 1 ? 0 : (usize)length; // the root's own slash
    usize added = format_text(buffer + at, size - at, "/%.*s%s", (int)name_size, name,
                              state == VNODE_REMOVED ? " (deleted)" : "");
    return added < size - at ? (i64)(at + added) : -ERANGE;
}
