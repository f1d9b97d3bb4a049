// Moving bytes between files and Linux memory: through a buffer of the personality, so that no lock
// is held while Linux memory is touched.
#pragma once

#include "linux/copy.h"
#include "linux/vfs.h"

enum { IO_SMALL_BYTES = 512, IO_PIECE_BYTES = PAGE_SIZE };

// A buffer of up to a page: on the stack when that is enough.
struct io_buffer {
    u8 *bytes;
    usize size;
    u8 *heap;
    _Alignas(8) u8 small[IO_SMALL_BYTES];
};

int io_buffer_init(struct io_buffer *buffer, usize wanted);
void io_buffer_end(struct io_buffer *buffer);

// A counted file whose descriptor is open for it; NULL when it is not, or has `refused_mode`
// (O_RDONLY for who wants to write).
struct file *file_open_for(struct thread *thread, i32 fd, u32 refused_mode);
