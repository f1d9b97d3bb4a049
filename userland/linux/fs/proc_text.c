// The texts of /proc: made in full when they are read from the beginning, then read from that copy. What
// is written goes to the entry at once.
#include "lib/format.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/fs/proc_node.h"

enum { TEXT_BYTES_FIRST = 1000 };

static bool text_reserve(struct text *text, usize more) {
    usize capacity = text->capacity;
    if (text->size + more <= capacity) {
        return true;
    }
    while (capacity < text->size + more) {
        capacity *= 2;
    }
    char *bytes = heap_alloc(capacity);
    if (!bytes) {
        text->error = -ENOMEM;
        return false;
    }
    memcpy(bytes, text->bytes, text->size);
    heap_free(text->bytes);
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void text_append(struct text *text, const void *bytes, usize size) {
    if (text_reserve(text, size)) {
        memcpy(text->bytes + text->size, bytes, size);
        text->size += size;
    }
}

void text_print(struct text *text, const char *format, ...) {
    va_list args;
    va_start(args, format);
    usize room = text->capacity - text->size;
    usize length = format_text_args(text->bytes + text->size, room, format, args);
    va_end(args);
    if (length >= room && text_reserve(text, length + 1)) {
        va_start(args, format);
        format_text_args(text->bytes + text->size, length + 1, format, args);
        va_end(args);
    }
    if (text->size + length < text->capacity) {
        text->size += length;
    }
}

// What an open file of a process shows, where that is its program's, is empty after an execve: on Linux
// the memory of then is gone.
static bool is_of_another_program(const struct proc_node *node, const struct text *text) {
    mutex_lock(&tasks.lock);
    struct process *process = process_find_locked(node->pid);
    bool is_another = process && process->program != text->program;
    mutex_unlock(&tasks.lock);
    return node->entry->is_of_program && is_another;
}

static int text_make(const struct proc_node *node, struct text *text) {
    const struct proc_entry *entry = node->entry;
    text->size = 0;
    text->error = 0;
    if (is_of_another_program(node, text)) {
        return 0;
    }
    if (entry->print) {
        entry->print(text, node);
        return text->error;
    }
    mutex_lock(&tasks.lock);
    struct process *process = process_find_locked(node->pid);
    if (process) {
        entry->print_process(text, process);
    }
    mutex_unlock(&tasks.lock);
    return process ? text->error : -ESRCH;
}

static int text_begin(const struct proc_node *node, struct text *text) {
    if (!text->bytes) {
        text->bytes = heap_alloc(TEXT_BYTES_FIRST);
        text->capacity = text->bytes ? TEXT_BYTES_FIRST : 0;
    }
    return text->bytes ? text_make(node, text) : -ENOMEM;
}

static i64 text_read(struct thread *, struct file *file, void *buffer, usize size, u64 *offset,
                     u32) {
    struct text *text = file->private;
    int result = *offset == 0 || !text->bytes ? text_begin(proc_node(file->vnode), text) : 0;
    if (result != 0 || *offset >= text->size) {
        return result;
    }
    usize count = min(size, (usize)(text->size - *offset));
    memcpy(buffer, text->bytes + *offset, count);
    *offset += count;
    return (i64)count;
}

static i64 text_write(struct thread *, struct file *file, const void *buffer, usize size,
                      u64 *offset, u32) {
    struct proc_node *node = proc_node(file->vnode);
    i64 refusal = node->pid != 0 ? -EINVAL : -EIO; // as Linux's two kinds of files have it
    i64 result = node->entry->store ? node->entry->store(node, buffer, size) : refusal;
    *offset += result > 0 ? (u64)result : 0;
    return result;
}

static void text_release(struct file *file) {
    struct text *text = file->private;
    heap_free(text->bytes);
    program_put(text->program);
    heap_free(text);
}

static const struct file_ops text_ops = {
    .read = text_read, .write = text_write, .release = text_release};

static struct program *program_of(i32 pid) {
    struct program *program = NULL;
    mutex_lock(&tasks.lock);
    struct process *process = process_find_locked(pid);
    if (process && process->program) {
        program = program_get(process->program);
    }
    mutex_unlock(&tasks.lock);
    return program;
}

// Settings that nobody may write say so at once, to root as well.
int proc_open(struct thread *, struct vnode *vnode, struct file *file) {
    struct proc_node *node = proc_node(vnode);
    const struct proc_entry *entry = node->entry;
    bool writes = (file_flags(file) & O_ACCMODE) != O_RDONLY;
    if (!entry->print && !entry->print_process) {
        return 0;
    }
    if (writes && entry->place >= PROC_NET && !entry->store) {
        return -EACCES;
    }
    int result = entry->is_of_program ? proc_inspect_check(node->pid) : 0;
    if (result != 0) {
        return result == -ENOENT ? -ESRCH : result;
    }
    struct text *text = heap_alloc_zero(sizeof(*text));
    if (!text) {
        return -ENOMEM;
    }
    text->program = entry->is_of_program ? program_of(node->pid) : NULL;
    file->private = text;
    file->ops = &text_ops;
    return 0;
}
