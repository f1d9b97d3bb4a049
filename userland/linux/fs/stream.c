// Streams over channels. What a message brings beyond what was asked for is kept for the next read.
// Readers wait in the kernel on the channel, without the lock; who finds the buffer empty receives.
#include "linux/fs/stream.h"

#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/fs/anonymous.h"
#include "linux/kernel_if.h"
#include "linux/signal.h"

enum { STREAM_BUFFER_BYTES = PAGE_SIZE };

struct stream {
    u32 references;
    u32 channel;
    struct mutex lock;
    // under lock:
    u8 *buffer GUARDED_BY(&lock); // NULL until the first read
    u32 start GUARDED_BY(&lock);
    u32 end GUARDED_BY(&lock);
};

static struct stream *console;

static i64 stream_take_locked(struct stream *stream, void *buffer, usize size)
    REQUIRES(&stream->lock) {
    usize count = min(size, (usize)(stream->end - stream->start));
    memcpy(buffer, stream->buffer + stream->start, count);
    stream->start += (u32)count;
    return (i64)count;
}

// Bytes, 0 at the end of the stream, -EAGAIN when there is nothing yet.
static i64 stream_try_read(struct stream *stream, void *buffer, usize size) {
    mutex_lock(&stream->lock);
    i64 count = -ENOMEM;
    if (!stream->buffer) {
        stream->buffer = heap_alloc(STREAM_BUFFER_BYTES);
    }
    if (stream->buffer && stream->start < stream->end) {
        count = stream_take_locked(stream, buffer, size);
    } else if (stream->buffer) {
        count = kernel_stream_read(stream->channel, stream->buffer, STREAM_BUFFER_BYTES);
        stream->start = 0;
        stream->end = count > 0 ? (u32)count : 0;
        if (count > 0) {
            count = stream_take_locked(stream, buffer, size);
        }
    }
    mutex_unlock(&stream->lock);
    return count;
}

static i64 stream_wait(struct thread *thread, struct stream *stream, u32 signals) {
    u32 observed;
    do {
        if (signal_is_pending(thread)) {
            return -ERESTARTSYS;
        }
    } while (kernel_object_wait(stream->channel, signals | SIGNAL_PEER_CLOSED, DEADLINE_NEVER,
                                &observed) == -EINTR);
    return 0;
}

static i64 stream_read(struct thread *thread, struct file *file, void *buffer, usize size, u64 *,
                       u32 flags) {
    struct stream *stream = file->private;
    for (;;) {
        i64 count = stream_try_read(stream, buffer, size);
        if (count != -EAGAIN || (flags & IO_NOWAIT) || (file_flags(file) & O_NONBLOCK)) {
            return count;
        }
        i64 result = stream_wait(thread, stream, SIGNAL_READABLE);
        if (result != 0) {
            return result;
        }
    }
}

static i64 stream_write(struct thread *thread, struct file *file, const void *buffer, usize size,
                        u64 *, u32 flags) {
    struct stream *stream = file->private;
    for (;;) {
        i64 count = kernel_stream_write(stream->channel, buffer, size);
        if (count != -EAGAIN || (flags & IO_NOWAIT) || (file_flags(file) & O_NONBLOCK)) {
            return count;
        }
        i64 result = stream_wait(thread, stream, SIGNAL_WRITABLE);
        if (result != 0) {
            return result;
        }
    }
}

static u32 stream_poll(struct file *file) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct stream *stream = file->private;
    u32 observed = 0;
    u32 events = 0;
    kernel_object_wait(stream->channel, SIGNAL_READABLE | SIGNAL_WRITABLE | SIGNAL_PEER_CLOSED, 0,
                       &observed);
    events |= observed & (SIGNAL_READABLE | SIGNAL_PEER_CLOSED) ? POLLIN | POLLRDNORM : 0;
    events |= observed & SIGNAL_WRITABLE ? POLLOUT | POLLWRNORM : 0;
    events |= observed & SIGNAL_PEER_CLOSED ? POLLHUP : 0;
    return stream->start < stream->end ? events | POLLIN | POLLRDNORM : events;
}

static void stream_release(struct file *file) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct stream *stream = file->private;
    if (__atomic_fetch_sub(&stream->references, 1, __ATOMIC_ACQ_REL) == 1) {
        kernel_close(stream->channel);
        heap_free(stream->buffer);
        heap_free(stream);
    }
}

static const struct file_ops stream_ops = {
    .release = stream_release,
    .read = stream_read,
    .write = stream_write,
    .poll = stream_poll,
};

bool file_is_stream(const struct file *file) { return file->ops == &stream_ops; }

int stream_create(u32 channel, u32 flags, struct file **out) {
    struct stream *stream = heap_alloc_zero(sizeof(*stream));
    if (!stream) {
        return -ENOMEM;
    }
    int result = file_create(anonymous_fifo(), flags, out);
    if (result != 0) {
        heap_free(stream);
        return result;
    }
    stream->references = 1;
    stream->channel = channel;
    (*out)->private = stream;
    (*out)->ops = &stream_ops;
    (*out)->traits = 0;
    return 0;
}

int stream_open_console(struct file *file) {
    if (!console) {
        return -ENXIO;
    }
    __atomic_fetch_add(&console->references, 1, __ATOMIC_RELAXED);
    file->private = console;
    file->ops = &stream_ops;
    file->traits = 0;
    return 0;
}

void stream_set_console(struct file *file) { console = file->private; }
