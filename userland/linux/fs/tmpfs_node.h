// What the parts of tmpfs share: nodes (tmpfs.c), names in a directory (tmpfs_names.c), operations
// on directories (tmpfs_directory.c, tmpfs_rename.c, tmpfs_list.c), contents (tmpfs_data.c,
// tmpfs_pages.c), and what an image below has of all this (tmpfs_lower.c).
//
// A node with a `lower` inode stands for that inode of the image. Such nodes are made when they are
// looked up, and forgotten with their last reference, unless they are pinned: a node pins itself when
// it differs from its inode. A directory's own names come before those of its lower inode; a name of
// its own without a target is a whiteout, which hides the image's. So a renamed directory takes its
// lower names along, and each of the image's names is visible in one place at most.
//
// One lock for all instances: tmpfs_lock guards every field of every node that can change, and is
// held while the image's metadata is read. It is innermost but for the heap's. A node's reference is
// never given up with it held.
#pragma once

#include "lib/erofs.h"
#include "lib/list.h"
#include "lib/mutex.h"
#include "linux/fs/tmpfs.h"
#include "linux/vfs.h"

struct pipe;
struct tmpfs_node;

// One name in a directory. Ids grow in order of creation, so that a cookie (the id before which to
// go on) survives every change.
struct tmpfs_entry {
    struct list node;          // in the directory's list, newest first
    struct tmpfs_entry *chain; // in its bucket
    struct tmpfs_node *target; // counted; NULL: a whiteout, or reserved for what comes now
    u64 id;
    u32 hash;
    u16 name_size;
    bool hides_lower; // the image has the same name
    bool is_reserved; // new: neither filled nor cleared yet
    char name[];
};

// What a listing shows of an entry.
struct tmpfs_listed {
    struct name name;
    u64 ino;
    u32 type; // DT_...
};

struct tmpfs_names {
    struct list entries;
    struct tmpfs_entry **buckets; // NULL while there are few
    u32 buckets_count;            // a power of two
    u32 count;
    u32 live;   // those with a target
    u32 hiding; // those that hide one of the image's
    u64 next_id;
};

// Contents of a regular file. Of the image's bytes those below base_size are still seen where there
// is no page. What lies beyond the end of the file in its last page is undefined.
struct tmpfs_data {
    u64 base_size;
    u64 count;  // pages that are there, the image's included
    void *root; // tmpfs_pages.c
    u32 height;
    u32 first_bytes; // with height 0: how many bytes of page 0 there are
    u32 object;      // 0, or all is in this memory object instead (tmpfs_object.c)
};

struct tmpfs_node {
    struct vnode base;
    const struct erofs_inode *lower; // what the image has; NULL: nothing. Constant
    // under tmpfs_lock:
    struct tmpfs_node *chain;  // in the table of lower nodes
    struct tmpfs_node *parent; // where its name was last seen; counted; the root has none
    char *removed_name;        // what it was, with its final zero, if somebody may ask
    bool is_linkable;          // it never had a name, and may get one
    bool is_pinned;
    u32 mode;
    u32 nlink;
    u32 uid;
    u32 gid;
    u64 device;
    u64 size_bytes;
    u64 atime_ns;
    u64 mtime_ns;
    u64 ctime_ns;
    union {
        struct tmpfs_names names;
        struct tmpfs_data data;
        char *link;        // size_bytes long; NULL: the image's
        struct pipe *pipe; // of a FIFO; fifo.c's
    };
};

extern struct mutex tmpfs_lock;
extern const struct vnode_ops tmpfs_ops;

static inline struct tmpfs_node *tmpfs_node(struct vnode *vnode) {
    return container_of(vnode, struct tmpfs_node, base);
}

static inline struct tmpfs *tmpfs_of(const struct tmpfs_node *node) {
    return container_of(node->base.system, struct tmpfs, system);
}

// Whether there may be so many pages, or one node, more; and that there are less.
bool tmpfs_pages_charge(struct tmpfs_node *node, u64 count);
void tmpfs_pages_uncharge(struct tmpfs_node *node, u64 count);
bool tmpfs_node_charge(struct tmpfs *tmpfs);
void tmpfs_node_uncharge(struct tmpfs *tmpfs);

