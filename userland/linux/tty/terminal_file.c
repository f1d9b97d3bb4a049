// The programs' side of a terminal as an open file: reading lines or bytes, writing, polling.
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/credentials.h"
#include "linux/kernel_if.h"
#include "linux/thread.h"
#include "linux/tty/session.h"
#include "linux/tty/terminal.h"

enum : u64 { TENTH_NS = 100'000'000 }; // the unit of VTIME

static u8 take_locked(struct terminal *terminal) REQUIRES(&terminal->lock) {
    return terminal->input.bytes[terminal->input.tail++ % TERMINAL_INPUT_BYTES];
}

static bool is_marked_locked(const struct terminal *terminal, u32 at) REQUIRES(&terminal->lock) {
    at %= TERMINAL_INPUT_BYTES;
    return terminal->input.marks[at / 64] >> (at % 64) & 1;
}

// The next byte ends the file, rather than being one of it.
static bool is_end_locked(const struct terminal *terminal) REQUIRES(&terminal->lock) {
    u32 at = terminal->input.tail;
    return at != terminal->input.line_end && is_marked_locked(terminal, at) &&
           terminal->input.bytes[at % TERMINAL_INPUT_BYTES] == CONTROL_DISABLED;
}

// A line or what fits of it; -EAGAIN when there is none.
static i64 line_read_locked(struct terminal *terminal, u8 *buffer, usize size)
    REQUIRES(&terminal->lock) {
    usize done = 0;
    if (terminal->input.tail == terminal->input.line_end) return -EAGAIN;
    while (done < size && terminal->input.tail != terminal->input.line_end &&
           !is_end_locked(terminal)) {
        bool is_last = is_marked_locked(terminal, terminal->input.tail);
        buffer[done++] = take_locked(terminal);
        if (is_last) return (i64)done;
    }
    // Also behind a line that just fits: it would read as a second end.
    if (is_end_locked(terminal)) take_locked(terminal);
    return (i64)done;
}

static i64 bytes_read_locked(struct terminal *terminal, u8 *buffer, usize size)
    REQUIRES(&terminal->lock) {
    usize done = 0;
    while (done < size && terminal->input.tail != terminal->input.head) {
        buffer[done++] = take_locked(terminal);
    }
    return done > 0 ? (i64)done : -EAGAIN;
}

// How a read waits: until `minimum` bytes are there, or the deadline is over, which each byte sets
// anew where there is a minimum.
struct read_wait {
    usize minimum;
    u64 gap_ns;      // between bytes; 0: any
    u64 deadline_ns; // of the next byte
    bool is_line;
    bool may_wait;
};

static void wait_begin_locked(const struct terminal *terminal, struct read_wait *wait)
    REQUIRES(&terminal->lock) {
    const u8 *characters = terminal->termios.characters;
    u64 time_ns = characters[VTIME] * TENTH_NS;
    wait->is_line = terminal_has_local(terminal, ICANON);
    wait->minimum = 1;
    wait->gap_ns = 0;
    wait->deadline_ns = DEADLINE_NEVER;
    if (wait->is_line) return;
    if (characters[VMIN] > 0) {
        wait->minimum = characters[VMIN];
        wait->gap_ns = time_ns;
    } else {
        wait->deadline_ns = time_ns ? kernel_monotonic_ns() + time_ns : 0;
    }
}

static i64 try_read(struct terminal *terminal, u8 *buffer, usize size) {
    mutex_lock(&terminal->lock);
    bool had_room = terminal_has_room_locked(terminal);
    i64 count = terminal_has_local(terminal, ICANON) ? line_read_locked(terminal, buffer, size)
                                                     : bytes_read_locked(terminal, buffer, size);
    if (!had_room && count >= 0) terminal_room_ready_locked(terminal);
    mutex_unlock(&terminal->lock);
    return count;
}

enum { READ_AGAIN = 1 };

// READ_AGAIN, or what the read ends with when nothing has been read.
static i64 read_sleep(struct thread *thread, struct terminal *terminal, u32 ticket,
                      const struct read_wait *wait) {
    if (terminal_is_hung_up(terminal) || wait->deadline_ns == 0) return 0;
    if (!wait->may_wait) return -EAGAIN;
    i64 result = thread_wait(thread, ticket, wait->deadline_ns);
    return result == 0 ? READ_AGAIN : result == -ETIMEDOUT ? 0 : result;
}

static i64 read_waiting(struct thread *thread, struct terminal *terminal, u8 *buffer, usize size,
                        struct read_wait *wait) {
    usize done = 0;
    for (;;) {
        u32 ticket = thread_ticket(thread);
        i64 result = try_read(terminal, buffer + done, size - done);
        if (result > 0) {
            done += (usize)result;
            wait->deadline_ns =
                wait->gap_ns ? kernel_monotonic_ns() + wait->gap_ns : wait->deadline_ns;
        }
        if (result >= 0 && (wait->is_line || done >= wait->minimum || done == size))
            return (i64)done;
        if (result >= 0) continue;
        result = read_sleep(thread, terminal, ticket, wait);
        if (result != READ_AGAIN) return done > 0 ? (i64)done : result;
    }
}

static bool may_wait(struct file *file, u32 flags) {
    return !(flags & IO_NOWAIT) && !(file_flags(file) & O_NONBLOCK);
}

