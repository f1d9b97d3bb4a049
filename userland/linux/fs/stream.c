// Streams over channels. What a message brings beyond what was asked for is kept for the next read.
// Readers and writers wait in the kernel on the channel, without the lock; who finds the buffer empty
// receives. A channel is counted, because a stream's can be replaced while somebody waits on it: then
// all of the stream's waiters are kicked, and look again.
#include "linux/fs/stream.h"

#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/events.h"
#include "linux/fs/anonymous.h"
#include "linux/kernel_if.h"
#include "linux/output.h"
#include "linux/signal.h"
#include "linux/thread.h"

enum { STREAM_BUFFER_BYTES = PAGE_SIZE };

struct attachment {
    u32 references;
    handle_t channel;
};

struct stream {
    u32 references;
    enum stream_kind kind;
    u32 log;
    struct waitqueue changed;
    struct event_watch watch; // for who polls; of the attached channel
    struct mutex lock;
    // under lock:
    struct attachment *attached GUARDED_BY(&lock); // NULL: nobody
    bool is_over GUARDED_BY(&lock);                // the input has ended
    u8 *buffer GUARDED_BY(&lock);                  // NULL until the first read
    u32 start GUARDED_BY(&lock);
    u32 end GUARDED_BY(&lock);
};

static struct mutex standard_lock;
static struct stream *standard[3] GUARDED_BY(&standard_lock);

static void attachment_put(struct attachment *attachment) {
    if (attachment && __atomic_fetch_sub(&attachment->references, 1, __ATOMIC_ACQ_REL) == 1) {
        kernel_close(attachment->channel);
        heap_free(attachment);
    }
}

static struct attachment *attachment_create(handle_t channel) {
    struct attachment *attachment = channel ? heap_alloc(sizeof(*attachment)) : NULL;
    if (attachment) *attachment = (struct attachment){.references = 1, .channel = channel};
    return attachment;
}

static struct attachment *attachment_get(struct stream *stream) {
    mutex_lock(&stream->lock);
    struct attachment *attachment = stream->attached;
    if (attachment) __atomic_fetch_add(&attachment->references, 1, __ATOMIC_RELAXED);
    mutex_unlock(&stream->lock);
    return attachment;
}

static void channel_ready(struct event_watch *watch, u32) {
    waitqueue_wake(&container_of(watch, struct stream, watch)->changed);
}

static void stream_detach_locked(struct stream *stream) REQUIRES(&stream->lock) {
    if (stream->attached) event_unwatch(&stream->watch);
    attachment_put(stream->attached);
    stream->attached = NULL;
}

static i64 stream_take_locked(struct stream *stream, void *buffer, usize size)
    REQUIRES(&stream->lock) {
    usize count = min(size, (usize)(stream->end - stream->start));
    memcpy(buffer, stream->buffer + stream->start, count);
    stream->start += (u32)count;
    return (i64)count;
}

// Gets the next message into the buffer.
static i64 stream_fill_locked(struct stream *stream) REQUIRES(&stream->lock) {
    if (!stream->attached) return stream->is_over ? 0 : -EAGAIN;
    i64 count = kernel_stream_read(stream->attached->channel, stream->buffer, STREAM_BUFFER_BYTES);
    stream->start = 0;
    stream->end = count > 0 ? (u32)count : 0;
    if (count == 0) {
        stream->is_over = true;
        stream_detach_locked(stream);
    }
    return count;
}

// Bytes, 0 at the end of the stream, -EAGAIN when there is nothing yet.
static i64 stream_try_read(struct stream *stream, void *buffer, usize size) {
    mutex_lock(&stream->lock);
    i64 count = 1;
    if (!stream->buffer) stream->buffer = heap_alloc(STREAM_BUFFER_BYTES);
    if (!stream->buffer)
        count = -ENOMEM;
    else if (stream->start == stream->end)
        count = stream_fill_locked(stream);
    if (count > 0) count = stream_take_locked(stream, buffer, size);
    mutex_unlock(&stream->lock);
    return count;
}

