// execve as a system call: its strings come out of the old program's memory.
#include "lib/heap.h"
#include "linux/calls.h"
#include "linux/process.h"
#include "linux/thread.h"

// With the final zero.
enum { STRING_BYTES_MAX = 32 * PAGE_SIZE };

// Appends one string of Linux memory, growing the room until it fits.
static int program_add_linux(struct program *program, linux_ptr text) {
    usize room = 256;
    for (;;) {
        int result = program_reserve(program, room);
        if (result != 0) {
            return result;
        }
        i64 size = copy_string_from_linux(program->text + program->size, text,
                                          program->capacity - program->size);
        if (size >= STRING_BYTES_MAX) {
            return -E2BIG;
        }
        if (size >= 0) {
            program->size += (u32)size + 1;
            return 0;
        }
        if (size != -ENAMETOOLONG) {
            return (int)size;
        }
        room = program->capacity - program->size + PAGE_SIZE;
        if (room > 2 * STRING_BYTES_MAX) {
            return -E2BIG;
        }
    }
}

static int program_add_vector(struct program *program, linux_ptr vector, u32 *count) {
    if (linux_is_null(vector)) {
        return 0;
    }
    for (;;) {
        u64 text;
        int result = copy_from_linux(&text, linux_offset(vector, (u64)*count * 8), sizeof(text));
        if (result != 0 || text == 0) {
            return result;
        }
        result = program_add_linux(program, linux_pointer(text));
        if (result != 0) {
            return result;
        }
        (*count)++;
    }
}

// Strings and pointers to them may take a quarter of the stack, and 128 KiB in any case.
static bool is_too_big(const struct process *process, const struct program *program) {
    enum : u64 { ROOM_LEAST = 128 << 10, ROOM_MOST = 6 << 20 };
    u64 room = min(process->limits[RLIMIT_STACK].current / 4, ROOM_MOST);
    u64 pointers = ((u64)program->argc + program->envc) * sizeof(u64);
    return program->size + pointers > max(room, ROOM_LEAST);
}

i64 linux_execve(struct thread *thread, linux_ptr path_ptr, linux_ptr argv, linux_ptr envp) {
    char *path = heap_alloc(LINUX_PATH_MAX);
    struct program *program = program_create();
    i64 result = path && program ? copy_string_from_linux(path, path_ptr, LINUX_PATH_MAX) : -ENOMEM;
    if (result >= 0) {
        result = program_add_vector(program, argv, &program->argc);
    }
    if (result >= 0 && program->argc == 0) {
        program->argc = 1; // as Linux since 5.18
        result = program_add(program, "", 0);
    }
    if (result >= 0) {
        program->arguments_size = program->size;
        result = program_add_vector(program, envp, &program->envc);
    }
    if (result >= 0 && is_too_big(thread->process, program)) {
        result = -E2BIG;
    }
    if (result >= 0) {
        result = exec_program(thread, AT_FDCWD, path, program);
        program = NULL;
    }
    program_put(program);
    heap_free(path);
    // The new program starts with rax = 0, which a result of 0 is.
    return result;
}
