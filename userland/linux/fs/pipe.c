// Pipes: a ring of bytes between files for reading and files for writing. A write of up to PIPE_BUF
// bytes goes in as a whole or waits; the first write allocates the ring. A pipe is a vnode, which its
// files count; one with a name (fifo.c) is counted by them beside the node that has the name.
//
// The pipe's lock guards the ring and the counts of ends. One wait queue: whatever changes wakes
// all, who look again.
#include "linux/fs/pipe_ring.h"

#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/credentials.h"
#include "linux/kernel_if.h"
#include "linux/signal.h"
#include "linux/thread.h"
#include "linux/waiting.h"

// Copies between the ring and a buffer, chunk by chunk. A chunk is there when bytes are in it.
static void ring_copy_out_locked(struct pipe *pipe, u8 *buffer, usize size) REQUIRES(&pipe->lock) {
    while (size > 0) {
        usize within = pipe->tail % PIPE_CHUNK;
        usize count = min(size, PIPE_CHUNK - within);
        memcpy(buffer, pipe->chunks[pipe->tail / PIPE_CHUNK % pipe->chunks_count] + within, count);
        pipe->tail += count;
        buffer += count;
        size -= count;
    }
    if (pipe->tail == pipe->head) {
        pipe->tail = pipe->head = 0;
    }
}

static bool ring_reserve_locked(struct pipe *pipe, usize size) REQUIRES(&pipe->lock) {
    for (u64 at = pipe->head / PIPE_CHUNK; at <= (pipe->head + size - 1) / PIPE_CHUNK; at++) {
        u8 **chunk = &pipe->chunks[at % pipe->chunks_count];
        if (!*chunk) {
            *chunk = heap_alloc(PIPE_CHUNK);
        }
        if (!*chunk) {
            return false;
        }
    }
    return true;
}

static void ring_copy_in_locked(struct pipe *pipe, const u8 *buffer, usize size)
    REQUIRES(&pipe->lock) {
    while (size > 0) {
        usize within = pipe->head % PIPE_CHUNK;
        usize count = min(size, PIPE_CHUNK - within);
        memcpy(pipe->chunks[pipe->head / PIPE_CHUNK % pipe->chunks_count] + within, buffer, count);
        pipe->head += count;
        buffer += count;
        size -= count;
    }
}

static i64 pipe_try_read(struct pipe *pipe, void *buffer, usize size) {
    mutex_lock(&pipe->lock);
    usize count = min(size, (usize)(pipe->head - pipe->tail));
    i64 result = count > 0 ? (i64)count : pipe->writers == 0 ? 0 : -EAGAIN;
    ring_copy_out_locked(pipe, buffer, count);
    mutex_unlock(&pipe->lock);
    if (count > 0) {
        waitqueue_wake(&pipe->changed);
    }
    return result;
}

static i64 pipe_try_write(struct pipe *pipe, const void *buffer, usize size) {
    i64 result;
    mutex_lock(&pipe->lock);
    usize room = pipe_capacity_locked(pipe) - (usize)(pipe->head - pipe->tail);
    usize count = min(size, room);
    if (pipe->readers == 0) {
        result = -EPIPE;
    } else if (count == 0 || (size <= LINUX_PIPE_BUF && count < size)) {
        result = -EAGAIN;
    } else if (!ring_reserve_locked(pipe, count)) {
        result = -ENOMEM;
    } else {
        ring_copy_in_locked(pipe, buffer, count);
        result = (i64)count;
    }
    mutex_unlock(&pipe->lock);
    if (result > 0) {
        waitqueue_wake(&pipe->changed);
    }
    return result;
}

bool pipe_may_wait(struct file *file, u32 flags) {
    return !(flags & IO_NOWAIT) && !(file_flags(file) & O_NONBLOCK);
}

