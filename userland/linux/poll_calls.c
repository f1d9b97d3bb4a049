// poll and select: look at every file, sleep on the queues of all of them, look again.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/calls.h"
#include "linux/descriptors.h"
#include "linux/kernel_if.h"
#include "linux/process.h"
#include "linux/signal.h"
#include "linux/thread.h"
#include "linux/timing.h"
#include "linux/waiting.h"

enum { SELECT_MAX = 4096, SELECT_WORDS = SELECT_MAX / 64 };

struct poll_entry {
    struct linux_pollfd fd;
    struct file *file;
    struct waitqueue *queue; // NULL: never changes
    struct waiter waiter;
};

struct poll {
    struct poll_entry *entries;
    u32 count;
};

static void poll_begin(struct poll *poll, struct thread *thread) {
    for (u32 i = 0; i < poll->count; i++) {
        struct poll_entry *entry = &poll->entries[i];
        entry->file = entry->fd.fd >= 0 ? descriptor_get(thread, entry->fd.fd) : NULL;
        if (!entry->file) {
            continue;
        }
        if (entry->file->ops->poll_queue) {
            entry->queue = entry->file->ops->poll_queue(entry->file);
            waitqueue_add(entry->queue, &entry->waiter, thread);
        }
    }
}

static void poll_end(struct poll *poll) {
    for (u32 i = 0; i < poll->count; i++) {
        struct poll_entry *entry = &poll->entries[i];
        if (entry->queue) {
            waitqueue_remove(entry->queue, &entry->waiter);
        }
        file_put(entry->file);
    }
}

// Sets what is ready in each entry; returns how many are.
static i64 poll_look(struct poll *poll) {
    i64 ready = 0;
    for (u32 i = 0; i < poll->count; i++) {
        struct poll_entry *entry = &poll->entries[i];
        u32 wanted = (u16)entry->fd.events | POLLERR | POLLHUP;
        u32 events = entry->file         ? file_poll(entry->file) & wanted
                     : entry->fd.fd >= 0 ? POLLNVAL
                                         : 0;
        entry->fd.revents = (i16)events;
        ready += events != 0;
    }
    return ready;
}

static i64 poll_wait(struct poll *poll, struct thread *thread, u64 deadline_ns) {
    i64 result;
    poll_begin(poll, thread);
    for (;;) {
        u32 ticket = thread_ticket(thread);
        result = poll_look(poll);
        u64 now_ns = deadline_ns == DEADLINE_NEVER ? 0 : kernel_monotonic_ns();
        if (result != 0 || deadline_ns <= now_ns) {
            break;
        }
        result = thread_wait(thread, ticket, deadline_ns);
        if (result == -ERESTARTSYS) {
            result = -ERESTARTNOHAND;
            break;
        }
    }
    poll_end(poll);
    return result;
}

static i64 poll_linux(struct thread *thread, linux_ptr fds, u32 count, u64 deadline_ns) {
    if (count > thread->process->limits[RLIMIT_NOFILE].current) {
        return -EINVAL;
    }
    struct poll poll = {.count = count};
    poll.entries = heap_alloc_zero(max(count, 1U) * sizeof(struct poll_entry));
    i64 result = poll.entries ? 0 : -ENOMEM;
    for (u32 i = 0; i < count && result == 0; i++) {
        result =
            copy_from_linux(&poll.entries[i].fd, linux_offset(fds, i * sizeof(struct linux_pollfd)),
                            sizeof(struct linux_pollfd));
    }
    if (result == 0) {
        result = poll_wait(&poll, thread, deadline_ns);
    }
    for (u32 i = 0; i < count && result >= 0; i++) {
        if (copy_to_linux(linux_offset(fds, i * sizeof(struct linux_pollfd)), &poll.entries[i].fd,
                          sizeof(struct linux_pollfd)) != 0) {
            result = -EFAULT;
        }
    }
    heap_free(poll.entries);
    return result;
}

