// Descriptor tables. A table starts with 16 numbers and doubles.
#include "linux/descriptors.h"

#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/file_locks.h"
#include "linux/process.h"
#include "linux/thread.h"

enum { CAPACITY_FIRST = 16 };

static struct descriptors *descriptors_alloc(u32 capacity)
    THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct descriptors *descriptors = heap_alloc_zero(sizeof(*descriptors));
    if (!descriptors) {
        return NULL;
    }
    descriptors->references = 1;
    descriptors->capacity = capacity;
    descriptors->table = heap_alloc_zero(capacity * sizeof(struct descriptor));
    if (!descriptors->table) {
        heap_free(descriptors);
        return NULL;
    }
    return descriptors;
}

// A process that closes a file gives its ranges in it back, whatever other descriptors it has.
static void descriptor_file_put(struct descriptors *descriptors, struct file *file) {
    if (file && file->vnode->locks) {
        file_locks_close(file->vnode, descriptors);
    }
    file_put(file);
}

u32 descriptors_limit(const struct process *process) {
    return (u32)min(process->limits[RLIMIT_NOFILE].current, (u64)DESCRIPTORS_MAX);
}

struct descriptors *descriptors_create(void) { return descriptors_alloc(CAPACITY_FIRST); }

struct descriptors *descriptors_copy(struct descriptors *source)
    THREAD_ANNOTATION(no_thread_safety_analysis) {
    mutex_lock(&source->lock);
    struct descriptors *copy = descriptors_alloc(source->capacity);
    for (u32 i = 0; copy && i < source->capacity; i++) {
        copy->table[i] = source->table[i];
        if (copy->table[i].file) {
            file_get(copy->table[i].file);
        }
    }
    mutex_unlock(&source->lock);
    return copy;
}

struct descriptors *descriptors_get(struct descriptors *descriptors) {
    __atomic_fetch_add(&descriptors->references, 1, __ATOMIC_RELAXED);
    return descriptors;
}

void descriptors_put(struct descriptors *descriptors) THREAD_ANNOTATION(no_thread_safety_analysis) {
    if (!descriptors || __atomic_fetch_sub(&descriptors->references, 1, __ATOMIC_ACQ_REL) != 1) {
        return;
    }
    for (u32 i = 0; i < descriptors->capacity; i++) {
        descriptor_file_put(descriptors, descriptors->table[i].file);
    }
    heap_free(descriptors->table);
    heap_free(descriptors);
}

// Only the thread that execs uses the table by then.
void descriptors_close_on_exec(struct descriptors *descriptors)
    THREAD_ANNOTATION(no_thread_safety_analysis) {
    for (u32 i = 0; i < descriptors->capacity; i++) {
        struct descriptor *entry = &descriptors->table[i];
        if (entry->file && (entry->flags & FD_CLOEXEC)) {
            descriptor_file_put(descriptors, entry->file);
            *entry = (struct descriptor){};
        }
    }
}

static struct descriptor *descriptor_at_locked(struct descriptors *descriptors, i32 number)
    REQUIRES(&descriptors->lock) {
    if (number < 0 || (u32)number >= descriptors->capacity || !descriptors->table[number].file) {
        return NULL;
    }
    return &descriptors->table[number];
}

static bool table_reach_locked(struct descriptors *descriptors, u32 number)
    REQUIRES(&descriptors->lock) {
    u32 capacity = descriptors->capacity;
    if (number < capacity) {
        return true;
    }
    while (capacity <= number) {
        capacity *= 2;
    }
    struct descriptor *table = heap_alloc_zero(capacity * sizeof(*table));
    if (!table) {
        return false;
    }
    memcpy(table, descriptors->table, descriptors->capacity * sizeof(*table));
    heap_free(descriptors->table);
    descriptors->table = table;
    descriptors->capacity = capacity;
    return true;
}

