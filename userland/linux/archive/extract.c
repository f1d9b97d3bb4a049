// From a stream to a tree. Names are taken apart here and looked up one by one below the target, so
// that neither `..` nor a symbolic link on the way leads out of it.
#include "lib/format.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/archive/archive.h"
#include "linux/archive/ustar.h"
#include "linux/kernel_if.h"
#include "linux/mount.h"
#include "linux/permission.h"
#include "linux/signal.h"
#include "linux/thread.h"
#include "linux/vfs.h"
#include "linux/walk.h"

enum { BUFFER_BYTES = CL_MESSAGE_BYTES_MAX };

struct extract {
    struct thread *thread;
    handle_t channel;
    struct path base;                   // the directory that everything is made in
    char rename_to[LINUX_NAME_MAX + 1]; // what the first name of each path becomes; empty: stays
    u32 start;                          // of what is in the buffer
    u32 end;
    const char *path; // of the entry
    struct pax pax;   // for the next entry
    char header_path[USTAR_PATH_MAX + 1];
    char header_link[USTAR_PATH_MAX + 1];
    char records[PAX_BYTES_MAX + 1];
    u8 block[USTAR_BLOCK_BYTES];
    u8 buffer[BUFFER_BYTES];
};

static int buffer_fill(struct extract *extract) {
    u32 observed;
    for (;;) {
        i64 count = kernel_stream_read(extract->channel, extract->buffer, BUFFER_BYTES);
        if (count > 0) {
            extract->start = 0;
            extract->end = (u32)count;
            return 0;
        }
        if (count == 0) return -EPIPE;
        if (count != -EAGAIN) return (int)count;
        if (signal_is_killed(extract->thread)) return -EINTR;
        kernel_object_wait(extract->channel, SIGNAL_READABLE | SIGNAL_PEER_CLOSED, DEADLINE_NEVER,
                           &observed);
    }
}

static int bytes_read(struct extract *extract, void *to, usize size) {
    u8 *at = to;
    while (size > 0) {
        int result = extract->start == extract->end ? buffer_fill(extract) : 0;
        if (result != 0) return result;
        usize count = min(size, (usize)(extract->end - extract->start));
        memcpy(at, extract->buffer + extract->start, count);
        extract->start += (u32)count;
        at += count;
        size -= count;
    }
    return 0;
}

// An entry's contents as a string, without what fills the last block up.
static int text_read(struct extract *extract, char *to, usize room, u64 size) {
    if (size >= room) return -E2BIG;
    for (u64 at = 0; at < size; at += USTAR_BLOCK_BYTES) {
        int result = bytes_read(extract, extract->block, USTAR_BLOCK_BYTES);
        if (result != 0) return result;
        memcpy(to + at, extract->block, min(size - at, (u64)USTAR_BLOCK_BYTES));
    }
    to[size] = 0;
    return 0;
}

static int contents_skip(struct extract *extract, u64 size) {
    int result = 0;
    for (u64 at = 0; at < size && result == 0; at += USTAR_BLOCK_BYTES)
        result = bytes_read(extract, extract->block, USTAR_BLOCK_BYTES);
    return result;
}

static int contents_read(struct extract *extract, struct path path, u64 size) {
    struct file *file;
    int result = file_open_path(extract->thread, path, O_WRONLY, &file);
    if (result != 0) return result;
    for (u64 at = 0; at < size && result == 0; at += USTAR_BLOCK_BYTES) {
        result = bytes_read(extract, extract->block, USTAR_BLOCK_BYTES);
        usize count = min(size - at, (u64)USTAR_BLOCK_BYTES);
        i64 written =
            result == 0 ? file_write_at(extract->thread, file, extract->block, count, at) : result;
        if (written != (i64)count) result = written < 0 ? (int)written : -ENOSPC;
    }
    file_put(file);
    return result;
}

static bool name_is_dots(const struct name *name) {
    return name->text[0] == '.' && (name->size == 1 || (name->size == 2 && name->text[1] == '.'));
}

// The next name of a path that has one; `.` is passed over. -EINVAL for `..`.
static int name_next(const char **at, struct name *name) {
    do {
        while (**at == '/')
            (*at)++;
        const char *end = strchr(*at, '/');
        *name = (struct name){*at, end ? (u32)(end - *at) : (u32)strlen(*at)};
        *at += name->size;
        if (name->size == 2 && name_is_dots(name)) return -EINVAL;
    } while (name->size == 1 && name_is_dots(name));
    return name->size > LINUX_NAME_MAX ? -ENAMETOOLONG : 0;
}

