// Moving bytes from one file to another: sendfile, copy_file_range, splice, tee, vmsplice. All go
// through a buffer of the personality, a page at a time.
//
// A file is read at a place that only moves by what has been written; a pipe's bytes are taken out
// once they are written, so that an error on the way loses nothing.
#include "linux/calls.h"
#include "linux/descriptors.h"
#include "linux/fs/pipe.h"
#include "linux/io.h"
#include "linux/signal.h"
#include "linux/thread.h"

enum : u64 { TRANSFER_BYTES_MAX = 0x7ffff000 };
enum { SPLICE_F_NONBLOCK = 2, SPLICE_F_ALL = 15 };

// One end: a file with a place of its own, or one that moves the file's position, or a stream.
struct transfer_end {
    struct file *file;
    linux_ptr offset_ptr; // where the place came from; null: the file's position
    bool has_place;
    u64 offset;
};

static i64 end_open(struct thread *thread, struct transfer_end *end, i32 fd, linux_ptr offset_ptr,
                    u32 refused_mode) {
    *end = (struct transfer_end){.offset_ptr = offset_ptr};
    end->file = file_open_for(thread, fd, refused_mode);
    if (!end->file) {
        return -EBADF;
    }
    end->has_place = end->file->traits & FILE_SEEKABLE;
    if (!linux_is_null(offset_ptr)) {
        if (!end->has_place) {
            return -ESPIPE;
        }
        if (copy_from_linux(&end->offset, offset_ptr, sizeof(end->offset)) != 0) {
            return -EFAULT;
        }
        return (i64)end->offset < 0 ? -EINVAL : 0;
    }
    if (end->has_place) {
        mutex_lock(&end->file->lock);
        end->offset = end->file->offset;
        mutex_unlock(&end->file->lock);
    }
    return 0;
}

// Puts the place back where it came from.
static i64 end_close(struct transfer_end *end, i64 result) {
    if (end->file && end->has_place && result > 0) {
        if (!linux_is_null(end->offset_ptr)) {
            if (copy_to_linux(end->offset_ptr, &end->offset, sizeof(end->offset)) != 0) {
                result = -EFAULT;
            }
        } else {
            mutex_lock(&end->file->lock);
            end->file->offset = end->offset;
            mutex_unlock(&end->file->lock);
        }
    }
    file_put(end->file);
    return result;
}

static i64 end_read(struct thread *thread, struct transfer_end *end, void *buffer, usize size,
                    u32 flags) {
    struct pipe *pipe = pipe_of(end->file);
    if (pipe) {
        return pipe_peek(thread, end->file, buffer, size, flags);
    }
    return end->has_place ? file_read_at(thread, end->file, buffer, size, end->offset)
                          : file_read(thread, end->file, buffer, size, flags);
}

static void end_advance(struct transfer_end *end, usize count) {
    struct pipe *pipe = pipe_of(end->file);
    end->offset += count;
    if (pipe) {
        pipe_consume(pipe, count);
    }
}

// All of it, or what went before an error.
static i64 end_write(struct thread *thread, struct transfer_end *end, const u8 *buffer, usize size,
                     u32 flags) {
    usize done = 0;
    while (done < size) {
        i64 step = end->has_place
                       ? file_write_at(thread, end->file, buffer + done, size - done, end->offset)
                       : file_write(thread, end->file, buffer + done, size - done, flags);
        if (step <= 0) {
            return done > 0 ? (i64)done : step;
        }
        done += (usize)step;
        end->offset += (usize)step;
    }
    return (i64)done;
}

static i64 transfer(struct thread *thread, struct transfer_end *from, struct transfer_end *to,
                    usize size, u32 flags) {
    struct io_buffer buffer;
    usize done = 0;
    i64 count = io_buffer_init(&buffer, size);
    while (count >= 0 && done < size) {
        usize piece = min(size - done, buffer.size);
        count = end_read(thread, from, buffer.bytes, piece, done > 0 ? IO_NOWAIT : flags);
        if (count <= 0) {
            break;
        }
        i64 written =
            end_write(thread, to, buffer.bytes, (usize)count, done > 0 ? IO_NOWAIT : flags);
        if (written < 0) {
            count = written;
            break;
        }
        end_advance(from, (usize)written);
        done += (usize)written;
        if (written < count || (usize)count < piece) {
            break;
        }
    }
    io_buffer_end(&buffer);
    if (count == -EPIPE && done == 0) {
        signal_send_thread(thread, &(struct queued_signal){.signal = SIGPIPE,
                                                           .code = SI_USER,
                                                           .pid = thread->process->pid});
    }
    return done > 0 ? (i64)done : count;
}

i64 linux_sendfile(struct thread *thread, i32 out_fd, i32 in_fd, linux_ptr offset, usize size) {
    struct transfer_end from;
    struct transfer_end to = {};
    i64 result = end_open(thread, &from, in_fd, offset, O_WRONLY);
    if (result == 0) {
        result = end_open(thread, &to, out_fd, linux_pointer(0), O_RDONLY);
    }
    if (result == 0 && (file_flags(to.file) & O_APPEND)) {
        result = -EINVAL;
    }
    if (result == 0 && from.file->vnode->type != MODE_REGULAR) {
        result = -EINVAL;
    }
    if (result == 0) {
        result = transfer(thread, &from, &to, min(size, (usize)TRANSFER_BYTES_MAX), 0);
    }
    return end_close(&from, end_close(&to, result));
}