// An interrupted one goes on until its first deadline.
static i64 poll_remembered(struct thread *thread) {
    struct call_restart *restart = &thread->restart;
    i64 result = poll_linux(thread, restart->pointer, restart->count, restart->deadline_ns);
    return result == -ERESTARTNOHAND ? -ERESTART_RESTARTBLOCK : result;
}

i64 linux_poll(struct thread *thread, linux_ptr fds, u32 count, i32 timeout_ms) {
    u64 deadline_ns = timeout_ms < 0    ? DEADLINE_NEVER
                      : timeout_ms == 0 ? 0
                                        : kernel_monotonic_ns() + (u64)timeout_ms * 1000000;
    thread->restart = (struct call_restart){poll_remembered, deadline_ns, fds, count};
    return poll_remembered(thread);
}

// The deadline of an optional timespec.
static i64 timeout_read(linux_ptr timeout, u64 *deadline_ns) {
    u64 duration_ns;
    *deadline_ns = DEADLINE_NEVER;
    if (linux_is_null(timeout)) {
        return 0;
    }
    i64 result = timespec_read(timeout, &duration_ns);
    *deadline_ns = duration_ns == 0 ? 0 : kernel_monotonic_ns() + duration_ns;
    return result;
}

// Tells the program what is left of its timeout. What can't be told can't go on from there.
static i64 timeout_finish(linux_ptr timeout, u64 deadline_ns, u64 unit_ns, i64 result) {
    if (linux_is_null(timeout) || deadline_ns == 0) {
        return result;
    }
    u64 now_ns = kernel_monotonic_ns();
    u64 left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    u64 left[2] = {left_ns / 1000000000, left_ns % 1000000000 / unit_ns};
    bool is_told = copy_to_linux(timeout, left, sizeof(left)) == 0;
    return !is_told && result == -ERESTARTNOHAND ? -EINTR : result;
}

static i64 mask_set(struct thread *thread, linux_ptr mask_ptr, usize size) {
    u64 mask;
    if (linux_is_null(mask_ptr)) {
        return 0;
    }
    if (size != sizeof(mask)) {
        return -EINVAL;
    }
    if (copy_from_linux(&mask, mask_ptr, sizeof(mask)) != 0) {
        return -EFAULT;
    }
    thread->saved_blocked = thread->blocked;
    thread->restores_blocked = true;
    thread_set_blocked(thread, mask);
    return 0;
}

i64 linux_ppoll(struct thread *thread, linux_ptr fds, u32 count, linux_ptr timeout, linux_ptr mask,
                usize mask_size) {
    u64 deadline_ns;
    i64 result = timeout_read(timeout, &deadline_ns);
    if (result == 0) {
        result = mask_set(thread, mask, mask_size);
    }
    if (result != 0) {
        return result;
    }
    result = poll_linux(thread, fds, count, deadline_ns);
    return timeout_finish(timeout, deadline_ns, 1, result);
}

// A select is a poll with an entry for each number that is in one of the sets.
struct select {
    u64 sets[3][SELECT_WORDS]; // reads, writes, exceptions
};

static const u32 select_events[3] = {POLLIN, POLLOUT, POLLPRI};
static const u32 select_ready[3] = {POLLIN | POLLRDNORM | POLLHUP | POLLERR,
                                    POLLOUT | POLLWRNORM | POLLERR, POLLPRI};

static u32 select_collect(const struct select *select, i32 count, struct poll_entry *entries) {
    u32 used = 0;
    for (i32 fd = 0; fd < count; fd++) {
        u32 events = 0;
        for (u32 set = 0; set < 3; set++) {
            events |= select->sets[set][fd / 64] >> (fd % 64) & 1 ? select_events[set] : 0;
        }
        if (events != 0) {
            entries[used++].fd = (struct linux_pollfd){.fd = fd, .events = (i16)events};
        }
    }
    return used;
}

