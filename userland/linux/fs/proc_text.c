// The texts of /proc: made in full when they are opened, read from that copy. What is written goes to
// the entry at once.
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

static int text_make(const struct proc_node *node, struct text *text) {
    const struct proc_entry *entry = node->entry;
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

static i64 text_read(struct thread *, struct file *file, void *buffer, usize size, u64 *offset,
                     u32) {
    struct text *text = file->private;
    if (*offset >= text->size) {
        return 0;
    }
    usize count = min(size, (usize)(text->size - *offset));
    memcpy(buffer, text->bytes + *offset, count);
    *offset += count;
    return (i64)count;
}

static i64 text_write(struct thread *, struct file *file, const void *buffer, usize size,
                      u64 *offset, u32) {
    struct proc_node *node = proc_node(file->vnode);
    i64 result = node->entry->store ? node->entry->store(node, buffer, size) : -EINVAL;
    *offset += result > 0 ? (u64)result : 0;
    return result;
}

static void text_release(struct file *file) {
    struct text *text = file->private;
    heap_free(text->bytes);
    heap_free(text);
}

static const struct file_ops text_ops = {
    .read = text_read, .write = text_write, .release = text_release};

int proc_open(struct thread *, struct vnode *vnode, struct file *file) {
    struct proc_node *node = proc_node(vnode);
    if (!node->entry->print && !node->entry->print_process) {
        return 0;
    }
    struct text *text = heap_alloc_zero(sizeof(*text));
    char *bytes = heap_alloc(TEXT_BYTES_FIRST);
    int result = text && bytes ? 0 : -ENOMEM;
    if (result == 0) {
        text->bytes = bytes;
        text->capacity = TEXT_BYTES_FIRST;
        result = text_make(node, text);
        bytes = text->bytes;
    }
    if (result != 0) {
        heap_free(bytes);
        heap_free(text);
        return result;
    }
    file->private = text;
    file->ops = &text_ops;
    return 0;
}
