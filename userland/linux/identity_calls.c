// Who a process is: ids, users. There is one user so far: root.
#include "linux/calls.h"
#include "linux/process.h"
#include "linux/thread.h"

i64 linux_getpid(struct thread *thread) { return thread->process->pid; }

i64 linux_gettid(struct thread *thread) { return thread->tid; }

// Without the lock: one load of a pointer that leads to a live process, as a parent is freed only
// after its children were given away, and a first process never.
i64 linux_getppid(struct thread *thread) {
    struct process *parent = __atomic_load_n(&thread->process->parent, __ATOMIC_ACQUIRE);
    return parent ? parent->pid : 0;
}

i64 linux_getuid(struct thread *) { return 0; }

i64 linux_getgid(struct thread *) { return 0; }

i64 linux_geteuid(struct thread *) { return 0; }

i64 linux_getegid(struct thread *) { return 0; }

static i64 ids_write(linux_ptr real, linux_ptr effective, linux_ptr saved) {
    u32 id = 0;
    if (copy_to_linux(real, &id, sizeof(id)) != 0 ||
        copy_to_linux(effective, &id, sizeof(id)) != 0 ||
        copy_to_linux(saved, &id, sizeof(id)) != 0) {
        return -EFAULT;
    }
    return 0;
}

i64 linux_getresuid(struct thread *, linux_ptr real, linux_ptr effective, linux_ptr saved) {
    return ids_write(real, effective, saved);
}

i64 linux_getresgid(struct thread *, linux_ptr real, linux_ptr effective, linux_ptr saved) {
    return ids_write(real, effective, saved);
}

i64 linux_setuid(struct thread *, u32 uid) { return uid == 0 ? 0 : -EPERM; }

i64 linux_setgid(struct thread *, u32 gid) { return gid == 0 ? 0 : -EPERM; }

i64 linux_getgroups(struct thread *, i32, linux_ptr) { return 0; }

i64 linux_setgroups(struct thread *, i32 size, linux_ptr) { return size == 0 ? 0 : -EPERM; }

// Root has every capability, of version 3 of the interface: two words each.
i64 linux_capget(struct thread *, linux_ptr header_ptr, linux_ptr data) {
    enum { CAPABILITIES_VERSION = 0x20080522 };
    struct {
        u32 version;
        i32 pid;
    } header;
    u32 sets[2][3] = {{~0U, ~0U, 0}, {0x1ff, 0x1ff, 0}};
    if (copy_from_linux(&header, header_ptr, sizeof(header)) != 0) return -EFAULT;
    if (header.version != CAPABILITIES_VERSION) {
        header.version = CAPABILITIES_VERSION;
        return copy_to_linux(header_ptr, &header, sizeof(header)) != 0 ? -EFAULT : -EINVAL;
    }
    return linux_is_null(data) ? 0 : copy_to_linux(data, sets, sizeof(sets));
}

i64 linux_capset(struct thread *, linux_ptr, linux_ptr) { return -EPERM; }