static i64 pipe_read(struct thread *thread, struct file *file, void *buffer, usize size, u64 *,
                     u32 flags) {
    struct pipe *pipe = file->private;
    struct waiter waiter;
    i64 result = pipe_try_read(pipe, buffer, size);
    if (result != -EAGAIN || !pipe_may_wait(file, flags)) {
        return result;
    }
    waitqueue_add(&pipe->changed, &waiter, thread);
    for (;;) {
        u32 ticket = thread_ticket(thread);
        result = pipe_try_read(pipe, buffer, size);
        if (result != -EAGAIN) {
            break;
        }
        result = thread_wait(thread, ticket, DEADLINE_NEVER);
        if (result != 0) {
            break;
        }
    }
    waitqueue_remove(&pipe->changed, &waiter);
    return result;
}

static i64 pipe_write_waiting(struct thread *thread, struct pipe *pipe, const u8 *buffer,
                              usize size) {
    struct waiter waiter;
    usize done = 0;
    i64 result = 0;
    waitqueue_add(&pipe->changed, &waiter, thread);
    while (done < size) {
        u32 ticket = thread_ticket(thread);
        result = pipe_try_write(pipe, buffer + done, size - done);
        if (result == -EAGAIN) {
            result = thread_wait(thread, ticket, DEADLINE_NEVER);
        }
        if (result < 0) {
            break;
        }
        done += (usize)result;
    }
    waitqueue_remove(&pipe->changed, &waiter);
    return done > 0 ? (i64)done : result;
}

static i64 pipe_write(struct thread *thread, struct file *file, const void *buffer, usize size,
                      u64 *, u32 flags) {
    struct pipe *pipe = file->private;
    if (size == 0) {
        return 0;
    }
    i64 result = pipe_try_write(pipe, buffer, size);
    if ((result == -EAGAIN || (result >= 0 && (usize)result < size)) &&
        pipe_may_wait(file, flags)) {
        usize done = result > 0 ? (usize)result : 0;
        result = pipe_write_waiting(thread, pipe, (const u8 *)buffer + done, size - done);
        result = result > 0 || done == 0 ? result + (i64)done : (i64)done;
    }
    return result;
}

// A FIFO that nobody has written to since it was opened has not ended.
static u32 pipe_poll(struct file *file) {
    struct pipe *pipe = file->private;
    u32 mode = file_flags(file) & O_ACCMODE;
    u32 events = 0;
    mutex_lock(&pipe->lock);
    if (mode != O_WRONLY) {
        events |= pipe->head != pipe->tail ? POLLIN | POLLRDNORM : 0;
        bool has_ended = pipe->writers == 0 && file->version != pipe->writers_ever;
        events |= has_ended ? POLLHUP : 0;
    }
    if (mode != O_RDONLY) {
        bool has_room = pipe_capacity_locked(pipe) - (pipe->head - pipe->tail) >= LINUX_PIPE_BUF;
        events |= has_room ? POLLOUT | POLLWRNORM : 0;
        events |= pipe->readers == 0 ? POLLERR : 0;
    }
    mutex_unlock(&pipe->lock);
    return events;
}

static struct waitqueue *pipe_poll_queue(struct file *file) {
    return &((struct pipe *)file->private)->changed;
}

static i64 pipe_ioctl(struct thread *, struct file *file, u32 request, u64 argument) {
    struct pipe *pipe = file->private;
    if (request != FIONREAD) {
        return -ENOTTY;
    }
    mutex_lock(&pipe->lock);
    i32 count = (i32)(pipe->head - pipe->tail);
    mutex_unlock(&pipe->lock);
    return copy_to_linux(linux_pointer(argument), &count, sizeof(count));
}

