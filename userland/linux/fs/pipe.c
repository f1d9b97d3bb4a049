// Pipes: a ring of bytes between files for reading and files for writing. A write of up to PIPE_BUF
// bytes goes in as a whole or waits; the first write allocates the ring.
//
// The pipe's lock guards the ring and the counts of ends. One wait queue: whatever changes wakes
// all, who look again.
#include "linux/fs/pipe.h"

#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/fs/anonymous.h"
#include "linux/kernel_if.h"
#include "linux/signal.h"
#include "linux/thread.h"
#include "linux/waiting.h"

enum { PIPE_BYTES = 64 << 10, PIPE_CHUNK = PAGE_SIZE, PIPE_CHUNKS = PIPE_BYTES / PIPE_CHUNK };

struct pipe {
    struct mutex lock;
    struct waitqueue changed;
    // under lock:
    u32 readers GUARDED_BY(&lock); // files, not descriptors
    u32 writers GUARDED_BY(&lock);
    u64 head GUARDED_BY(&lock); // bytes ever written
    u64 tail GUARDED_BY(&lock); // bytes ever read
    u8 *chunks[PIPE_CHUNKS] GUARDED_BY(&lock);
};

// Copies between the ring and a buffer, chunk by chunk. A chunk is there when bytes are in it.
static void ring_copy_out_locked(struct pipe *pipe, u8 *buffer, usize size) REQUIRES(&pipe->lock) {
    while (size > 0) {
        usize within = pipe->tail % PIPE_CHUNK;
        usize count = min(size, PIPE_CHUNK - within);
        memcpy(buffer, pipe->chunks[pipe->tail / PIPE_CHUNK % PIPE_CHUNKS] + within, count);
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
        u8 **chunk = &pipe->chunks[at % PIPE_CHUNKS];
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
        memcpy(pipe->chunks[pipe->head / PIPE_CHUNK % PIPE_CHUNKS] + within, buffer, count);
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
    usize room = PIPE_BYTES - (usize)(pipe->head - pipe->tail);
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

static bool pipe_may_wait(struct file *file, u32 flags) {
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

static u32 pipe_poll(struct file *file) {
    struct pipe *pipe = file->private;
    u32 events = 0;
    mutex_lock(&pipe->lock);
    if ((file_flags(file) & O_ACCMODE) == O_RDONLY) {
        events |= pipe->head != pipe->tail ? POLLIN | POLLRDNORM : 0;
        events |= pipe->writers == 0 ? POLLHUP : 0;
    } else {
        bool has_room = PIPE_BYTES - (pipe->head - pipe->tail) >= LINUX_PIPE_BUF;
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

// The last end frees the ring without the lock: nobody else is left.
static void pipe_release(struct file *file) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct pipe *pipe = file->private;
    mutex_lock(&pipe->lock);
    if ((file_flags(file) & O_ACCMODE) == O_RDONLY) {
        pipe->readers--;
    } else {
        pipe->writers--;
    }
    bool is_last = pipe->readers == 0 && pipe->writers == 0;
    if (!is_last) {
        waitqueue_wake(&pipe->changed); // under the lock: afterwards the other end may free it
    }
    mutex_unlock(&pipe->lock);
    if (!is_last) {
        return;
    }
    for (u32 i = 0; i < PIPE_CHUNKS; i++) {
        heap_free(pipe->chunks[i]);
    }
    heap_free(pipe);
}

static const struct file_ops pipe_ops = {
    .release = pipe_release,
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .poll_queue = pipe_poll_queue,
    .ioctl = pipe_ioctl,
};

static int pipe_file(struct pipe *pipe, u32 flags, struct file **out) {
    int result = file_create(anonymous_fifo(), flags, out);
    if (result == 0) {
        (*out)->ops = &pipe_ops;
        (*out)->private = pipe;
        (*out)->traits = 0;
    }
    return result;
}

int pipe_create(u32 flags, struct file **reader, struct file **writer)
    THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct pipe *pipe = heap_alloc_zero(sizeof(*pipe));
    if (!pipe) {
        return -ENOMEM;
    }
    waitqueue_init(&pipe->changed);
    pipe->readers = 1;
    if (pipe_file(pipe, O_RDONLY | (flags & O_NONBLOCK), reader) != 0) {
        heap_free(pipe);
        return -ENOMEM;
    }
    if (pipe_file(pipe, O_WRONLY | (flags & O_NONBLOCK), writer) != 0) {
        file_put(*reader);
        return -ENOMEM;
    }
    pipe->writers = 1;
    return 0;
}
