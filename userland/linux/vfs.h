// Files: vnodes, file systems, open files. Layers, from the system calls down: descriptors
// (descriptors.h) → open files (struct file) → vnodes (struct vnode) → one file system each.
// Rules:
// - a vnode's operations table belongs to its file system; an operation that is NULL means what
//   the helper vnode_... in vnode.c says for it;
// - vnodes and files are counted: _get and _put in pairs; an operation that gives one through an
//   `out` parameter gives a reference; one that fails leaves it as it is;
// - buffers are the personality's own memory, never Linux memory, so operations may hold their
//   file system's lock while they copy;
// - names are not terminated: struct name says how long they are. An operation never sees ".",
//   "" or a name with a slash; lookup sees "..";
// - a vnode does not know where it is mounted: who came to it by a name has a path, and asks that.
#pragma once

#include "lib/list.h"
#include "lib/mutex.h"
#include "lib/types.h"
#include "linux/waiting.h"

struct file_locks;
struct thread;
struct file;
struct mount;
struct vnode;

// A vnode, and the mount through which one came to it: what may be done with it depends on both.
struct path {
    struct mount *mount; // NULL: what has no name in a mount, as pipes
    struct vnode *vnode;
};

struct name {
    const char *text;
    u32 size;
};

struct attributes {
    u64 ino;
    u64 size_bytes;
    u64 blocks; // of 512 bytes
    u64 device;
    u32 mode;
    u32 nlink;
    u32 uid;
    u32 gid;
    u64 atime_ns;
    u64 mtime_ns;
    u64 ctime_ns;
};

// Which of them set_attributes changes.
enum {
    ATTRIBUTE_MODE = 1,
    ATTRIBUTE_OWNER = 2,
    ATTRIBUTE_GROUP = 4,
    ATTRIBUTE_SIZE = 8,
    ATTRIBUTE_ATIME = 16,
    ATTRIBUTE_MTIME = 32,
    // With the change, in one step: set-id bits go. No change but -EAGAIN when the owner and the group are
    // not those in the values.
    ATTRIBUTE_DROP_SET_ID = 64,
    ATTRIBUTE_IF_OWNED = 128,
};

// A mode after a change that takes set-id bits away: of the owner, or of the contents.
static inline u32 mode_without_set_id(u32 mode) {
    const u32 set_uid = 04000;
    const u32 set_gid = 02010; // without the group's x it means something else
    return mode & ~set_uid & ~((mode & set_gid) == set_gid ? 02000U : 0);
}

// What a file is made with.
struct creation {
    u32 mode; // with its type
    u32 uid;
    u32 gid;
    u64 device;
};

enum { ALLOCATE_KEEP_SIZE = 1, ALLOCATE_PUNCH = 2 };
enum { SEEK_FOR_DATA = 0, SEEK_FOR_HOLE = 1 };
enum { UNNAMED_LINKABLE = 0, UNNAMED_EXCLUSIVE = 1 };
enum { VNODE_REMOVED = 1 };
enum { UNLINK_FILE = 0, UNLINK_DIRECTORY = 1 };
enum { RENAME_NOREPLACE = 1, RENAME_EXCHANGE = 2 };

// What reads and writes may do. IO_NOWAIT: -EAGAIN instead of waiting.
enum {
    IO_NOWAIT = 1,
    IO_APPEND = 2,
    IO_KEEPS_SET_ID = 4, // the writer may leave set-id bits as they are
};

// Takes one directory entry; returns false when there is no room for it. `cookie` is the position
// after the entry.
struct directory_sink {
    bool (*add)(struct directory_sink *sink, struct name name, u64 ino, u32 type, u64 cookie);
};

// Pages of a file that can be mapped straight from a memory object.
struct page_source {
    u32 memobj; // handle
    u64 offset;
    u64 pages;
};

// One side of a rename: a name, and what it leads to; NULL: nothing.
struct rename_side {
    struct vnode *directory;
    struct name name;
    struct vnode *target;
};

// What statfs shows. Blocks are pages.
struct usage {
    u64 type;
    u64 blocks;
    u64 blocks_free;
    u64 files;
    u64 files_free;
};