static i64 copy_check(const struct transfer_end *from, const struct transfer_end *to, usize size) {
    struct vnode *source = from->file->vnode;
    struct vnode *target = to->file->vnode;
    if (vnode_is_directory(source) || vnode_is_directory(target)) {
        return -EISDIR;
    }
    if (source->type != MODE_REGULAR || target->type != MODE_REGULAR) {
        return -EINVAL;
    }
    if (file_flags(to->file) & O_APPEND) {
        return -EBADF;
    }
    bool overlaps = from->offset < to->offset + size && to->offset < from->offset + size;
    return source == target && overlaps ? -EINVAL : 0;
}

i64 linux_copy_file_range(struct thread *thread, i32 in_fd, linux_ptr in_offset, i32 out_fd,
                          linux_ptr out_offset, usize size, u32 flags) {
    struct transfer_end from;
    struct transfer_end to = {};
    size = min(size, (usize)TRANSFER_BYTES_MAX);
    if (flags) {
        return -EINVAL;
    }
    i64 result = end_open(thread, &from, in_fd, in_offset, O_WRONLY);
    if (result == 0) {
        result = end_open(thread, &to, out_fd, out_offset, O_RDONLY);
    }
    if (result == 0) {
        result = copy_check(&from, &to, size);
    }
    if (result == 0) {
        result = transfer(thread, &from, &to, size, 0);
    }
    return end_close(&from, end_close(&to, result));
}

i64 linux_splice(struct thread *thread, i32 in_fd, linux_ptr in_offset, i32 out_fd,
                 linux_ptr out_offset, usize size, u32 flags) {
    struct transfer_end from;
    struct transfer_end to = {};
    if (size == 0 || (flags & ~(u32)SPLICE_F_ALL)) {
        return size == 0 ? 0 : -EINVAL;
    }
    i64 result = end_open(thread, &from, in_fd, in_offset, O_WRONLY);
    if (result == 0) {
        result = end_open(thread, &to, out_fd, out_offset, O_RDONLY);
    }
    if (result == 0) {
        struct pipe *source = pipe_of(from.file);
        struct pipe *target = pipe_of(to.file);
        bool is_allowed = (source || target) && source != target &&
                          !(file_flags(to.file) & O_APPEND) &&
                          !vnode_is_directory(from.file->vnode);
        result = is_allowed ? transfer(thread, &from, &to, min(size, (usize)TRANSFER_BYTES_MAX),
                                       flags & SPLICE_F_NONBLOCK ? IO_NOWAIT : 0)
                            : -EINVAL;
    }
    return end_close(&from, end_close(&to, result));
}

// The source's bytes stay where they are: one look at up to a page of them.
static i64 tee_once(struct thread *thread, struct file *from, struct file *to, usize size,
                    u32 flags) {
    struct io_buffer buffer;
    i64 count = io_buffer_init(&buffer, size);
    if (count == 0) {
        count = pipe_peek(thread, from, buffer.bytes, min(size, buffer.size), flags);
    }
    if (count > 0) {
        count = file_write(thread, to, buffer.bytes, (usize)count, flags);
    }
    io_buffer_end(&buffer);
    return count;
}

i64 linux_tee(struct thread *thread, i32 in_fd, i32 out_fd, usize size, u32 flags) {
    if (flags & ~(u32)SPLICE_F_ALL) {
        return -EINVAL;
    }
    struct file *from = file_open_for(thread, in_fd, O_WRONLY);
    struct file *to = file_open_for(thread, out_fd, O_RDONLY);
    i64 result = -EBADF;
    if (from && to) {
        struct pipe *source = pipe_of(from);
        struct pipe *target = pipe_of(to);
        result = !source || !target || source == target ? -EINVAL
                 : size == 0
                     ? 0
                     : tee_once(thread, from, to, size, flags & SPLICE_F_NONBLOCK ? IO_NOWAIT : 0);
    }
    file_put(from);
    file_put(to);
    return result;
}

// By the descriptor's mode, a write to the pipe or a read from it.
i64 linux_vmsplice(struct thread *thread, i32 fd, linux_ptr vectors, usize count, u32 flags) {
    struct file *file = descriptor_get(thread, fd);
    if (!file) {
        return -EBADF;
    }
    bool is_pipe = pipe_of(file) != NULL;
    bool writes = (file_flags(file) & O_ACCMODE) != O_RDONLY;
    file_put(file);
    if (!is_pipe) {
        return -EBADF;
    }
    if ((flags & ~(u32)SPLICE_F_ALL) || count > LINUX_IOV_MAX) {
        return -EINVAL;
    }
    return writes ? linux_writev(thread, fd, vectors, (u32)count)
                  : linux_readv(thread, fd, vectors, (u32)count);
}