static bool has_more(const char *at) {
    while (*at == '/' || (*at == '.' && (at[1] == '/' || at[1] == 0)))
        at++;
    return *at != 0;
}

static int node_make(struct extract *extract, struct path directory, struct name name,
                     const struct ustar_entry *entry, u32 type, struct path *out) {
    struct creation creation;
    struct vnode *at = directory.vnode;
    struct vnode *made;
    int result = creation_prepare(extract->thread, directory, type, &creation);
    if (result != 0) return result;
    creation.mode =
        type | (type == MODE_LINK ? 0777 : 0700); // attributes_set says what it is to be
    creation.device = device_number(entry->major, entry->minor);
    if (type == MODE_LINK) {
        struct name target = {entry->link, (u32)strlen(entry->link)};
        result = at->ops->symlink ? at->ops->symlink(at, name, &creation, target) : -EPERM;
        return result == 0 ? path_lookup(directory, name, out) : result;
    }
    result = at->ops->create ? at->ops->create(at, name, &creation, &made) : -EPERM;
    if (result == 0) *out = (struct path){mount_get(directory.mount), made};
    return result;
}

// A directory on the way; made where it is missing.
static int directory_step(struct extract *extract, struct path *at, struct name name) {
    struct path next;
    int result = path_lookup(*at, name, &next);
    if (result == -ENOENT)
        result = node_make(extract, *at, name, &(struct ustar_entry){}, MODE_DIRECTORY, &next);
    if (result != 0) return result;
    path_put(*at);
    *at = next;
    return vnode_is_directory(next.vnode) ? 0 : -ENOTDIR;
}

// What is behind the first name of a path, which may be `.`.
static const char *first_skip(const char *path) {
    while (*path == '/')
        path++;
    while (*path && *path != '/')
        path++;
    return path;
}

// Moves from the base to the directory of the path's last name. A path without any is the base itself,
// with an empty name.
static int parent_find(struct extract *extract, struct path *at, struct name *name) {
    const char *rest = extract->path;
    int result = 0;
    *at = path_get(extract->base);
    *name = (struct name){extract->rename_to, (u32)strlen(extract->rename_to)};
    if (name->size > 0)
        rest = first_skip(rest);
    else
        result = name_next(&rest, name);
    while (result == 0 && name->size > 0 && has_more(rest)) {
        result = directory_step(extract, at, *name);
        if (result == 0) result = name_next(&rest, name);
    }
    return result;
}

static u32 mode_type_of(enum ustar_type type) {
    switch (type) {
    case USTAR_FILE: return MODE_REGULAR;
    case USTAR_SYMLINK: return MODE_LINK;
    case USTAR_CHARACTER: return MODE_CHARACTER;
    case USTAR_BLOCK: return MODE_BLOCK;
    case USTAR_DIRECTORY: return MODE_DIRECTORY;
    case USTAR_FIFO: return MODE_FIFO;
    default: return 0;
    }
}

// What is there gives way, but for a directory that is to be one, and what something is mounted on.
static int old_remove(struct path directory, struct name name, u32 type, struct path *kept) {
    struct path old;
    struct vnode *at = directory.vnode;
    int result = path_lookup(directory, name, &old);
    if (result != 0) return result == -ENOENT ? 0 : result;
    if (vnode_is_directory(old.vnode) && type == MODE_DIRECTORY) {
        *kept = old;
        return 0;
    }
    result = type == MODE_DIRECTORY          ? -ENOTDIR
             : vnode_is_directory(old.vnode) ? -EISDIR
             : path_is_read_only(directory)  ? -EROFS
             : old.mount != directory.mount  ? -EBUSY
             : at->ops->unlink               ? at->ops->unlink(at, name, old.vnode, UNLINK_FILE)
                                             : -EROFS;
    path_put(old);
    return result;
}

static int attributes_set(struct path path, const struct ustar_entry *entry, u32 type) {
    struct vnode *vnode = path.vnode;
    struct attributes values = {
        .mode = type | entry->mode,
        .uid = entry->uid,
        .gid = entry->gid,
        .mtime_ns = entry->mtime_seconds * 1000000000,
    };
    if (path_is_read_only(path)) return -EROFS;
    int result = vnode_set_attributes(vnode, &values, ATTRIBUTE_OWNER | ATTRIBUTE_GROUP);
    if (result == 0 && type != MODE_LINK)
        result = vnode_set_attributes(vnode, &values, ATTRIBUTE_MODE);
    if (result == 0) result = vnode_set_attributes(vnode, &values, ATTRIBUTE_MTIME);
    return result;
}

