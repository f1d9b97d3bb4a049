// The walk: one component at a time; a symbolic link replaces itself in what is left of the path.
#include "linux/walk.h"

#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/descriptors.h"
#include "linux/mount.h"
#include "linux/permission.h"
#include "linux/process.h"
#include "linux/thread.h"

// The directory that a relative path starts from, counted.
static int walk_base(struct thread *thread, i32 directory, struct path *out) {
    if (directory == AT_FDCWD) {
        *out = fs_context_cwd(thread->process->fs);
        return 0;
    }
    struct file *file = descriptor_get(thread, directory);
    if (!file) {
        return -EBADF;
    }
    *out = path_get(file_path(file));
    file_put(file);
    return 0;
}

static int walk_begin(struct walk *walk, struct thread *thread, i32 directory) {
    walk->credentials = thread->process->credentials;
    walk->root = fs_context_root(thread->process->fs);
    if (*walk->rest == '/') {
        walk->at = path_get(walk->root);
        return 0;
    }
    if (*walk->rest == 0 && !(walk->flags & WALK_EMPTY_PATH)) {
        return -ENOENT;
    }
    return walk_base(thread, directory, &walk->at);
}

static void walk_clear(struct walk *walk, u32 flags) {
    walk->root = walk->at = (struct path){};
    walk->heap = NULL;
    walk->rest = walk->small;
    walk->last = (struct name){};
    walk->must_be_directory = false;
    walk->flags = flags;
    walk->links = 0;
}

int walk_start(struct walk *walk, struct thread *thread, i32 directory, linux_ptr path, u32 flags) {
    walk_clear(walk, flags);
    i64 size = copy_string_from_linux(walk->small, path, sizeof(walk->small));
    if (size == -ENAMETOOLONG) {
        walk->rest = walk->heap = heap_alloc(LINUX_PATH_MAX);
        size = walk->heap ? copy_string_from_linux(walk->heap, path, LINUX_PATH_MAX) : -ENOMEM;
    }
    return size < 0 ? (int)size : walk_begin(walk, thread, directory);
}

int walk_start_text(struct walk *walk, struct thread *thread, i32 directory, const char *path,
                    u32 flags) {
    walk_clear(walk, flags);
    usize size = strlen(path) + 1;
    if (size > LINUX_PATH_MAX) {
        return -ENAMETOOLONG;
    }
    if (size > sizeof(walk->small)) {
        walk->rest = walk->heap = heap_alloc(size);
        if (!walk->heap) {
            return -ENOMEM;
        }
    }
    memcpy(walk->rest, path, size);
    return walk_begin(walk, thread, directory);
}

void walk_end(struct walk *walk) {
    path_put(walk->root);
    path_put(walk->at);
    heap_free(walk->heap);
}

// Consumes the reference to the path.
static void walk_move(struct walk *walk, struct path path) {
    path_put(walk->at);
    walk->at = path;
}

static int pass_check(const struct walk *walk) {
    return vnode_is_directory(walk->at.vnode)
               ? vnode_permission(walk->credentials, walk->at.vnode, MAY_EXECUTE)
               : -ENOTDIR;
}

// Looks a component up in walk->at. "." and, at the root, ".." are the directory itself.
int walk_lookup(struct walk *walk, struct name name, struct path *out) {
    bool is_dot = name.size == 1 && name.text[0] == '.';
    bool is_parent = name.size == 2 && name.text[0] == '.' && name.text[1] == '.';
    int result = pass_check(walk);
    if (result != 0) {
        return result;
    }
    if (is_dot) {
        *out = path_get(walk->at);
        return 0;
    }
    return is_parent ? path_parent(walk->at, walk->root, out) : path_lookup(walk->at, name, out);
}

int walk_lookup_covered(struct walk *walk, struct name name, struct vnode **out) {
    int result = pass_check(walk);
    return result != 0 ? result : path_child(walk->at, name, out);
}

static char *skip_slashes(char *text) {
    while (*text == '/') {
        text++;
    }
    return text;
}

