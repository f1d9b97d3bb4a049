// read, write and their kin: in pieces of at most a page. A piece that comes back short ends the
// call, and so does one that would have to wait when something was already done.
#include "lib/heap.h"
#include "linux/calls.h"
#include "linux/descriptors.h"
#include "linux/io.h"
#include "linux/signal.h"
#include "linux/thread.h"

enum : u64 { IO_BYTES_MAX = 0x7ffff000 };

int io_buffer_init(struct io_buffer *buffer, usize wanted) {
    buffer->heap = NULL;
    buffer->bytes = buffer->small;
    buffer->size = sizeof(buffer->small);
    if (wanted > sizeof(buffer->small)) {
        buffer->heap = heap_alloc(IO_PIECE_BYTES);
        if (buffer->heap) {
            buffer->bytes = buffer->heap;
            buffer->size = IO_PIECE_BYTES;
        } else {
            return -ENOMEM;
        }
    }
    return 0;
}

void io_buffer_end(struct io_buffer *buffer) { heap_free(buffer->heap); }

// Where in the file: the file's own position, or a given one (pread).
struct io_place {
    bool is_given;
    u64 offset;
};

static i64 piece_read(struct thread *thread, struct file *file, struct io_buffer *buffer,
                      usize size, const struct io_place *place, usize done) {
    if (place->is_given) {
        return file_read_at(thread, file, buffer->bytes, size, place->offset + done);
    }
    return file_read(thread, file, buffer->bytes, size, done > 0 ? IO_NOWAIT : 0);
}

static i64 read_to_linux(struct thread *thread, struct file *file, linux_ptr target, usize size,
                         const struct io_place *place) {
    struct io_buffer buffer;
    usize done = 0;
    i64 count = io_buffer_init(&buffer, size);
    while (count >= 0 && done < size) {
        usize piece = min(size - done, buffer.size);
        count = piece_read(thread, file, &buffer, piece, place, done);
        if (count > 0 &&
            copy_to_linux(linux_offset(target, done), buffer.bytes, (usize)count) != 0) {
            count = -EFAULT;
        }
        if (count <= 0) {
            break;
        }
        done += (usize)count;
        if ((usize)count < piece) {
            break;
        }
    }
    io_buffer_end(&buffer);
    return done > 0 ? (i64)done : count;
}

static i64 piece_write(struct thread *thread, struct file *file, struct io_buffer *buffer,
                       usize size, const struct io_place *place, usize done) {
    if (place->is_given) {
        return file_write_at(thread, file, buffer->bytes, size, place->offset + done);
    }
    return file_write(thread, file, buffer->bytes, size, 0);
}

static i64 write_from_linux(struct thread *thread, struct file *file, linux_ptr source, usize size,
                            const struct io_place *place) {
    struct io_buffer buffer;
    usize done = 0;
    i64 count = io_buffer_init(&buffer, size);
    while (count >= 0 && done < size) {
        usize piece = min(size - done, buffer.size);
        count = copy_from_linux(buffer.bytes, linux_offset(source, done), piece);
        if (count == 0) {
            count = piece_write(thread, file, &buffer, piece, place, done);
        }
        if (count <= 0) {
            break;
        }
        done += (usize)count;
        if ((usize)count < piece) {
            break;
        }
    }
    io_buffer_end(&buffer);
    if (count == -EPIPE) {
        signal_send_thread(thread, &(struct queued_signal){.signal = SIGPIPE,
                                                           .code = SI_USER,
                                                           .pid = thread->process->pid});
    }
    return done > 0 ? (i64)done : count;
}

struct file *file_open_for(struct thread *thread, i32 fd, u32 refused_mode) {
    struct file *file = descriptor_get(thread, fd);
    if (file && ((file_flags(file) & O_ACCMODE) == refused_mode || (file_flags(file) & O_PATH))) {
        file_put(file);
        return NULL;
    }
    return file;
}

static i64 read_call(struct thread *thread, i32 fd, linux_ptr buffer, usize size,
                     const struct io_place *place) {
    struct file *file = file_open_for(thread, fd, O_WRONLY);
    if (!file) {
        return -EBADF;
    }
    i64 count = vnode_is_directory(file->vnode)
                    ? -EISDIR
                    : read_to_linux(thread, file, buffer, min(size, (usize)IO_BYTES_MAX), place);
    file_put(file);
    return count;
}

static i64 write_call(struct thread *thread, i32 fd, linux_ptr buffer, usize size,
                      const struct io_place *place) {
    struct file *file = file_open_for(thread, fd, O_RDONLY);
    if (!file) {
        return -EBADF;
    }
    i64 count = write_from_linux(thread, file, buffer, min(size, (usize)IO_BYTES_MAX), place);
    file_put(file);
    return count;
}

i64 linux_read(struct thread *thread, i32 fd, linux_ptr buffer, usize size) {
    return read_call(thread, fd, buffer, size, &(struct io_place){});
}

i64 linux_write(struct thread *thread, i32 fd, linux_ptr buffer, usize size) {
    return write_call(thread, fd, buffer, size, &(struct io_place){});
}