struct vnode_ops {
    void (*release)(struct vnode *vnode); // the last reference is gone
    int (*attributes)(struct vnode *vnode, struct attributes *out);
    int (*set_attributes)(struct vnode *vnode, const struct attributes *values, u32 which);
    int (*lookup)(struct vnode *directory, struct name name, struct vnode **out);
    // Makes a file, directory or special file, by the type in `mode`.
    int (*create)(struct vnode *directory, struct name name, const struct creation *creation,
                  struct vnode **out);
    int (*symlink)(struct vnode *directory, struct name name, const struct creation *creation,
                   struct name target);
    int (*link)(struct vnode *directory, struct name name, struct vnode *target);
    // What is at the names was looked at before: -EAGAIN when they lead elsewhere by now.
    int (*unlink)(struct vnode *directory, struct name name, struct vnode *target, u32 flags);
    int (*rename)(const struct rename_side *from, const struct rename_side *to, u32 flags);
    // A file without a name yet, which may get one by `link` unless it is exclusive.
    int (*make_unnamed)(struct vnode *directory, const struct creation *creation, u32 flags,
                        struct vnode **out);
    // The name that it was last found under or given, and its directory, counted; VNODE_REMOVED when
    // it has none any more. `name` has room for LINUX_NAME_MAX bytes, *size is how many there are.
    int (*name)(struct vnode *vnode, struct vnode **directory, char *name, u32 *size);
    // Fills the sink from *cookie on and advances it.
    int (*list)(struct vnode *directory, u64 *cookie, struct directory_sink *sink);
    i64 (*read_link)(struct vnode *link, char *buffer, usize size);
    // A link that leads to a path without a text (/proc/PID/exe, fd/N); -EINVAL: it has a text.
    int (*follow)(struct vnode *link, struct path *out);
    i64 (*read)(struct vnode *vnode, void *buffer, usize size, u64 offset);
    i64 (*write)(struct vnode *vnode, const void *buffer, usize size, u64 offset, u32 flags);
    // Whether the calling process may do with it what its mode refuses; NULL: no.
    bool (*grants)(struct vnode *vnode);
    // Sets file->ops and file->private where the vnode's own operations do not do.
    int (*open)(struct thread *thread, struct vnode *vnode, struct file *file);
    // Room for a range; with ALLOCATE_PUNCH a hole in its place.
    int (*allocate)(struct vnode *vnode, u32 flags, u64 offset, u64 size);
    // The first offset from there on that is SEEK_FOR_DATA or _HOLE; -ENXIO beyond the end.
    i64 (*seek)(struct vnode *vnode, u64 offset, u32 wanted);
    // Pages that are what the file has and will have: 0 where there are none.
    int (*map)(struct vnode *vnode, u64 offset, struct page_source *out);
    // The same, up to the end of the file, with its contents moved to where they can be mapped.
    int (*share)(struct vnode *vnode, u64 offset, struct page_source *out);
    int (*statfs)(struct vnode *vnode, struct usage *out);
};

struct file_system {
    // Told of each directory that is found in the root; may mount something on it. NULL: nothing is.
    void (*attach)(struct name name, struct vnode *directory);
    const char *name;
    u32 device; // minor number of st_dev
    bool is_tmpfs;
    struct vnode *root;
    u32 mounts;                              // that show it; atomic
    i32 writers;                             // as a mount's
    void (*end)(struct file_system *system); // the last mount of it is gone; NULL: it stays
};

struct vnode {
    const struct vnode_ops *ops;
    struct file_system *system;
    u32 references;
    u32 type; // MODE_TYPE bits; constant
    u64 ino;
    u32 mounts;               // that are on it, wherever it is seen; atomic
    struct file_locks *locks; // NULL: there have been none; atomic
    // Files that are open for writing; below 0: programs that run it, which exclude each other. Atomic
    i32 writers;
};

void vnode_init(struct vnode *vnode, const struct vnode_ops *ops, struct file_system *system,
                u32 type, u64 ino);
struct vnode *vnode_get(struct vnode *vnode);
// For who finds vnodes without a reference, in a table that their release takes them out of.
bool vnode_get_unless_zero(struct vnode *vnode);
void vnode_put(struct vnode *vnode);
// Gives a reference up; true when it was the last: the caller releases the vnode.
static inline bool vnode_put_is_last(struct vnode *vnode) {
    return __atomic_fetch_sub(&vnode->references, 1, __ATOMIC_ACQ_REL) == 1;
}