// As much as a stream takes now; a container's without a reader takes everything.
static i64 stream_try_write(struct stream *stream, const void *buffer, usize size) {
    mutex_lock(&stream->lock);
    i64 count =
        stream->attached ? kernel_stream_write(stream->attached->channel, buffer, size) : -EPIPE;
    if (count == -EPIPE && stream->kind == STREAM_CONTAINER) {
        stream_detach_locked(stream);
        count = (i64)size;
    }
    mutex_unlock(&stream->lock);
    if (count > 0 && stream->log) output_log((enum log_stream)stream->log, buffer, (usize)count);
    return count;
}

// Returns when it may be worth trying again, 0, or when there is a signal.
static i64 stream_wait(struct thread *thread, struct stream *stream, u32 signals, u32 ticket) {
    u32 observed;
    struct attachment *attachment = attachment_get(stream);
    i64 result = signal_is_pending(thread) ? -ERESTARTSYS : 0;
    if (result == 0 && attachment)
        kernel_object_wait(attachment->channel, signals | SIGNAL_PEER_CLOSED, DEADLINE_NEVER,
                           &observed);
    else if (result == 0)
        result = thread_wait(thread, ticket, DEADLINE_NEVER);
    attachment_put(attachment);
    return result;
}

static bool may_wait(const struct file *file, u32 flags) {
    return !(flags & IO_NOWAIT) && !(file_flags(file) & O_NONBLOCK);
}

static i64 stream_read(struct thread *thread, struct file *file, void *buffer, usize size, u64 *,
                       u32 flags) {
    struct stream *stream = file->private;
    struct waiter waiter;
    i64 count = stream_try_read(stream, buffer, size);
    if (count != -EAGAIN || !may_wait(file, flags)) return count;
    waitqueue_add(&stream->changed, &waiter, thread);
    for (;;) {
        u32 ticket = thread_ticket(thread);
        count = stream_try_read(stream, buffer, size);
        if (count != -EAGAIN) break;
        count = stream_wait(thread, stream, SIGNAL_READABLE, ticket);
        if (count != 0) break;
    }
    waitqueue_remove(&stream->changed, &waiter);
    return count;
}

static i64 stream_write_waiting(struct thread *thread, struct stream *stream, const void *buffer,
                                usize size) {
    struct waiter waiter;
    i64 count;
    waitqueue_add(&stream->changed, &waiter, thread);
    for (;;) {
        u32 ticket = thread_ticket(thread);
        count = stream_try_write(stream, buffer, size);
        if (count != -EAGAIN) break;
        count = stream_wait(thread, stream, SIGNAL_WRITABLE, ticket);
        if (count != 0) break;
    }
    waitqueue_remove(&stream->changed, &waiter);
    return count;
}

static i64 stream_write(struct thread *thread, struct file *file, const void *buffer, usize size,
                        u64 *, u32 flags) {
    i64 count = stream_try_write(file->private, buffer, size);
    if (count != -EAGAIN || !may_wait(file, flags)) return count;
    return stream_write_waiting(thread, file->private, buffer, size);
}

// Has pollers woken when the channel is ready for what the file is for. What can't be watched is
// called ready: then the program finds out by itself.
static u32 stream_watch_locked(struct stream *stream, struct file *file, u32 observed)
    REQUIRES(&stream->lock) {
    bool reads = (file_flags(file) & O_ACCMODE) == O_RDONLY;
    u32 awaited = (reads ? SIGNAL_READABLE : SIGNAL_WRITABLE) | SIGNAL_PEER_CLOSED;
    if (!stream->attached || (observed & awaited)) return observed;
    int result = event_watch_arm(&stream->watch, stream->attached->channel, awaited);
    return result == 0 ? observed : observed | awaited;
}

static u32 stream_poll(struct file *file) {
    struct stream *stream = file->private;
    u32 observed = 0;
    u32 events = 0;
    mutex_lock(&stream->lock);
    bool is_output = stream->kind == STREAM_CONTAINER && stream->log;
    if (stream->attached)
        kernel_object_wait(stream->attached->channel,
                           SIGNAL_READABLE | SIGNAL_WRITABLE | SIGNAL_PEER_CLOSED, 0, &observed);
    else
        observed = is_output ? SIGNAL_WRITABLE : stream->is_over ? SIGNAL_PEER_CLOSED : 0;
    observed = stream_watch_locked(stream, file, observed);
    bool is_gone = observed & SIGNAL_PEER_CLOSED;
    if (is_output && is_gone) observed = SIGNAL_WRITABLE;
    events |= observed & (SIGNAL_READABLE | SIGNAL_PEER_CLOSED) ? POLLIN | POLLRDNORM : 0;
    events |= observed & SIGNAL_WRITABLE ? POLLOUT | POLLWRNORM : 0;
    events |= observed & SIGNAL_PEER_CLOSED ? POLLHUP : 0;
    if (stream->start < stream->end) events |= POLLIN | POLLRDNORM;
    mutex_unlock(&stream->lock);
    return events;
}

