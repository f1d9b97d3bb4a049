// Advisory locks: flock's on whole files, fcntl's on ranges of bytes, of a process or of an open file.
// Rules:
// - an owner is an address: the descriptor table for a process's ranges, the open file for flock and
//   for its own ranges; the two kinds do not see each other;
// - ranges are [start, end), end ~0 for "to the end of the file, wherever that is";
// - a vnode without locks costs a pointer; the structure behind it lives as long as the vnode.
#pragma once

#include "linux/vfs.h"

struct descriptors;

enum lock_kind { LOCK_KIND_FLOCK, LOCK_KIND_RANGE };
enum lock_type { LOCK_READ, LOCK_WRITE, LOCK_NONE };

struct lock_request {
    enum lock_kind kind;
    enum lock_type type;
    const void *owner;
    i32 pid; // for who asks; -1: an open file's
    u64 start;
    u64 end;
};

enum { LOCK_TRY = 0, LOCK_WAIT = 1 };

// Takes, changes or (LOCK_NONE) gives back. -EAGAIN; waiting: -EDEADLK, -ERESTARTSYS; -ENOLCK.
int file_lock(struct thread *thread, struct vnode *vnode, const struct lock_request *request,
              u32 flags);
// The first lock that is in the way of the request; false: none.
bool file_lock_test(struct vnode *vnode, const struct lock_request *request,
                    struct lock_request *found);

// What a close gives back: a process's ranges in this file; everything of an open file at its end.
void file_locks_close(struct vnode *vnode, struct descriptors *descriptors);
void file_locks_release(struct vnode *vnode, struct file *file);
// The vnode's end.
void file_locks_free(struct vnode *vnode);
