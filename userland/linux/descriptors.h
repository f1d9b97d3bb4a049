// A process's table of open files.
// Rules:
// - descriptor_get gives a counted file; -EBADF's NULL for a number that is not open;
// - a number is reserved and filled in one step, so that no other thread sees it half-made.
#pragma once

#include "lib/mutex.h"
#include "linux/vfs.h"

struct process;

// However high a process's limit is.
enum { DESCRIPTORS_MAX = 32768 };

struct descriptor {
    struct file *file; // NULL: free
    u32 flags;         // FD_CLOEXEC
};

struct descriptors {
    u32 references;
    struct mutex lock;
    // under lock:
    u32 capacity GUARDED_BY(&lock);
    struct descriptor *table GUARDED_BY(&lock);
};

// One more than the highest number that the calling process may use now.
u32 descriptors_limit(const struct process *process);
struct descriptors *descriptors_create(void);
struct descriptors *descriptors_copy(struct descriptors *source);
struct descriptors *descriptors_get(struct descriptors *descriptors);
void descriptors_put(struct descriptors *descriptors);
void descriptors_close_on_exec(struct descriptors *descriptors);

struct file *descriptor_get(struct thread *thread, i32 number);
// The same, but NULL for one that was opened for its path only (O_PATH).
struct file *descriptor_get_open(struct thread *thread, i32 number);
// Takes the lowest free number from `first` on. Consumes the file's reference on success only.
i32 descriptor_install(struct thread *thread, struct file *file, u32 flags, i32 first);
// Puts a file under a number, closing what was there. Consumes on success only.
int descriptor_replace(struct thread *thread, i32 number, struct file *file, u32 flags);
int descriptor_close(struct thread *thread, i32 number);
int descriptor_flags(struct thread *thread, i32 number);
int descriptor_set_flags(struct thread *thread, i32 number, u32 flags);
// Closes, or marks to be closed on exec, every number in [first, last].
void descriptors_close_range(struct thread *thread, u32 first, u32 last, u32 flags);