static i64 slave_read(struct thread *thread, struct file *file, void *buffer, usize size, u64 *,
                      u32 flags) {
    struct terminal *terminal = file->private;
    struct waiter waiter;
    struct read_wait wait;
    if (terminal_is_hung_up(terminal)) return 0;
    int check = terminal_job_check(thread, terminal, SIGTTIN);
    if (check != 0 || size == 0) return check;
    mutex_lock(&terminal->lock);
    wait_begin_locked(terminal, &wait);
    mutex_unlock(&terminal->lock);
    waitqueue_add(&terminal->changed, &waiter, thread);
    wait.may_wait = may_wait(file, flags);
    i64 result = read_waiting(thread, terminal, buffer, size, &wait);
    waitqueue_remove(&terminal->changed, &waiter);
    return result;
}

static i64 try_write(struct terminal *terminal, const u8 *buffer, usize size) {
    if (terminal_is_hung_up(terminal)) return -EIO;
    mutex_lock(&terminal->lock);
    usize count = terminal_show_locked(terminal, buffer, size);
    mutex_unlock(&terminal->lock);
    return count > 0 ? (i64)count : -EAGAIN;
}

static i64 write_waiting(struct thread *thread, struct terminal *terminal, const u8 *buffer,
                         usize size) {
    struct waiter waiter;
    usize done = 0;
    i64 result = 0;
    waitqueue_add(&terminal->changed, &waiter, thread);
    while (done < size) {
        u32 ticket = thread_ticket(thread);
        result = try_write(terminal, buffer + done, size - done);
        if (result == -EAGAIN) result = thread_wait(thread, ticket, DEADLINE_NEVER);
        if (result < 0) break;
        done += (usize)result;
    }
    waitqueue_remove(&terminal->changed, &waiter);
    return done > 0 ? (i64)done : result;
}

static bool stops_writers(struct terminal *terminal) {
    mutex_lock(&terminal->lock);
    bool stops = terminal_has_local(terminal, TOSTOP);
    mutex_unlock(&terminal->lock);
    return stops;
}

static i64 slave_write(struct thread *thread, struct file *file, const void *buffer, usize size,
                       u64 *, u32 flags) {
    struct terminal *terminal = file->private;
    int check = stops_writers(terminal) ? terminal_job_check(thread, terminal, SIGTTOU) : 0;
    if (check != 0 || size == 0) return check;
    i64 result = try_write(terminal, buffer, size);
    usize done = result > 0 ? (usize)result : 0;
    if ((result < 0 && result != -EAGAIN) || done == size || !may_wait(file, flags)) return result;
    result = write_waiting(thread, terminal, (const u8 *)buffer + done, size - done);
    return result > 0 || done == 0 ? result + (i64)done : (i64)done;
}

static u32 slave_poll(struct file *file) {
    struct terminal *terminal = file->private;
    u32 events = 0;
    mutex_lock(&terminal->lock);
    const struct terminal_input *input = &terminal->input;
    const u8 *characters = terminal->termios.characters;
    u32 wanted = characters[VTIME] == 0 && characters[VMIN] > 0 ? characters[VMIN] : 1;
    bool is_readable = terminal_has_local(terminal, ICANON) ? input->tail != input->line_end
                                                            : input->head - input->tail >= wanted;
    bool has_room = terminal_may_show_locked(terminal);
    mutex_unlock(&terminal->lock);
    if (is_readable) events |= POLLIN | POLLRDNORM;
    if (has_room) events |= POLLOUT | POLLWRNORM;
    if (terminal_is_hung_up(terminal))
        events |= POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR | POLLHUP;
    return events;
}

static struct waitqueue *slave_poll_queue(struct file *file) {
    return &((struct terminal *)file->private)->changed;
}

static i64 slave_ioctl(struct thread *thread, struct file *file, u32 request, u64 argument) {
    struct terminal *terminal = file->private;
    if (terminal_is_hung_up(terminal)) return request == TIOCSPGRP ? -ENOTTY : -EIO;
    if (session_has_request(request))
        return session_ioctl(thread, terminal, request, linux_pointer(argument));
    return terminal_ioctl(thread, terminal, request, linux_pointer(argument));
}

static void slave_release(struct file *file) {
    struct terminal *terminal = file->private;
    mutex_lock(&terminal->lock);
    if (--terminal->slaves == 0) {
        terminal->is_slave_gone = true;
        terminal->is_exclusive = false;
        waitqueue_wake(&terminal->changed);
    }
    mutex_unlock(&terminal->lock);
    terminal_put(terminal);
}

static const struct file_ops slave_ops = {
    .release = slave_release,
    .read = slave_read,
    .write = slave_write,
    .poll = slave_poll,
    .poll_queue = slave_poll_queue,
    .ioctl = slave_ioctl,
};

int terminal_open(struct thread *thread, struct terminal *terminal, struct file *file) {
    bool is_admin = credentials_have(thread->process->credentials, CAP_SYS_ADMIN);
    mutex_lock(&terminal->lock);
    bool is_refused = terminal->is_exclusive && terminal->slaves > 0 && !is_admin;
    int result = terminal_is_hung_up(terminal) || terminal->is_locked ? -EIO
                 : is_refused                                         ? -EBUSY
                                                                      : 0;
    if (result == 0) {
        terminal->slaves++;
        terminal->is_slave_gone = false;
    }
    mutex_unlock(&terminal->lock);
    if (result != 0) return result;
    file->private = terminal_get(terminal);
    file->ops = &slave_ops;
    file->traits = 0;
    return 0;
}