static int entry_make(struct extract *extract, const struct ustar_entry *entry) {
    struct path directory = {};
    struct path made = {};
    struct name name;
    u32 type = mode_type_of(entry->type);
    int result = type == 0 ? -EINVAL : parent_find(extract, &directory, &name);
    if (result == 0 && name.size == 0 && type != MODE_DIRECTORY) result = -EISDIR;
    if (result == 0 && name.size == 0) made = path_get(directory);
    if (result == 0 && !made.vnode) result = old_remove(directory, name, type, &made);
    if (result == 0 && !made.vnode)
        result = node_make(extract, directory, name, entry, type, &made);
    if (result == 0 && type == MODE_REGULAR)
        result = contents_read(extract, made, entry->size_bytes);
    if (result == 0) result = attributes_set(made, entry, type);
    path_put(made);
    path_put(directory);
    return result;
}

static int pax_take(struct extract *extract, const struct ustar_entry *entry) {
    int result = text_read(extract, extract->records, sizeof(extract->records), entry->size_bytes);
    if (result != 0) return result;
    return pax_read(extract->records, entry->size_bytes, &extract->pax) ? 0 : -EINVAL;
}

// What the other side could not do.
static int problem_take(struct extract *extract, const struct ustar_entry *entry, char *problem) {
    int result = text_read(extract, problem, ARCHIVE_PROBLEM_MAX, entry->size_bytes);
    return result == 0 ? -EIO : result;
}

// 1: the stream's end.
static int entry_take(struct extract *extract, char *problem) {
    struct ustar_entry entry;
    int result = bytes_read(extract, extract->block, USTAR_BLOCK_BYTES);
    if (result != 0) return result;
    if (ustar_is_end(extract->block)) return 1;
    if (!ustar_read(extract->block, &entry, extract->header_path, extract->header_link))
        return -EINVAL;
    if (entry.type == USTAR_PAX) return pax_take(extract, &entry);
    if (entry.type == USTAR_PROBLEM) return problem_take(extract, &entry, problem);
    if (entry.type == USTAR_PAX_GLOBAL) return contents_skip(extract, entry.size_bytes);
    pax_apply(&extract->pax, &entry);
    extract->path = entry.path;
    result = entry_make(extract, &entry);
    if (result != 0)
        format_text(problem, ARCHIVE_PROBLEM_MAX, "%.80s: can't be made (error %d)", extract->path,
                    -result);
    return result;
}

// A name in a directory that is there.
static int target_name(struct extract *extract, const char *path) {
    struct walk walk;
    int result = walk_start_text(&walk, extract->thread, AT_FDCWD, path, WALK_FOLLOW);
    if (result == 0) result = walk_to_last(&walk);
    if (result == 0 && (!walk_last_is_name(&walk) || walk.last.size > LINUX_NAME_MAX))
        result = -EINVAL;
    if (result == 0) {
        memcpy(extract->rename_to, walk.last.text, walk.last.size);
        extract->base = path_get(walk.at);
    }
    walk_end(&walk);
    return result;
}

static int name_set(struct extract *extract, const char *name) {
    usize size = strcmp(name, ".") == 0 ? 0 : strlen(name);
    if (size > LINUX_NAME_MAX) return -ENAMETOOLONG;
    memcpy(extract->rename_to, name, size);
    return 0;
}

static int target_find(struct extract *extract, const char *path, const char *name) {
    struct path target;
    int result = path_resolve_text(extract->thread, path, &target);
    if (result == 0 && vnode_is_directory(target.vnode)) {
        extract->base = target;
        return name_set(extract, name);
    }
    if (result == 0) path_put(target);
    return result == 0 || result == -ENOENT ? target_name(extract, path) : result;
}

int archive_extract(struct thread *thread, const char *path, const char *name, handle_t channel,
                    char *problem) {
    struct extract *extract = heap_alloc_zero(sizeof(*extract));
    int result = extract ? 0 : -ENOMEM;
    problem[0] = 0;
    if (extract) {
        extract->thread = thread;
        extract->channel = channel;
        result = target_find(extract, path, name);
        if (result != 0)
            format_text(problem, ARCHIVE_PROBLEM_MAX, "%.80s: there is no such directory", path);
        while (result == 0)
            result = entry_take(extract, problem);
        if (result == 1) result = 0;
        path_put(extract->base);
    }
    if (result != 0 && !problem[0])
        format_text(problem, ARCHIVE_PROBLEM_MAX, "the copy broke off (error %d)", -result);
    kernel_close(channel);
    heap_free(extract);
    return result;
}