static void pipe_file_release(struct file *file) {
    struct pipe *pipe = file->private;
    u32 mode = file_flags(file) & O_ACCMODE;
    mutex_lock(&pipe->lock);
    pipe->readers -= mode != O_WRONLY;
    pipe->writers -= mode != O_RDONLY;
    if (pipe->readers == 0 && pipe->writers == 0) {
        pipe->head = pipe->tail = 0; // what nobody has read is gone
    }
    mutex_unlock(&pipe->lock);
    waitqueue_wake(&pipe->changed);
    vnode_put(&pipe->vnode);
}

const struct file_ops pipe_ops = {
    .release = pipe_file_release,
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .poll_queue = pipe_poll_queue,
    .ioctl = pipe_ioctl,
};

// The last reference is gone: nobody else is left.
static void pipe_release(struct vnode *vnode) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct pipe *pipe = container_of(vnode, struct pipe, vnode);
    if (pipe->slot) {
        fifo_forget(pipe);
    }
    for (u32 i = 0; i < pipe->chunks_count; i++) {
        heap_free(pipe->chunks[i]);
    }
    heap_free(pipe->chunks);
    heap_free(pipe);
}

static int pipe_attributes(struct vnode *vnode, struct attributes *out) {
    const struct pipe *pipe = container_of(vnode, struct pipe, vnode);
    *out = (struct attributes){
        .ino = vnode->ino,
        .mode = MODE_FIFO | 0600,
        .nlink = 1,
        .uid = pipe->uid,
        .gid = pipe->gid,
        .atime_ns = pipe->made_ns,
        .mtime_ns = pipe->made_ns,
        .ctime_ns = pipe->made_ns,
    };
    return 0;
}

static int pipe_open(struct thread *thread, struct vnode *vnode, struct file *file) {
    struct pipe *pipe = container_of(vnode, struct pipe, vnode);
    vnode_get(vnode);
    int result = pipe_open_end(thread, pipe, file);
    if (result != 0) {
        vnode_put(vnode);
    }
    return result;
}

static const struct vnode_ops pipe_vnode_ops = {
    .release = pipe_release,
    .attributes = pipe_attributes,
    .open = pipe_open,
};

static struct file_system pipe_system = {.name = "pipefs", .device = 15};

struct pipe *pipe_make(struct thread *thread) THREAD_ANNOTATION(no_thread_safety_analysis) {
    static u64 last_ino; // atomic
    struct pipe *pipe = heap_alloc_zero(sizeof(*pipe));
    if (!pipe) {
        return NULL;
    }
    pipe->chunks_count = PIPE_BYTES / PIPE_CHUNK;
    pipe->chunks = heap_alloc_zero(pipe->chunks_count * sizeof(*pipe->chunks));
    if (!pipe->chunks) {
        heap_free(pipe);
        return NULL;
    }
    vnode_init(&pipe->vnode, &pipe_vnode_ops, &pipe_system, MODE_FIFO,
               __atomic_add_fetch(&last_ino, 1, __ATOMIC_RELAXED));
    waitqueue_init(&pipe->changed);
    pipe->uid = thread->process->credentials->fsuid;
    pipe->gid = thread->process->credentials->fsgid;
    pipe->made_ns = time_now_ns();
    return pipe;
}

// Both ends at once: neither waits for the other.
static int pipe_file(struct pipe *pipe, u32 flags, struct file **out) {
    int result = file_create((struct path){.vnode = &pipe->vnode}, flags, out);
    if (result == 0) {
        vnode_get(&pipe->vnode);
        pipe_file_attach(pipe, *out);
    }
    return result;
}

int pipe_create(struct thread *thread, u32 flags, struct file **reader, struct file **writer) {
    struct pipe *pipe = pipe_make(thread);
    if (!pipe) {
        return -ENOMEM;
    }
    int result = pipe_file(pipe, O_RDONLY | (flags & O_NONBLOCK), reader);
    if (result == 0) {
        result = pipe_file(pipe, O_WRONLY | (flags & O_NONBLOCK), writer);
        if (result != 0) {
            file_put(*reader);
        }
    }
    vnode_put(&pipe->vnode);
    return result;
}
