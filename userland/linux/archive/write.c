// From a tree to a stream. Directories that are being listed are in a chain of their own, not on the
// stack, so that a deep tree costs heap only.
#include "lib/format.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/archive/archive.h"
#include "linux/archive/ustar.h"
#include "linux/kernel_if.h"
#include "linux/signal.h"
#include "linux/thread.h"
#include "linux/vfs.h"
#include "linux/walk.h"

enum { BUFFER_BYTES = 4 * PAGE_SIZE, NAMES_FIRST_BYTES = PAGE_SIZE };

// A directory that is being written: its names, each with a zero behind it.
struct level {
    struct level *above;
    struct path directory;
    char *names;
    u32 names_bytes;
    u32 at;
    u32 path_bytes; // of the path at this directory
};

struct archive {
    struct thread *thread;
    handle_t channel;
    struct mount *mount; // of where it began; others are left out
    struct level *level;
    u32 used;
    u32 path_bytes;
    char path[USTAR_PATH_MAX + 1];
    char link[USTAR_PATH_MAX + 1];
    char pax[PAX_BYTES_MAX + 1];
    u8 buffer[BUFFER_BYTES];
};

static int stream_send(struct archive *archive, const u8 *bytes, usize size) {
    u32 observed;
    while (size > 0) {
        i64 count = kernel_stream_write(archive->channel, bytes, size);
        if (count == -EAGAIN) {
            if (signal_is_killed(archive->thread)) return -EINTR;
            kernel_object_wait(archive->channel, SIGNAL_WRITABLE | SIGNAL_PEER_CLOSED,
                               DEADLINE_NEVER, &observed);
            continue;
        }
        if (count < 0) return (int)count;
        bytes += count;
        size -= (usize)count;
    }
    return 0;
}

static int buffer_flush(struct archive *archive) {
    int result = stream_send(archive, archive->buffer, archive->used);
    archive->used = 0;
    return result;
}

// Room for a block, which is there when this gives one.
static u8 *block_take(struct archive *archive) {
    if (archive->used == BUFFER_BYTES && buffer_flush(archive) != 0) return NULL;
    u8 *block = archive->buffer + archive->used;
    archive->used += USTAR_BLOCK_BYTES;
    memset(block, 0, USTAR_BLOCK_BYTES);
    return block;
}

static int bytes_write(struct archive *archive, const char *bytes, usize size) {
    for (usize at = 0; at < size; at += USTAR_BLOCK_BYTES) {
        u8 *block = block_take(archive);
        if (!block) return -EPIPE;
        memcpy(block, bytes + at, min(size - at, (usize)USTAR_BLOCK_BYTES));
    }
    return 0;
}

static int header_write(struct archive *archive, const struct ustar_entry *entry) {
    u8 *block = block_take(archive);
    if (block) ustar_write(block, entry);
    return block ? 0 : -EPIPE;
}

// A header before the header for what does not fit into it.
static int pax_header_write(struct archive *archive, const struct ustar_entry *entry) {
    usize size = pax_write(archive->pax, entry);
    if (size == 0) return 0;
    struct ustar_entry pax = {.type = USTAR_PAX, .path = "pax", .link = "", .size_bytes = size};
    int result = header_write(archive, &pax);
    return result == 0 ? bytes_write(archive, archive->pax, size) : result;
}

static enum ustar_type type_of(u32 mode) {
    switch (mode & MODE_TYPE) {
    case MODE_DIRECTORY: return USTAR_DIRECTORY;
    case MODE_LINK: return USTAR_SYMLINK;
    case MODE_CHARACTER: return USTAR_CHARACTER;
    case MODE_BLOCK: return USTAR_BLOCK;
    case MODE_FIFO: return USTAR_FIFO;
    default: return USTAR_FILE;
    }
}

// Exactly as many bytes as the header says: what a file loses meanwhile is zeros.
static int contents_write(struct archive *archive, struct path path, u64 size) {
    struct file *file;
    i64 count = 1;
    int result = file_open_path(archive->thread, path, O_RDONLY, &file);
    for (u64 at = 0; result == 0 && at < size; at += USTAR_BLOCK_BYTES) {
        u8 *block = signal_is_killed(archive->thread) ? NULL : block_take(archive);
        if (!block) result = -EPIPE;
        if (block && count > 0)
            count = file_read_at(archive->thread, file, block,
                                 min(size - at, (u64)USTAR_BLOCK_BYTES), at);
    }
    if (result == 0 || result == -EPIPE) file_put(file);
    return result;
}

static int entry_write(struct archive *archive, struct path path) {
    struct vnode *vnode = path.vnode;
    struct attributes attributes;
    int result = vnode_attributes(vnode, &attributes);
    if (result != 0) return result;
    struct ustar_entry entry = {
        .type = type_of(attributes.mode),
        .mode = attributes.mode & 07777,
        .uid = attributes.uid,
        .gid = attributes.gid,
        .major = (u32)(attributes.device >> 8 & 0xfff),
        .minor = (u32)((attributes.device & 0xff) | (attributes.device >> 12 & 0xfff00)),
        .mtime_seconds = attributes.mtime_ns / 1000000000,
        .path = archive->path,
        .link = archive->link,
    };
    archive->link[0] = 0;
    if (entry.type == USTAR_FILE) entry.size_bytes = attributes.size_bytes;
    if (entry.type == USTAR_SYMLINK) {
        i64 size = vnode->ops->read_link
                       ? vnode->ops->read_link(vnode, archive->link, sizeof(archive->link) - 1)
                       : -EINVAL;
        if (size < 0) return (int)size;
        archive->link[size] = 0;
    }
    result = pax_header_write(archive, &entry);
    if (result == 0) result = header_write(archive, &entry);
    if (result == 0 && entry.size_bytes > 0)
        result = contents_write(archive, path, entry.size_bytes);
    return result;
}

