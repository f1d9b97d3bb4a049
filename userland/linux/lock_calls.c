// flock, and the commands of fcntl about locks.
#include "linux/calls.h"
#include "linux/descriptors.h"
#include "linux/file_locks.h"
#include "linux/lock_calls.h"
#include "linux/process.h"
#include "linux/thread.h"

enum { LOCK_SH = 1, LOCK_EX = 2, LOCK_NB = 4, LOCK_UN = 8 };
enum { F_RDLCK = 0, F_WRLCK = 1, F_UNLCK = 2 };

i64 linux_flock(struct thread *thread, i32 fd, u32 operation) {
    u32 kind = operation & ~(u32)LOCK_NB;
    struct file *file = descriptor_get(thread, fd);
    if (!file) {
        return -EBADF;
    }
    i64 result = -EINVAL;
    if (file_flags(file) & O_PATH) {
        result = -EBADF;
    } else if (kind == LOCK_SH || kind == LOCK_EX || kind == LOCK_UN) {
        const struct lock_request request = {
            .kind = LOCK_KIND_FLOCK,
            .type = kind == LOCK_SH   ? LOCK_READ
                    : kind == LOCK_EX ? LOCK_WRITE
                                      : LOCK_NONE,
            .owner = file,
            .end = ~0UL,
        };
        result =
            file_lock(thread, file->vnode, &request, operation & LOCK_NB ? LOCK_TRY : LOCK_WAIT);
    }
    file_put(file);
    return result;
}

static i64 range_base(struct file *file, i16 whence) {
    struct attributes attributes;
    switch (whence) {
    case SEEK_SET: return 0;
    case SEEK_CUR: {
        mutex_lock(&file->lock);
        i64 offset = (i64)file->offset;
        mutex_unlock(&file->lock);
        return offset;
    }
    case SEEK_END: {
        int result = vnode_attributes(file->vnode, &attributes);
        return result != 0 ? result : (i64)attributes.size_bytes;
    }
    default: return -EINVAL;
    }
}

// A negative length is the bytes before the start; 0 is all from there on.
static int range_parse(struct file *file, const struct linux_flock *flock,
                       struct lock_request *request) {
    i64 start;
    i64 end;
    i64 base = range_base(file, flock->whence);
    if (base < 0) {
        return (int)base;
    }
    if (__builtin_add_overflow(base, flock->start, &start) ||
        __builtin_add_overflow(start, flock->length, &end)) {
        return -EOVERFLOW;
    }
    request->start = (u64)(flock->length < 0 ? end : start);
    request->end = flock->length == 0 ? ~0UL : (u64)(flock->length < 0 ? start : end);
    return start < 0 || end < 0 ? -EINVAL : 0;
}

static int request_make(struct thread *thread, struct file *file, u32 command,
                        const struct linux_flock *flock, struct lock_request *request) {
    bool is_files = command == F_OFD_GETLK || command == F_OFD_SETLK || command == F_OFD_SETLKW;
    *request = (struct lock_request){
        .kind = LOCK_KIND_RANGE,
        .type = flock->type == F_RDLCK   ? LOCK_READ
                : flock->type == F_WRLCK ? LOCK_WRITE
                                         : LOCK_NONE,
        .owner = is_files ? (const void *)file : (const void *)thread->process->descriptors,
        .pid = is_files ? -1 : thread->process->pid,
    };
    if (flock->type < F_RDLCK || flock->type > F_UNLCK || (is_files && flock->pid != 0)) {
        return -EINVAL;
    }
    return range_parse(file, flock, request);
}

static i64 lock_test(struct file *file, const struct lock_request *request,
                     struct linux_flock *flock, linux_ptr flock_ptr) {
    struct lock_request found;
    if (request->type == LOCK_NONE) {
        return -EINVAL;
    }
    if (file_lock_test(file->vnode, request, &found)) {
        flock->type = found.type == LOCK_READ ? F_RDLCK : F_WRLCK;
        flock->whence = SEEK_SET;
        flock->start = (i64)found.start;
        flock->length = found.end == ~0UL ? 0 : (i64)(found.end - found.start);
        flock->pid = found.pid;
    } else {
        flock->type = F_UNLCK;
    }
    return copy_to_linux(flock_ptr, flock, sizeof(*flock));
}

static i64 lock_command(struct thread *thread, struct file *file, u32 command,
                        linux_ptr flock_ptr) {
    struct linux_flock flock;
    struct lock_request request;
    if (copy_from_linux(&flock, flock_ptr, sizeof(flock)) != 0) {
        return -EFAULT;
    }
    int result = request_make(thread, file, command, &flock, &request);
    if (result != 0) {
        return result;
    }
    if (command == F_GETLK || command == F_OFD_GETLK) {
        return lock_test(file, &request, &flock, flock_ptr);
    }
    u32 mode = file_flags(file) & O_ACCMODE;
    if ((request.type == LOCK_READ && mode == O_WRONLY) ||
        (request.type == LOCK_WRITE && mode == O_RDONLY)) {
        return -EBADF;
    }
    bool waits = command == F_SETLKW || command == F_OFD_SETLKW;
    return file_lock(thread, file->vnode, &request, waits ? LOCK_WAIT : LOCK_TRY);
}

i64 fcntl_lock(struct thread *thread, i32 fd, u32 command, linux_ptr flock) {
    struct file *file = descriptor_get(thread, fd);
    if (!file) {
        return -EBADF;
    }
    i64 result = file_flags(file) & O_PATH ? -EBADF : lock_command(thread, file, command, flock);
    file_put(file);
    return result;
}
