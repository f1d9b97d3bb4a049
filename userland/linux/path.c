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

// The name of a directory in the one above, which follows it in *at.
static int name_prepend(struct name_sink *sink, struct path *at) {
    struct vnode *parent;
    u64 cookie = 0;
    int result = vnode_lookup(at->vnode, (struct name){"..", 2}, &parent);
    if (result != 0) {
        return result;
    }
    sink->ino = at->vnode->ino;
    sink->was_found = false;
    result = parent == at->vnode || !parent->ops->list
                 ? -ENOENT
                 : parent->ops->list(parent, &cookie, &sink->base);
    if (result == 0 && (!sink->was_found || sink->was_full)) {
        result = sink->was_full ? -ERANGE : -ENOENT;
    }
    vnode_put(at->vnode);
    at->vnode = parent;
    return result;
}

// Up to the root, or to where there is nothing above; 1: that is not the root. Consumes `at`.
static int names_collect(struct name_sink *sink, struct path root, struct path at) {
    int result = 0;
    while (result == 0 && !path_is(at, root)) {
        if (at.mount ? at.vnode == at.mount->root : at.vnode == at.vnode->system->root) {
            result = at.mount && mount_leave(&at) ? 0 : 1;
        } else {
            result = name_prepend(sink, &at);
        }
    }
    path_put(at);
    return result;
}

// Consumes `directory`. *is_nowhere: the path is not that from the root, but from where the way up ends.
static i64 collect(struct path root, struct path directory, char *buffer, usize size,
                   bool *is_nowhere) {
    struct name_sink sink = {.base.add = name_sink_add, .start = buffer, .path = buffer + size - 1};
    if (size < 2) {
        path_put(directory);
        return -ERANGE;
    }
    *sink.path = 0;
    int result = names_collect(&sink, root, directory);
    if (result < 0) {
        return result;
    }
    *is_nowhere = result == 1;
    if (*sink.path == 0) {
        *--sink.path = '/';
    }
    usize length = (usize)(buffer + size - 1 - sink.path);
    memmove(buffer, sink.path, length + 1);
    return (i64)length;
}

i64 directory_path(struct path root, struct path directory, char *buffer, usize size) {
    bool is_nowhere = false;
    i64 length = collect(root, path_get(directory), buffer, size, &is_nowhere);
    return length >= 0 && is_nowhere ? -ENOENT : length;
}

// Of what is no directory: its own name below the path of the directory that it was last seen in.
static i64 file_text(struct path root, struct path path, char *buffer, usize size) {
    struct path directory = {.mount = mount_get(path.mount)};
    char name[LINUX_NAME_MAX];
    u32 name_size;
    bool is_nowhere;
    int state = path.vnode->ops->name
                    ? path.vnode->ops->name(path.vnode, &directory.vnode, name, &name_size)
                    : -ENOENT;
    if (state < 0) {
        mount_put(directory.mount);
        return state;
    }
    i64 length = collect(root, directory, buffer, size, &is_nowhere);
    if (length < 0) {
        return length;
    }
    usize at = length == 1 ? 0 : (usize)length; // the root's own slash
    usize added = format_text(buffer + at, size - at, "/%.*s%s", (int)name_size, name,
                              state == VNODE_REMOVED ? " (deleted)" : "");
    return added < size - at ? (i64)(at + added) : -ERANGE;
}

// A file that is a mount's root is shown as what the mount covers.
i64 path_text(struct path root, struct path path, char *buffer, usize size) {
    bool is_nowhere;
    i64 length = -ENOENT;
    struct path at = path_get(path);
    while (at.mount && at.vnode == at.mount->root && !path_is(at, root) && mount_leave(&at)) {
    }
    if (vnode_is_directory(at.vnode)) {
        length = collect(root, path_get(at), buffer, size, &is_nowhere);
    }
    if (length == -ENOENT) {
        length = file_text(root, at, buffer, size);
    }
    path_put(at);
    return length;
}