static i64 select_results(struct select *select, const struct poll *poll) {
    i64 ready = 0;
    struct select out = {};
    for (u32 i = 0; i < poll->count; i++) {
        const struct linux_pollfd *fd = &poll->entries[i].fd;
        if (fd->revents & POLLNVAL) {
            return -EBADF;
        }
        for (u32 set = 0; set < 3; set++) {
            bool is_asked = (u16)fd->events & select_events[set];
            if (is_asked && ((u16)fd->revents & select_ready[set])) {
                out.sets[set][fd->fd / 64] |= 1UL << (fd->fd % 64);
                ready++;
            }
        }
    }
    *select = out;
    return ready;
}

enum copy_direction { COPY_IN, COPY_OUT };

static i64 select_sets_copy(struct select *select, const linux_ptr pointers[3], usize size,
                            enum copy_direction direction) {
    for (u32 set = 0; set < 3; set++) {
        if (linux_is_null(pointers[set]) || size == 0) {
            continue;
        }
        int result = direction == COPY_IN ? copy_from_linux(select->sets[set], pointers[set], size)
                                          : copy_to_linux(pointers[set], select->sets[set], size);
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

static i64 select_linux(struct thread *thread, i32 count, const linux_ptr pointers[3],
                        u64 deadline_ns) {
    struct select select = {};
    struct poll poll = {};
    if (count < 0) {
        return -EINVAL;
    }
    count = min(count, (i32)SELECT_MAX);
    usize size = ((usize)count + 63) / 64 * 8;
    i64 result = select_sets_copy(&select, pointers, size, COPY_IN);
    if (result != 0) {
        return result;
    }
    poll.entries = heap_alloc_zero(max((usize)count, (usize)1) * sizeof(struct poll_entry));
    if (!poll.entries) {
        return -ENOMEM;
    }
    poll.count = select_collect(&select, count, poll.entries);
    result = poll_wait(&poll, thread, deadline_ns);
    if (result >= 0) {
        result = select_results(&select, &poll);
    }
    if (result >= 0 && select_sets_copy(&select, pointers, size, COPY_OUT) != 0) {
        result = -EFAULT;
    }
    heap_free(poll.entries);
    return result;
}

i64 linux_select(struct thread *thread, i32 count, linux_ptr reads, linux_ptr writes,
                 linux_ptr exceptions, linux_ptr timeout) {
    struct linux_timeval time;
    u64 deadline_ns = DEADLINE_NEVER;
    if (!linux_is_null(timeout)) {
        if (copy_from_linux(&time, timeout, sizeof(time)) != 0) {
            return -EFAULT;
        }
        if (time.seconds < 0 || time.microseconds < 0) {
            return -EINVAL;
        }
        u64 seconds = (u64)time.seconds + (u64)time.microseconds / 1000000;
        u64 duration_ns =
            min(seconds, TIME_SECONDS_MAX) * 1000000000 + (u64)time.microseconds % 1000000 * 1000;
        deadline_ns = duration_ns == 0 ? 0 : kernel_monotonic_ns() + duration_ns;
    }
    i64 result = select_linux(thread, count, (linux_ptr[]){reads, writes, exceptions}, deadline_ns);
    return timeout_finish(timeout, deadline_ns, 1000, result);
}

i64 linux_pselect6(struct thread *thread, i32 count, linux_ptr reads, linux_ptr writes,
                   linux_ptr exceptions, linux_ptr timeout, linux_ptr mask) {
    u64 deadline_ns;
    u64 masked[2] = {}; // address and size of the mask
    i64 result = timeout_read(timeout, &deadline_ns);
    if (result == 0 && !linux_is_null(mask)) {
        result = copy_from_linux(masked, mask, sizeof(masked));
    }
    if (result == 0) {
        result = mask_set(thread, linux_pointer(masked[0]), masked[1]);
    }
    if (result != 0) {
        return result;
    }
    result = select_linux(thread, count, (linux_ptr[]){reads, writes, exceptions}, deadline_ns);
    return timeout_finish(timeout, deadline_ns, 1, result);
}
