// Pipes without Linux memory: looking at bytes, taking them out, and how many there may be.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/fs/pipe_ring.h"
#include "linux/kernel_if.h"

enum { PIPE_BYTES_MAX = 1 << 20 };

struct pipe *pipe_of(struct file *file) { return file->ops == &pipe_ops ? file->private : NULL; }

static void ring_copy_locked(const struct pipe *pipe, u64 at, u8 *buffer, usize size)
    REQUIRES(&pipe->lock) {
    while (size > 0) {
        usize within = at % PIPE_CHUNK;
        usize count = min(size, PIPE_CHUNK - within);
        memcpy(buffer, pipe->chunks[at / PIPE_CHUNK % pipe->chunks_count] + within, count);
        at += count;
        buffer += count;
        size -= count;
    }
}

static i64 pipe_try_peek(struct pipe *pipe, void *buffer, usize size) {
    mutex_lock(&pipe->lock);
    usize count = min(size, (usize)(pipe->head - pipe->tail));
    i64 result = count > 0 ? (i64)count : pipe->writers == 0 ? 0 : -EAGAIN;
    ring_copy_locked(pipe, pipe->tail, buffer, count);
    mutex_unlock(&pipe->lock);
    return result;
}

i64 pipe_peek(struct thread *thread, struct file *file, void *buffer, usize size, u32 flags) {
    struct pipe *pipe = file->private;
    struct waiter waiter;
    i64 result = pipe_try_peek(pipe, buffer, size);
    if (result != -EAGAIN || !pipe_may_wait(file, flags)) {
        return result;
    }
    waitqueue_add(&pipe->changed, &waiter, thread);
    for (;;) {
        u32 ticket = thread_ticket(thread);
        result = pipe_try_peek(pipe, buffer, size);
        if (result == -EAGAIN) {
            result = thread_wait(thread, ticket, DEADLINE_NEVER);
            if (result == 0) {
                continue;
            }
        }
        break;
    }
    waitqueue_remove(&pipe->changed, &waiter);
    return result;
}

void pipe_consume(struct pipe *pipe, usize size) {
    mutex_lock(&pipe->lock);
    pipe->tail += min((u64)size, pipe->head - pipe->tail);
    if (pipe->tail == pipe->head) {
        pipe->tail = pipe->head = 0;
    }
    mutex_unlock(&pipe->lock);
    waitqueue_wake(&pipe->changed);
}

i64 pipe_size(struct pipe *pipe) {
    mutex_lock(&pipe->lock);
    i64 size = (i64)pipe_capacity_locked(pipe);
    mutex_unlock(&pipe->lock);
    return size;
}

static i64 pipe_resize_locked(struct pipe *pipe, u32 count) REQUIRES(&pipe->lock) {
    u64 used = pipe->head - pipe->tail;
    if (used > (u64)count * PIPE_CHUNK) {
        return -EBUSY;
    }
    u8 **chunks = heap_alloc_zero(count * sizeof(*chunks));
    u8 *bytes = heap_alloc(max(used, 1UL));
    u32 made = 0;
    while (chunks && bytes && made * (u64)PIPE_CHUNK < used &&
           (chunks[made] = heap_alloc(PIPE_CHUNK))) {
        made++;
    }
    bool is_enough = chunks && bytes && made * (u64)PIPE_CHUNK >= used;
    if (is_enough) {
        ring_copy_locked(pipe, pipe->tail, bytes, used);
        for (u64 at = 0; at < used; at += PIPE_CHUNK) {
            memcpy(chunks[at / PIPE_CHUNK], bytes + at, min(used - at, (u64)PIPE_CHUNK));
        }
    }
    u8 **given_up = is_enough ? pipe->chunks : chunks;
    u32 given_up_count = is_enough ? pipe->chunks_count : made;
    for (u32 i = 0; i < given_up_count; i++) {
        heap_free(given_up[i]);
    }
    heap_free(given_up);
    heap_free(bytes);
    if (!is_enough) {
        return -ENOMEM;
    }
    pipe->chunks = chunks;
    pipe->chunks_count = count;
    pipe->tail = 0;
    pipe->head = used;
    return (i64)count * PIPE_CHUNK;
}

i64 pipe_set_size(struct pipe *pipe, u64 size, bool is_privileged) {
    u32 count = 1;
    if (size > (is_privileged ? 1UL << 31 : PIPE_BYTES_MAX)) {
        return is_privileged ? -EINVAL : -EPERM;
    }
    while ((u64)count * PIPE_CHUNK < size) {
        count *= 2;
    }
    mutex_lock(&pipe->lock);
    i64 result = pipe_resize_locked(pipe, count);
    mutex_unlock(&pipe->lock);
    waitqueue_wake(&pipe->changed);
    return result;
}