// NULL is no node.
void tmpfs_node_put(struct tmpfs_node *node);
int tmpfs_node_create(struct file_system *system, const struct creation *creation,
                      struct tmpfs_node **out);
// Inode numbers of nodes that are made are above this one.
void tmpfs_inos_reserve(u64 last);
// It differs from its inode from now on.
void tmpfs_pin_locked(struct tmpfs_node *node) REQUIRES(&tmpfs_lock);
// It was looked at: its time is noted when it changed since the last look, or that was a day ago. What
// is the image's has no time of its own.
void tmpfs_accessed_locked(struct tmpfs_node *node) REQUIRES(&tmpfs_lock);
// Its contents changed.
void tmpfs_touch_locked(struct tmpfs_node *node) REQUIRES(&tmpfs_lock);
// One name less. When it was the last, returns a reference that is to be given up.
struct tmpfs_node *tmpfs_unlinked_locked(struct tmpfs_node *node) REQUIRES(&tmpfs_lock);
static inline bool tmpfs_is_removed_locked(const struct tmpfs_node *node) REQUIRES(&tmpfs_lock) {
    return node->nlink == 0;
}

// Names. entry_reserve gives the entry that there is, or a new one without a target (NULL: no memory),
// which is then filled, cleared or abandoned before the lock is given back. entry_fill consumes a
// reference to the target; entry_take gives it to the caller, NULL if there is none; entry_clear ends
// the entry as well, unless it has to stay as a whiteout.
u32 tmpfs_name_hash(struct name name);
struct tmpfs_entry *tmpfs_entry_find_locked(struct tmpfs_node *directory, struct name name)
    REQUIRES(&tmpfs_lock);
struct tmpfs_entry *tmpfs_entry_reserve_locked(struct tmpfs_node *directory, struct name name)
    REQUIRES(&tmpfs_lock);
void tmpfs_entry_fill_locked(struct tmpfs_node *directory, struct tmpfs_entry *entry,
                             struct tmpfs_node *target) REQUIRES(&tmpfs_lock);
struct tmpfs_node *tmpfs_entry_take_locked(struct tmpfs_node *directory, struct tmpfs_entry *entry)
    REQUIRES(&tmpfs_lock);
void tmpfs_entry_abandon_locked(struct tmpfs_node *directory, struct tmpfs_entry *entry)
    REQUIRES(&tmpfs_lock);
struct tmpfs_node *tmpfs_entry_clear_locked(struct tmpfs_node *directory, struct tmpfs_entry *entry)
    REQUIRES(&tmpfs_lock);
void tmpfs_names_free(struct tmpfs_node *directory);
// A counted child.
int tmpfs_child_locked(struct tmpfs_node *directory, struct name name, struct tmpfs_node **out)
    REQUIRES(&tmpfs_lock);
// Whether `node` may be taken away as what the flags say (UNLINK_DIRECTORY).
int tmpfs_removal_check_locked(struct tmpfs_node *node, u32 flags) REQUIRES(&tmpfs_lock);

// The image.
int tmpfs_lower_child_locked(struct tmpfs_node *directory, struct name name,
                             struct tmpfs_node **out) REQUIRES(&tmpfs_lock);
bool tmpfs_lower_has_locked(struct tmpfs_node *directory, struct name name) REQUIRES(&tmpfs_lock);
// The next of the names that the image has from *cookie on, without whiteouts, "." and "..", as what
// the directory has under it now. 1, 0 after the last, or a negative error.
int tmpfs_lower_next_locked(struct tmpfs_node *directory, u64 *cookie, struct tmpfs_listed *out)
    REQUIRES(&tmpfs_lock);
// How many names the image has in the directory, hidden ones included.
u64 tmpfs_lower_count(const struct tmpfs_node *directory);
void tmpfs_lower_forget_locked(struct tmpfs_node *node) REQUIRES(&tmpfs_lock);
void tmpfs_lower_read(const struct tmpfs_node *node, void *buffer, usize size, u64 offset);
void tmpfs_lower_map(const struct tmpfs_node *node, u64 offset, struct page_source *out);

