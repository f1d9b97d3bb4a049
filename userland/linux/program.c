// What a process runs: collecting the strings of an execve.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/process.h"

enum { TEXT_BYTES_FIRST = 1344 };

struct program *program_create(void) {
    struct program *program = heap_alloc_zero(sizeof(*program));
    if (program) {
        program->references = 1;
    }
    return program;
}

struct program *program_get(struct program *program) {
    __atomic_fetch_add(&program->references, 1, __ATOMIC_RELAXED);
    return program;
}

static void file_give_up(struct program *program) {
    if (program->file) {
        vnode_program_remove(program->file->vnode);
        file_put(program->file);
    }
}

int program_set_file(struct program *program, struct path path) {
    struct file *file;
    int result = file_create(path, O_RDONLY, &file);
    if (result != 0) {
        return result;
    }
    result = vnode_program_add(path.vnode);
    if (result != 0) {
        file_put(file);
        return result;
    }
    file_give_up(program);
    program->file = file;
    return 0;
}

void program_put(struct program *program) {
    if (program && __atomic_fetch_sub(&program->references, 1, __ATOMIC_ACQ_REL) == 1) {
        file_give_up(program);
        heap_free(program->text);
        heap_free(program);
    }
}

// Makes room for `size` more bytes.
int program_reserve(struct program *program, usize size) {
    usize capacity = max((usize)program->capacity, (usize)TEXT_BYTES_FIRST);
    while (capacity < program->size + size) {
        capacity *= 2;
    }
    if (capacity <= program->capacity) {
        return 0;
    }
    if (program->size + size > HEAP_ALLOC_MAX) {
        return -E2BIG;
    }
    capacity = min(capacity, (usize)HEAP_ALLOC_MAX);
    char *text = heap_alloc(capacity);
    if (!text) {
        return -ENOMEM;
    }
    if (program->text) {
        memcpy(text, program->text, program->size);
    }
    heap_free(program->text);
    program->text = text;
    program->capacity = (u32)capacity;
    return 0;
}

int program_add(struct program *program, const char *text, usize size) {
    int result = program_reserve(program, size + 1);
    if (result == 0) {
        memcpy(program->text + program->size, text, size);
        program->text[program->size + size] = 0;
        program->size += (u32)size + 1;
    }
    return result;
}