i64 linux_pread64(struct thread *thread, i32 fd, linux_ptr buffer, usize size, i64 offset) {
    if (offset < 0) {
        return -EINVAL;
    }
    return read_call(thread, fd, buffer, size, &(struct io_place){true, (u64)offset});
}

i64 linux_pwrite64(struct thread *thread, i32 fd, linux_ptr buffer, usize size, i64 offset) {
    if (offset < 0) {
        return -EINVAL;
    }
    return write_call(thread, fd, buffer, size, &(struct io_place){true, (u64)offset});
}

typedef i64 (*vector_step)(struct thread *thread, i32 fd, linux_ptr buffer, usize size);

static i64 vector_call(struct thread *thread, i32 fd, linux_ptr vectors, u32 count,
                       vector_step step) {
    i64 total = 0;
    if (count > LINUX_IOV_MAX) {
        return -EINVAL;
    }
    for (u32 i = 0; i < count; i++) {
        struct linux_iovec vector;
        if (copy_from_linux(&vector, linux_offset(vectors, i * sizeof(vector)), sizeof(vector)) !=
            0) {
            return total > 0 ? total : -EFAULT;
        }
        if (vector.size == 0) {
            continue;
        }
        i64 done = step(thread, fd, linux_pointer(vector.base), vector.size);
        if (done < 0) {
            return total > 0 ? total : done;
        }
        total += done;
        if ((usize)done < vector.size) {
            break;
        }
    }
    return total;
}

// A short write in one piece: programs write lines to pipes so, and each must arrive whole.
static i64 writev_small(struct thread *thread, i32 fd, linux_ptr vectors, u32 count,
                        bool *is_done) {
    u8 bytes[IO_SMALL_BYTES];
    usize size = 0;
    *is_done = false;
    for (u32 i = 0; i < count; i++) {
        struct linux_iovec vector;
        if (copy_from_linux(&vector, linux_offset(vectors, i * sizeof(vector)), sizeof(vector)) !=
            0) {
            return -EFAULT;
        }
        if (vector.size > sizeof(bytes) - size) {
            return 0;
        }
        if (copy_from_linux(bytes + size, linux_pointer(vector.base), vector.size) != 0) {
            return 0;
        }
        size += vector.size;
    }
    struct file *file = file_open_for(thread, fd, O_RDONLY);
    *is_done = true;
    if (!file) {
        return -EBADF;
    }
    i64 written = file_write(thread, file, bytes, size, 0);
    file_put(file);
    if (written == -EPIPE) {
        signal_send_thread(thread, &(struct queued_signal){.signal = SIGPIPE, .code = SI_USER});
    }
    return written;
}

// The same at a place in the file, which moves with what is done.
static i64 vector_call_at(struct thread *thread, i32 fd, linux_ptr vectors, u32 count, i64 offset,
                          bool writes) {
    i64 total = 0;
    if (count > LINUX_IOV_MAX || offset < 0) {
        return -EINVAL;
    }
    for (u32 i = 0; i < count; i++) {
        struct linux_iovec vector;
        if (copy_from_linux(&vector, linux_offset(vectors, i * sizeof(vector)), sizeof(vector)) !=
            0) {
            return total > 0 ? total : -EFAULT;
        }
        linux_ptr base = linux_pointer(vector.base);
        i64 done = writes ? linux_pwrite64(thread, fd, base, vector.size, offset + total)
                          : linux_pread64(thread, fd, base, vector.size, offset + total);
        if (done < 0) {
            return total > 0 ? total : done;
        }
        total += done;
        if ((usize)done < vector.size) {
            break;
        }
    }
    return total;
}

i64 linux_preadv(struct thread *thread, i32 fd, linux_ptr vectors, u32 count, i64 offset) {
    return vector_call_at(thread, fd, vectors, count, offset, false);
}

i64 linux_pwritev(struct thread *thread, i32 fd, linux_ptr vectors, u32 count, i64 offset) {
    return vector_call_at(thread, fd, vectors, count, offset, true);
}

i64 linux_preadv2(struct thread *thread, i32 fd, linux_ptr vectors, u32 count, i64 offset, u64,
                  u32 flags) {
    if (flags) {
        return -EOPNOTSUPP;
    }
    return offset == -1 ? linux_readv(thread, fd, vectors, count)
                        : linux_preadv(thread, fd, vectors, count, offset);
}

i64 linux_pwritev2(struct thread *thread, i32 fd, linux_ptr vectors, u32 count, i64 offset, u64,
                   u32 flags) {
    if (flags) {
        return -EOPNOTSUPP;
    }
    return offset == -1 ? linux_writev(thread, fd, vectors, count)
                        : linux_pwritev(thread, fd, vectors, count, offset);
}

i64 linux_readv(struct thread *thread, i32 fd, linux_ptr vectors, u32 count) {
    // As one read: what comes short ends it, so a pipe is not waited for twice.
    return vector_call(thread, fd, vectors, count, linux_read);
}

i64 linux_writev(struct thread *thread, i32 fd, linux_ptr vectors, u32 count) {
    bool is_done;
    i64 result = count <= 16 ? writev_small(thread, fd, vectors, count, &is_done) : 0;
    if (count <= 16 && is_done) {
        return result;
    }
    return vector_call(thread, fd, vectors, count, linux_write);
}