static inline bool vnode_is_covered(const struct vnode *vnode) {
    return __atomic_load_n(&vnode->mounts, __ATOMIC_ACQUIRE) != 0;
}

static inline bool vnode_is_read_only(const struct vnode *vnode) {
    return __atomic_load_n(&vnode->system->writers, __ATOMIC_RELAXED) < 0;
}

static inline bool vnode_is_directory(const struct vnode *vnode) { return vnode->type == 0040000; }

// Moves a count of writers that is below 0 while there must not be any: up where it is not, down where
// it is not above. Whether it did.
bool writers_move(i32 *writers, i32 step);

// -ETXTBSY where a writer and a program would meet. What was gained is given up once.
int vnode_writer_add(struct vnode *vnode);
void vnode_writer_remove(struct vnode *vnode);
int vnode_program_add(struct vnode *vnode);
void vnode_program_remove(struct vnode *vnode);

int vnode_attributes(struct vnode *vnode, struct attributes *out);
int vnode_set_attributes(struct vnode *vnode, const struct attributes *values, u32 which);
// In its own file system.
int vnode_lookup(struct vnode *directory, struct name name, struct vnode **out);

struct path path_get(struct path path);
void path_put(struct path path);
static inline bool path_is(struct path one, struct path other) {
    return one.vnode == other.vnode && one.mount == other.mount;
}

// Files that are open: what descriptors point to, shared by dup and fork.
struct file_ops {
    void (*release)(struct file *file);
    // *offset is the file's position; streams ignore it.
    i64 (*read)(struct thread *thread, struct file *file, void *buffer, usize size, u64 *offset,
                u32 flags);
    i64 (*write)(struct thread *thread, struct file *file, const void *buffer, usize size,
                 u64 *offset, u32 flags);
    // Which of POLLIN ... hold now.
    u32 (*poll)(struct file *file);
    // The queue that is woken when that changes; NULL: it never does.
    struct waitqueue *(*poll_queue)(struct file *file);
    i64 (*ioctl)(struct thread *thread, struct file *file, u32 request, u64 argument);
};

enum { FILE_SEEKABLE = 1, FILE_IS_WRITER = 2 };

struct file {
    const struct file_ops *ops;
    struct mount *mount; // counted, as its vnode; NULL: none
    struct vnode *vnode;
    void *private;
    u32 references;
    u32 traits;  // FILE_...; set when opened
    u32 version; // for its operations; set when opened
    u32 flags;   // O_ACCMODE and the status flags; atomic
    struct mutex lock;
    // under lock:
    u64 offset GUARDED_BY(&lock);
};

static inline struct path file_path(const struct file *file) {
    return (struct path){file->mount, file->vnode};
}

// A file without operations of its own gets those that pass to its vnode.
int file_create(struct path path, u32 flags, struct file **out);
int file_open_path(struct thread *thread, struct path path, u32 flags, struct file **out);
// Of a vnode that has no name in a mount.
int file_open_vnode(struct thread *thread, struct vnode *vnode, u32 flags, struct file **out);
struct file *file_get(struct file *file);
void file_put(struct file *file);
u32 file_flags(const struct file *file);
// With the position's own lock where there is a position.
i64 file_read(struct thread *thread, struct file *file, void *buffer, usize size, u32 flags);
i64 file_write(struct thread *thread, struct file *file, const void *buffer, usize size, u32 flags);
i64 file_read_at(struct thread *thread, struct file *file, void *buffer, usize size, u64 offset);
i64 file_write_at(struct thread *thread, struct file *file, const void *buffer, usize size,
                  u64 offset);
// Truncates or extends, within the process's limit.
int file_resize(struct thread *thread, struct vnode *vnode, u64 size_bytes);
// The same by who has not opened the file for writing, and may write to it.
int file_truncate(struct thread *thread, struct path path, u64 size_bytes);
u32 file_poll(struct file *file);

u64 device_number(u32 major, u32 minor);
u64 time_now_ns(void);