struct names_sink {
    struct directory_sink base;
    struct level *level;
    u32 room;
    bool is_full;
};

static bool name_add(struct directory_sink *base, struct name name, u64, u32, u64) {
    struct names_sink *sink = container_of(base, struct names_sink, base);
    struct level *level = sink->level;
    bool is_dots =
        name.text[0] == '.' && (name.size == 1 || (name.size == 2 && name.text[1] == '.'));
    if (is_dots) return true;
    sink->is_full = sink->room - level->names_bytes <= name.size;
    if (sink->is_full) return false;
    memcpy(level->names + level->names_bytes, name.text, name.size);
    level->names[level->names_bytes + name.size] = 0;
    level->names_bytes += name.size + 1;
    return true;
}

static int names_grow(struct names_sink *sink) {
    char *names = heap_alloc(sink->room * 2);
    if (!names) return -ENOMEM;
    memcpy(names, sink->level->names, sink->level->names_bytes);
    heap_free(sink->level->names);
    sink->level->names = names;
    sink->room *= 2;
    return 0;
}

static int names_collect(struct level *level) {
    struct vnode *directory = level->directory.vnode;
    struct names_sink sink = {{name_add}, level, NAMES_FIRST_BYTES, false};
    u64 cookie = 0;
    int result = 0;
    level->names = heap_alloc(NAMES_FIRST_BYTES);
    if (!level->names) return -ENOMEM;
    do {
        if (sink.is_full) result = names_grow(&sink);
        sink.is_full = false;
        if (result == 0) result = directory->ops->list(directory, &cookie, &sink.base);
    } while (result == 0 && sink.is_full);
    return result;
}

static int level_enter(struct archive *archive, struct path directory) {
    struct level *level = heap_alloc_zero(sizeof(*level));
    if (!level) return -ENOMEM;
    level->above = archive->level;
    level->directory = path_get(directory);
    level->path_bytes = archive->path_bytes;
    archive->level = level;
    return names_collect(level);
}

static void level_leave(struct archive *archive) {
    struct level *level = archive->level;
    archive->level = level->above;
    path_put(level->directory);
    heap_free(level->names);
    heap_free(level);
}

static int path_set(struct archive *archive, u32 start, const char *name) {
    usize size = strlen(name);
    if (start + size + 1 > USTAR_PATH_MAX) return -ENAMETOOLONG;
    if (start > 0) archive->path[start++] = '/';
    memcpy(archive->path + start, name, size + 1);
    archive->path_bytes = start + (u32)size;
    return 0;
}

static int path_write(struct archive *archive, struct path path) {
    if (path.mount != archive->mount) return 0;
    int result = entry_write(archive, path);
    return result == 0 && vnode_is_directory(path.vnode) ? level_enter(archive, path) : result;
}

// The next name of the deepest directory; one that has gone meanwhile is left out.
static int name_write(struct archive *archive) {
    struct level *level = archive->level;
    const char *text = level->names + level->at;
    struct name name = {text, (u32)strlen(text)};
    struct path path;
    level->at += name.size + 1;
    int result = path_lookup(level->directory, name, &path);
    if (result != 0) return result == -ENOENT ? 0 : result;
    result = path_set(archive, level->path_bytes, text);
    if (result == 0) result = path_write(archive, path);
    path_put(path);
    return result;
}

// A directory's header once more behind what is in it, which has changed its times when it was made.
static int level_repeat(struct archive *archive) {
    archive->path[archive->level->path_bytes] = 0;
    return entry_write(archive, archive->level->directory);
}

static int tree_write(struct archive *archive, struct path path) {
    archive->mount = path.mount;
    int result = path_write(archive, path);
    while (archive->level) {
        bool has_more = archive->level->at < archive->level->names_bytes;
        if (result == 0 && has_more) {
            result = name_write(archive);
        } else {
            if (result == 0) result = level_repeat(archive);
            level_leave(archive);
        }
    }
    return result;
}

// What went wrong is the last entry; then the stream ends as any does.
static void end_write(struct archive *archive, const char *problem) {
    usize size = strlen(problem);
    struct ustar_entry entry = {
        .type = USTAR_PROBLEM, .path = "problem", .link = "", .size_bytes = size};
    if (size > 0 && header_write(archive, &entry) == 0) bytes_write(archive, problem, size);
    block_take(archive);
    block_take(archive);
    buffer_flush(archive);
}

static int start_resolve(struct thread *thread, const char *path, struct path *out) {
    struct walk walk;
    int result = walk_start_text(&walk, thread, AT_FDCWD, path, WALK_NOFOLLOW);
    if (result == 0) result = walk_resolve(&walk, out);
    walk_end(&walk);
    return result;
}

int archive_write(struct thread *thread, const char *path, const char *name, handle_t channel,
                  char *problem) {
    struct path start = {};
    struct archive *archive = heap_alloc_zero(sizeof(*archive));
    int result = archive ? start_resolve(thread, path, &start) : -ENOMEM;
    problem[0] = 0;
    if (archive) {
        archive->thread = thread;
        archive->channel = channel;
        if (result == 0) result = path_set(archive, 0, name);
        if (result == 0) result = tree_write(archive, start);
        if (result != 0)
            format_text(problem, ARCHIVE_PROBLEM_MAX, "%.80s: %s", path,
                        result == -ENOENT ? "there is no such file" : "can't be read");
        end_write(archive, problem);
    }
    path_put(start);
    kernel_close(channel);
    heap_free(archive);
    return result;
}