struct file *descriptor_get(struct thread *thread, i32 number) {
    struct descriptors *descriptors = thread->process->descriptors;
    struct file *file = NULL;
    mutex_lock(&descriptors->lock);
    struct descriptor *entry = descriptor_at_locked(descriptors, number);
    if (entry) {
        file = file_get(entry->file);
    }
    mutex_unlock(&descriptors->lock);
    return file;
}

struct file *descriptor_get_open(struct thread *thread, i32 number) {
    struct file *file = descriptor_get(thread, number);
    if (file && (file_flags(file) & O_PATH)) {
        file_put(file);
        return NULL;
    }
    return file;
}

i32 descriptor_install(struct thread *thread, struct file *file, u32 flags, i32 first) {
    struct descriptors *descriptors = thread->process->descriptors;
    u32 limit = descriptors_limit(thread->process);
    u32 number = (u32)first;
    i32 result;
    mutex_lock(&descriptors->lock);
    while (number < descriptors->capacity && descriptors->table[number].file) {
        number++;
    }
    if (number >= limit) {
        result = -EMFILE;
    } else if (!table_reach_locked(descriptors, number)) {
        result = -ENOMEM;
    } else {
        descriptors->table[number] = (struct descriptor){file, flags};
        result = (i32)number;
    }
    mutex_unlock(&descriptors->lock);
    return result;
}

int descriptor_replace(struct thread *thread, i32 number, struct file *file, u32 flags) {
    struct descriptors *descriptors = thread->process->descriptors;
    struct file *old = NULL;
    int result = 0;
    if (number < 0 || (u32)number >= descriptors_limit(thread->process)) {
        return -EBADF;
    }
    mutex_lock(&descriptors->lock);
    if (table_reach_locked(descriptors, (u32)number)) {
        old = descriptors->table[number].file;
        descriptors->table[number] = (struct descriptor){file, flags};
    } else {
        result = -ENOMEM;
    }
    mutex_unlock(&descriptors->lock);
    descriptor_file_put(descriptors, old);
    return result;
}

int descriptor_close(struct thread *thread, i32 number) {
    struct descriptors *descriptors = thread->process->descriptors;
    struct file *file = NULL;
    mutex_lock(&descriptors->lock);
    struct descriptor *entry = descriptor_at_locked(descriptors, number);
    if (entry) {
        file = entry->file;
        *entry = (struct descriptor){};
    }
    mutex_unlock(&descriptors->lock);
    if (!file) {
        return -EBADF;
    }
    descriptor_file_put(descriptors, file);
    return 0;
}

int descriptor_flags(struct thread *thread, i32 number) {
    struct descriptors *descriptors = thread->process->descriptors;
    mutex_lock(&descriptors->lock);
    struct descriptor *entry = descriptor_at_locked(descriptors, number);
    int result = entry ? (int)entry->flags : -EBADF;
    mutex_unlock(&descriptors->lock);
    return result;
}

int descriptor_set_flags(struct thread *thread, i32 number, u32 flags) {
    struct descriptors *descriptors = thread->process->descriptors;
    mutex_lock(&descriptors->lock);
    struct descriptor *entry = descriptor_at_locked(descriptors, number);
    if (entry) {
        entry->flags = flags;
    }
    mutex_unlock(&descriptors->lock);
    return entry ? 0 : -EBADF;
}

void descriptors_close_range(struct thread *thread, u32 first, u32 last, u32 flags) {
    struct descriptors *descriptors = thread->process->descriptors;
    mutex_lock(&descriptors->lock);
    u32 end = last < descriptors->capacity ? last + 1 : descriptors->capacity;
    mutex_unlock(&descriptors->lock);
    for (u32 number = first; number < end; number++) {
        if (flags & FD_CLOEXEC) {
            descriptor_set_flags(thread, (i32)number, FD_CLOEXEC);
        } else {
            descriptor_close(thread, (i32)number);
        }
    }
}
