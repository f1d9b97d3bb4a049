// Opening pipes by name: waiting for the other end, and the pipe that all who have it open share.
//
// fifo_lock guards the slots of all nodes and is taken to find, set and clear one.
#include "lib/heap.h"
#include "linux/abi.h"
#include "linux/fs/pipe_ring.h"
#include "linux/kernel_if.h"
#include "linux/thread.h"

// Who opens a pipe without a name, by /proc, never waits for its other end.
static bool is_named(const struct pipe *pipe) { return pipe->slot != NULL; }

void pipe_file_attach(struct pipe *pipe, struct file *file) {
    u32 mode = file_flags(file) & O_ACCMODE;
    file->ops = &pipe_ops;
    file->private = pipe;
    file->traits = 0;
    mutex_lock(&pipe->lock);
    pipe->readers += mode != O_WRONLY;
    pipe->readers_ever += mode != O_WRONLY;
    pipe->writers += mode != O_RDONLY;
    pipe->writers_ever += mode != O_RDONLY;
    bool waits_for_writers = is_named(pipe) && mode == O_RDONLY && pipe->writers == 0;
    file->version = waits_for_writers ? pipe->writers_ever : ~0U;
    mutex_unlock(&pipe->lock);
    waitqueue_wake(&pipe->changed);
}

// How many of the other end there have been; *is_there: there is one.
static u32 others_ever(struct pipe *pipe, u32 mode, bool *is_there) {
    mutex_lock(&pipe->lock);
    u32 ever = mode == O_RDONLY ? pipe->writers_ever : pipe->readers_ever;
    *is_there = (mode == O_RDONLY ? pipe->writers : pipe->readers) > 0;
    mutex_unlock(&pipe->lock);
    return ever;
}

// Until there is another end, or was one meanwhile.
static int wait_for_other(struct thread *thread, struct pipe *pipe, u32 mode, u32 before) {
    struct waiter waiter;
    bool is_there;
    int result = 0;
    waitqueue_add(&pipe->changed, &waiter, thread);
    while (result == 0) {
        u32 ticket = thread_ticket(thread);
        if (others_ever(pipe, mode, &is_there) != before || is_there) {
            break;
        }
        result = thread_wait(thread, ticket, DEADLINE_NEVER);
    }
    waitqueue_remove(&pipe->changed, &waiter);
    return result;
}

int pipe_open_end(struct thread *thread, struct pipe *pipe, struct file *file) {
    u32 mode = file_flags(file) & O_ACCMODE;
    bool waits = !(file_flags(file) & O_NONBLOCK);
    bool is_there;
    u32 before = others_ever(pipe, mode, &is_there);
    bool lacks_other = is_named(pipe) && mode != O_RDWR && !is_there;
    if (lacks_other && mode == O_WRONLY && !waits) {
        return -ENXIO;
    }
    vnode_get(&pipe->vnode);
    pipe_file_attach(pipe, file);
    int result = lacks_other && waits ? wait_for_other(thread, pipe, mode, before) : 0;
    if (result == 0) {
        vnode_put(&pipe->vnode);
    } else {
        pipe_ops.release(file);
    }
    return result;
}

static struct mutex fifo_lock;

static struct pipe *slot_get(struct thread *thread, struct pipe **slot) {
    mutex_lock(&fifo_lock);
    struct pipe *pipe = *slot;
    if (!pipe || !vnode_get_unless_zero(&pipe->vnode)) {
        pipe = pipe_make(thread);
        if (pipe) {
            pipe->slot = slot;
            *slot = pipe;
        }
    }
    mutex_unlock(&fifo_lock);
    return pipe;
}

void fifo_forget(struct pipe *pipe) {
    mutex_lock(&fifo_lock);
    if (*pipe->slot == pipe) {
        *pipe->slot = NULL;
    }
    mutex_unlock(&fifo_lock);
}

int fifo_open(struct thread *thread, struct pipe **slot, struct file *file) {
    struct pipe *pipe = slot_get(thread, slot);
    if (!pipe) {
        return -ENOMEM;
    }
    int result = pipe_open_end(thread, pipe, file);
    if (result != 0) {
        vnode_put(&pipe->vnode);
    }
    return result;
}
