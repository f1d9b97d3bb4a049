// What is the machine's and not the container's: calls that nobody in it may make, whatever
// capabilities he has, and memory and queues of System V, of which there are none.
#include "linux/calls.h"
#include "linux/credentials.h"
#include "linux/thread.h"

enum : i32 { IPC_CREAT = 01000 };

static bool is_admin(const struct thread *thread) {
    return credentials_have(thread->process->credentials, CAP_SYS_ADMIN);
}

// The kernel's log tells of all containers.
i64 linux_syslog([[maybe_unused]] struct thread *thread, [[maybe_unused]] i32 action,
                 [[maybe_unused]] linux_ptr buffer, [[maybe_unused]] i32 size) {
    return -EPERM;
}

i64 linux_reboot([[maybe_unused]] struct thread *thread, [[maybe_unused]] u32 magic1,
                 [[maybe_unused]] u32 magic2, [[maybe_unused]] u32 command,
                 [[maybe_unused]] linux_ptr argument) {
    return -EPERM;
}

i64 linux_pivot_root([[maybe_unused]] struct thread *thread, [[maybe_unused]] linux_ptr root,
                     [[maybe_unused]] linux_ptr old) {
    return -EPERM;
}

// No file holds a swap area, and none is in use.
i64 linux_swapon(struct thread *thread, [[maybe_unused]] linux_ptr path,
                 [[maybe_unused]] u32 flags) {
    return is_admin(thread) ? -EINVAL : -EPERM;
}

i64 linux_swapoff(struct thread *thread, [[maybe_unused]] linux_ptr path) {
    return is_admin(thread) ? -EINVAL : -EPERM;
}

// No module has this name.
i64 linux_delete_module(struct thread *thread, [[maybe_unused]] linux_ptr name,
                        [[maybe_unused]] u32 flags) {
    return is_admin(thread) ? -ENOENT : -EPERM;
}

i64 linux_init_module([[maybe_unused]] struct thread *thread, [[maybe_unused]] linux_ptr image,
                      [[maybe_unused]] usize size, [[maybe_unused]] linux_ptr parameters) {
    return -EPERM;
}

i64 linux_finit_module([[maybe_unused]] struct thread *thread, [[maybe_unused]] i32 fd,
                       [[maybe_unused]] linux_ptr parameters, [[maybe_unused]] i32 flags) {
    return -EPERM;
}

// A process shares its files with nobody but the child of a vfork, and namespaces are what
// containers are made of.
i64 linux_unshare([[maybe_unused]] struct thread *thread, u64 flags) {
    enum : u64 {
        CLONE_SYSVSEM = 0x40000,
        OWN_ALREADY = CLONE_FS | CLONE_FILES | CLONE_SYSVSEM,
        NAMESPACES = 0x7e020080, // user, PID, network, IPC, UTS, cgroup, mount, time
    };
    if (flags & ~(OWN_ALREADY | NAMESPACES)) {
        return -EINVAL;
    }
    return flags & NAMESPACES ? -EPERM : 0;
}

// As with a limit of none at all.
static i64 ipc_get(i32 key, i32 flags) {
    enum : i32 { IPC_PRIVATE = 0 };
    return key == IPC_PRIVATE || flags & IPC_CREAT ? -ENOSPC : -ENOENT;
}

i64 linux_shmget([[maybe_unused]] struct thread *thread, i32 key, [[maybe_unused]] usize size,
                 i32 flags) {
    return ipc_get(key, flags);
}

i64 linux_semget([[maybe_unused]] struct thread *thread, i32 key, [[maybe_unused]] i32 count,
                 i32 flags) {
    return ipc_get(key, flags);
}

i64 linux_msgget([[maybe_unused]] struct thread *thread, i32 key, i32 flags) {
    return ipc_get(key, flags);
}
