#include "linux/tty/pty.h"

#include "lib/string.h"
#include "linux/abi.h"
#include "linux/descriptors.h"
#include "linux/kernel_if.h"
#include "linux/thread.h"
#include "linux/tty/session.h"
#include "linux/tty/terminal.h"

static i64 try_read(struct terminal *terminal, u8 *buffer, usize size) {
    usize done = 0;
    mutex_lock(&terminal->lock);
    while (done < size) {
        usize count;
        const u8 *bytes = terminal_output_peek_locked(terminal, &count);
        count = min(count, size - done);
        if (count == 0) break;
        memcpy(buffer + done, bytes, count);
        terminal->output.tail += (u32)count;
        done += count;
    }
    i64 result = done > 0 ? (i64)done : terminal->is_slave_gone ? -EIO : -EAGAIN;
    mutex_unlock(&terminal->lock);
    if (done > 0) waitqueue_wake(&terminal->changed);
    return result;
}

static i64 try_write(struct terminal *terminal, const u8 *buffer, usize size) {
    usize done = 0;
    mutex_lock(&terminal->lock);
    while (done < size && terminal_take_locked(terminal, buffer[done])) {
        done++;
    }
    if (done > 0) terminal_output_ready_locked(terminal);
    mutex_unlock(&terminal->lock);
    return done > 0 ? (i64)done : -EAGAIN;
}

static bool may_wait(struct file *file, u32 flags) {
    return !(flags & IO_NOWAIT) && !(file_flags(file) & O_NONBLOCK);
}

static i64 master_read(struct thread *thread, struct file *file, void *buffer, usize size, u64 *,
                       u32 flags) {
    struct terminal *terminal = file->private;
    struct waiter waiter;
    i64 result = size == 0 ? 0 : try_read(terminal, buffer, size);
    if (result != -EAGAIN || !may_wait(file, flags)) return result;
    waitqueue_add(&terminal->changed, &waiter, thread);
    do {
        u32 ticket = thread_ticket(thread);
        result = try_read(terminal, buffer, size);
        if (result != -EAGAIN) break;
        result = thread_wait(thread, ticket, DEADLINE_NEVER);
    } while (result == 0);
    waitqueue_remove(&terminal->changed, &waiter);
    return result;
}

static i64 master_write(struct thread *thread, struct file *file, const void *buffer, usize size,
                        u64 *, u32 flags) {
    struct terminal *terminal = file->private;
    struct waiter waiter;
    usize done = 0;
    i64 result = 0;
    waitqueue_add(&terminal->changed, &waiter, thread);
    while (done < size && result == 0) {
        u32 ticket = thread_ticket(thread);
        i64 count = try_write(terminal, (const u8 *)buffer + done, size - done);
        if (count > 0)
            done += (usize)count;
        else if (!may_wait(file, flags))
            result = -EAGAIN;
        else
            result = thread_wait(thread, ticket, DEADLINE_NEVER);
    }
    waitqueue_remove(&terminal->changed, &waiter);
    return done > 0 ? (i64)done : result;
}

static u32 master_poll(struct file *file) {
    struct terminal *terminal = file->private;
    u32 events = 0;
    mutex_lock(&terminal->lock);
    if (terminal->output.head != terminal->output.tail) events |= POLLIN | POLLRDNORM;
    if (terminal_has_room_locked(terminal)) events |= POLLOUT | POLLWRNORM;
    if (terminal->is_slave_gone) events |= POLLHUP;
    mutex_unlock(&terminal->lock);
    return events;
}

static struct waitqueue *master_poll_queue(struct file *file) {
    return &((struct terminal *)file->private)->changed;
}

static i64 lock_set(struct terminal *terminal, linux_ptr argument) {
    i32 value;
    if (copy_from_linux(&value, argument, sizeof(value)) != 0) return -EFAULT;
    mutex_lock(&terminal->lock);
    terminal->is_locked = value != 0;
    mutex_unlock(&terminal->lock);
    return 0;
}

static i64 lock_get(struct terminal *terminal, linux_ptr argument) {
    mutex_lock(&terminal->lock);
    i32 value = terminal->is_locked;
    mutex_unlock(&terminal->lock);
    return copy_to_linux(argument, &value, sizeof(value));
}

static i64 output_count(struct terminal *terminal, linux_ptr argument) {
    mutex_lock(&terminal->lock);
    i32 count = (i32)(terminal->output.head - terminal->output.tail);
    mutex_unlock(&terminal->lock);
    return copy_to_linux(argument, &count, sizeof(count));
}

// The master may ask who is at the other side without belonging to it.
static i64 id_get(struct terminal *terminal, u32 request, linux_ptr argument) {
    mutex_lock(&tasks.lock);
    i32 id = request == TIOCGPGRP ? terminal->foreground : terminal->session;
    mutex_unlock(&tasks.lock);
    if (request == TIOCGSID && id == 0) return -ENOTTY;
    return copy_to_linux(argument, &id, sizeof(id));
}

static i64 peer_open(struct thread *thread, struct terminal *terminal, u64 flags) {
    struct file *file;
    int result = file_open_vnode(thread, &terminal->vnode, (u32)flags, &file);
    if (result != 0) return result;
    i32 fd = descriptor_install(thread, file, flags & O_CLOEXEC ? FD_CLOEXEC : 0, 0);
    if (fd < 0) file_put(file);
    return fd;
}

static i64 master_ioctl(struct thread *thread, struct file *file, u32 request, u64 value) {
    struct terminal *terminal = file->private;
    linux_ptr argument = linux_pointer(value);
    switch (request) {
    case TIOCGPTN: return copy_to_linux(argument, &terminal->number, sizeof(terminal->number));
    case TIOCSPTLCK: return lock_set(terminal, argument);
    case TIOCGPTLCK: return lock_get(terminal, argument);
    case TIOCGPTPEER: return peer_open(thread, terminal, value);
    case FIONREAD: return output_count(terminal, argument);
    case TIOCGPGRP:
    case TIOCGSID: return id_get(terminal, request, argument);
    }
    if (session_has_request(request)) return session_ioctl(thread, terminal, request, argument);
    return terminal_ioctl(thread, terminal, request, argument);
}

static void master_release(struct file *file) {
    struct terminal *terminal = file->private;
    terminal_hang_up(terminal);
    terminal_put(terminal);
}

static const struct file_ops master_ops = {
    .release = master_release,
    .read = master_read,
    .write = master_write,
    .poll = master_poll,
    .poll_queue = master_poll_queue,
    .ioctl = master_ioctl,
};

static const struct terminal_master pty_master = {};

int pty_open_master(struct file *file) {
    struct terminal *terminal;
    int result = terminal_create(&pty_master, NULL, &terminal);
    if (result != 0) return result;
    mutex_lock(&terminal->lock);
    terminal->is_locked = true;
    mutex_unlock(&terminal->lock);
    file->private = terminal;
    file->ops = &master_ops;
    file->traits = 0;
    return 0;
}