// Pages, found by index. A slot that is NULL is a hole. tmpfs_page_slot makes the way to a slot;
// NULL: no memory. tmpfs_first_page is for a file without page tables: page 0, at least `size` bytes
// long; what a new one holds is undefined, what is added to one is zeros. tmpfs_pages_next gives the first page that is there from *index on.
u8 **tmpfs_page_slot(struct tmpfs_data *data, u64 index);
u8 *tmpfs_first_page(struct tmpfs_data *data, u32 size);
u8 *tmpfs_page_find(const struct tmpfs_data *data, u64 index);
u8 *tmpfs_pages_next(const struct tmpfs_data *data, u64 *index);
// Frees one that is there.
void tmpfs_page_drop(struct tmpfs_data *data, u64 index);
// Frees those from `first` on; how many.
u64 tmpfs_pages_cut(struct tmpfs_data *data, u64 first);

int tmpfs_statfs(struct vnode *vnode, struct usage *out);

// Contents.
enum : u64 { TMPFS_FILE_BYTES_MAX = (1UL << 63) - 1 };
static inline u64 tmpfs_pages_of(u64 size_bytes) {
    return size_bytes / PAGE_SIZE + ((size_bytes & PAGE_MASK) != 0);
}
// The page with this index, there for [from, to) to be written; the rest of it is what it was.
u8 *tmpfs_page_for_write_locked(struct tmpfs_node *node, u64 index, usize from, usize to)
    REQUIRES(&tmpfs_lock);
// The first `count` bytes of a page, from wherever they are.
void tmpfs_page_copy_locked(const struct tmpfs_node *node, u64 index, u8 *buffer, usize count)
    REQUIRES(&tmpfs_lock);
// The file ends at `size_bytes` from now on, which is not before its end so far.
void tmpfs_extend_locked(struct tmpfs_node *node, u64 size_bytes) REQUIRES(&tmpfs_lock);
i64 tmpfs_read(struct vnode *vnode, void *buffer, usize size, u64 offset);
i64 tmpfs_write(struct vnode *vnode, const void *buffer, usize size, u64 offset, u32 flags);
int tmpfs_resize_locked(struct tmpfs_node *node, u64 size_bytes) REQUIRES(&tmpfs_lock);
int tmpfs_allocate(struct vnode *vnode, u32 flags, u64 offset, u64 size);
i64 tmpfs_seek(struct vnode *vnode, u64 offset, u32 wanted);
int tmpfs_map(struct vnode *vnode, u64 offset, struct page_source *out);

int tmpfs_share(struct vnode *vnode, u64 offset, struct page_source *out);

// Contents in a memory object: its size is the file's in whole pages, one at least.
int tmpfs_object_read_locked(struct tmpfs_node *node, u8 *buffer, usize size, u64 offset)
    REQUIRES(&tmpfs_lock);
i64 tmpfs_object_write_locked(struct tmpfs_node *node, const u8 *buffer, usize size, u64 offset)
    REQUIRES(&tmpfs_lock);
int tmpfs_object_resize_locked(struct tmpfs_node *node, u64 size_bytes) REQUIRES(&tmpfs_lock);
int tmpfs_object_clear_locked(struct tmpfs_node *node, u64 offset, u64 end) REQUIRES(&tmpfs_lock);
void tmpfs_object_end(struct tmpfs_node *node);

// Directories.
int tmpfs_lookup(struct vnode *directory, struct name name, struct vnode **out);
int tmpfs_create(struct vnode *directory, struct name name, const struct creation *creation,
                 struct vnode **out);
int tmpfs_symlink(struct vnode *directory, struct name name, const struct creation *creation,
                  struct name target);
int tmpfs_link(struct vnode *directory, struct name name, struct vnode *target);
int tmpfs_unlink(struct vnode *directory, struct name name, struct vnode *target, u32 flags);
int tmpfs_rename(const struct rename_side *from, const struct rename_side *to, u32 flags);
int tmpfs_make_unnamed(struct vnode *directory, const struct creation *creation, u32 flags,
                       struct vnode **out);
int tmpfs_name(struct vnode *vnode, struct vnode **directory, char *name, u32 *size);
// Keeps the name of a node that loses its last one, where others than the caller have the node.
void tmpfs_name_keep_locked(struct tmpfs_node *node, struct name name, u32 references)
    REQUIRES(&tmpfs_lock);
int tmpfs_list(struct vnode *directory, u64 *cookie, struct directory_sink *sink);
