// What the parts of tmpfs share: nodes (tmpfs.c), directories (tmpfs_directory.c), contents
// (tmpfs_data.c).
//
// One lock for all instances: tmpfs_lock guards every field of every node that can change. It is
// innermost but for the heap's.
#pragma once

#include "lib/list.h"
#include "lib/mutex.h"
#include "linux/vfs.h"

struct tmpfs_node;

// One name in a directory. Ids grow in order of creation, so that a cookie (the id after which to
// go on) survives every change.
struct tmpfs_entry {
    struct list node;
    struct tmpfs_node *target; // counted
    u64 id;
    u32 name_size;
    char name[];
};

// Contents of a regular file: a table of pages, NULL for a hole.
struct tmpfs_data {
    u8 **pages;
    u32 capacity; // of the table, in pages
    u32 count;    // pages that are there
};

struct tmpfs_node {
    struct vnode base;
    // under tmpfs_lock:
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
        struct {
            struct list entries;
            struct tmpfs_node *parent; // not counted: it outlives what is in it
            u64 next_id;
        } directory;
        struct tmpfs_data data;
        char *link; // size_bytes long
    };
};

extern struct mutex tmpfs_lock;
extern const struct vnode_ops tmpfs_ops;

static inline struct tmpfs_node *tmpfs_node(struct vnode *vnode) {
    return container_of(vnode, struct tmpfs_node, base);
}

int tmpfs_node_create(struct file_system *system, u32 mode, struct tmpfs_node **out);
void tmpfs_touch_locked(struct tmpfs_node *node) REQUIRES(&tmpfs_lock);

// Contents.
i64 tmpfs_read(struct vnode *vnode, void *buffer, usize size, u64 offset);
i64 tmpfs_write(struct vnode *vnode, const void *buffer, usize size, u64 offset, u32 flags);
int tmpfs_resize_locked(struct tmpfs_node *node, u64 size_bytes) REQUIRES(&tmpfs_lock);
void tmpfs_data_free(struct tmpfs_data *data);

// Directories.
int tmpfs_lookup(struct vnode *directory, struct name name, struct vnode **out);
int tmpfs_create(struct vnode *directory, struct name name, u32 mode, u64 device,
                 struct vnode **out);
int tmpfs_symlink(struct vnode *directory, struct name name, struct name target);
int tmpfs_link(struct vnode *directory, struct name name, struct vnode *target);
int tmpfs_unlink(struct vnode *directory, struct name name, u32 flags);
int tmpfs_rename(struct vnode *directory, struct name name, struct vnode *new_directory,
                 struct name new_name, u32 flags);
int tmpfs_list(struct vnode *directory, u64 *cookie, struct directory_sink *sink);