int walk_to_last(struct walk *walk) {
    for (;;) {
        char *start = skip_slashes(walk->rest);
        char *end = start;
        while (*end && *end != '/') {
            end++;
        }
        char *after = skip_slashes(end);
        walk->last = (struct name){start, (u32)(end - start)};
        walk->must_be_directory |= *end == '/' && *after == 0;
        walk->rest = after;
        if (walk->last.size > LINUX_NAME_MAX) {
            return -ENAMETOOLONG;
        }
        if (*after == 0) {
            return vnode_is_directory(walk->at.vnode) || walk->last.size == 0 ? 0 : -ENOTDIR;
        }
        struct path found;
        int result = walk_lookup(walk, walk->last, &found);
        if (result != 0) {
            return result;
        }
        if (found.vnode->type != MODE_LINK) {
            walk_move(walk, found);
            continue;
        }
        result = walk_follow(walk, found.vnode);
        path_put(found);
        if (result != 0) {
            return result;
        }
    }
}

// Puts the link's target before what is left of the path, in a buffer of its own.
static int walk_splice(struct walk *walk, struct vnode *link) {
    char *buffer = heap_alloc(LINUX_PATH_MAX);
    if (!buffer) {
        return -ENOMEM;
    }
    usize rest_size = strlen(walk->rest);
    i64 size = link->ops->read_link(link, buffer, LINUX_PATH_MAX - 1);
    if (size == 0) {
        size = -ENOENT;
    } else if (size > 0 && (usize)size + 1 + rest_size + 1 > LINUX_PATH_MAX) {
        size = -ENAMETOOLONG;
    }
    if (size < 0) {
        heap_free(buffer);
        return (int)size;
    }
    usize end = (usize)size;
    if (rest_size > 0 || walk->must_be_directory) {
        buffer[end++] = '/';
    }
    memcpy(buffer + end, walk->rest, rest_size + 1);
    heap_free(walk->heap);
    walk->heap = walk->rest = buffer;
    if (*buffer == '/') {
        walk_move(walk, path_get(walk->root));
    }
    return 0;
}

int walk_follow(struct walk *walk, struct vnode *link) {
    if (++walk->links > LINUX_SYMLINKS_MAX) {
        return -ELOOP;
    }
    if (!link->ops->follow) {
        return walk_splice(walk, link);
    }
    struct path target;
    int result = link->ops->follow(link, &target);
    if (result == 0) {
        walk_move(walk, target);
    }
    return result == -EINVAL ? walk_splice(walk, link) : result;
}

int walk_follow_last(struct walk *walk, struct vnode *link) {
    int result = follow_permission(walk->credentials, walk->at.vnode, link);
    return result != 0 ? result : walk_follow(walk, link);
}

int walk_resolve(struct walk *walk, struct path *out) {
    for (;;) {
        int result = walk_to_last(walk);
        if (result != 0) {
            return result;
        }
        if (walk->last.size == 0) {
            *out = path_get(walk->at);
        } else {
            result = walk_lookup(walk, walk->last, out);
        }
        if (result != 0) {
            return result;
        }
        bool follows = !(walk->flags & WALK_NOFOLLOW) || walk->must_be_directory;
        if (out->vnode->type != MODE_LINK || !follows || walk->last.size == 0) {
            break;
        }
        result = walk_follow_last(walk, out->vnode);
        path_put(*out);
        if (result != 0) {
            return result;
        }
    }
    if (walk->must_be_directory && !vnode_is_directory(out->vnode)) {
        path_put(*out);
        return -ENOTDIR;
    }
    return 0;
}

int path_resolve(struct thread *thread, i32 directory, linux_ptr path, u32 flags,
                 struct path *out) {
    struct walk walk;
    int result = walk_start(&walk, thread, directory, path, flags);
    if (result == 0) {
        result = walk_resolve(&walk, out);
    }
    walk_end(&walk);
    return result;
}

int path_resolve_text(struct thread *thread, const char *path, struct path *out) {
    struct walk walk;
    int result = walk_start_text(&walk, thread, AT_FDCWD, path, WALK_FOLLOW);
    if (result == 0) {
        result = walk_resolve(&walk, out);
    }
    walk_end(&walk);
    return result;
}