static struct waitqueue *stream_poll_queue(struct file *file) {
    return &((struct stream *)file->private)->changed;
}

static void stream_put(struct stream *stream) THREAD_ANNOTATION(no_thread_safety_analysis) {
    if (stream && __atomic_fetch_sub(&stream->references, 1, __ATOMIC_ACQ_REL) == 1) {
        stream_detach_locked(stream);
        heap_free(stream->buffer);
        heap_free(stream);
    }
}

static void stream_release(struct file *file) { stream_put(file->private); }

static const struct file_ops stream_ops = {
    .release = stream_release,
    .read = stream_read,
    .write = stream_write,
    .poll = stream_poll,
    .poll_queue = stream_poll_queue,
};

bool file_is_stream(const struct file *file) { return file->ops == &stream_ops; }

static void file_use(struct file *file, struct stream *stream) {
    file->private = stream;
    file->ops = &stream_ops;
    file->traits = 0;
}

int stream_create(const struct stream_options *options, u32 flags, struct file **out)
    THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct stream *stream = heap_alloc_zero(sizeof(*stream));
    struct attachment *attachment = attachment_create(options->channel);
    int result = stream && (attachment || !options->channel)
                     ? file_create((struct path){.vnode = anonymous_fifo()}, flags, out)
                     : -ENOMEM;
    if (result != 0) {
        heap_free(attachment);
        heap_free(stream);
        return result;
    }
    stream->references = 1;
    stream->kind = options->kind;
    stream->log = options->log;
    stream->attached = attachment;
    waitqueue_init(&stream->changed);
    event_watch_init(&stream->watch, channel_ready);
    file_use(*out, stream);
    return 0;
}

int stream_open_console(struct file *file) {
    mutex_lock(&standard_lock);
    struct stream *console = standard[1];
    if (console) __atomic_fetch_add(&console->references, 1, __ATOMIC_RELAXED);
    mutex_unlock(&standard_lock);
    if (console) file_use(file, console);
    return console ? 0 : -ENXIO;
}

i64 stream_write_standard(struct thread *thread, u32 number, const void *buffer, usize size) {
    mutex_lock(&standard_lock);
    struct stream *stream = standard[number];
    if (stream) __atomic_fetch_add(&stream->references, 1, __ATOMIC_RELAXED);
    mutex_unlock(&standard_lock);
    i64 count = stream ? stream_write_waiting(thread, stream, buffer, size) : -ENXIO;
    stream_put(stream);
    return count;
}

void stream_set_standard(u32 number, struct file *file) {
    struct stream *stream = file->private;
    __atomic_fetch_add(&stream->references, 1, __ATOMIC_RELAXED);
    mutex_lock(&standard_lock);
    standard[number] = stream;
    mutex_unlock(&standard_lock);
}

static void stream_attach(struct stream *stream, handle_t channel) {
    struct attachment *attachment = attachment_create(channel);
    if (channel && !attachment) kernel_close(channel);
    mutex_lock(&stream->lock);
    stream_detach_locked(stream);
    stream->attached = attachment;
    if (attachment) stream->is_over = false;
    mutex_unlock(&stream->lock);
    waitqueue_kick(&stream->changed);
}

void streams_attach(const handle_t channels[3]) {
    mutex_lock(&standard_lock);
    for (u32 i = 0; i < ARRAY_SIZE(standard); i++) {
        if (standard[i])
            stream_attach(standard[i], channels[i]);
        else if (channels[i])
            kernel_close(channels[i]);
    }
    mutex_unlock(&standard_lock);
}

void streams_forget(void) {
    mutex_lock(&standard_lock);
    for (u32 i = 0; i < ARRAY_SIZE(standard); i++) {
        stream_put(standard[i]);
        standard[i] = NULL;
    }
    mutex_unlock(&standard_lock);
}
