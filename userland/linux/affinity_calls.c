// On which processors a process may run: kept, inherited and shown, as far as the machine has them. It is
// the kernel that chooses where a thread runs, among all of them.
#include "linux/calls.h"
#include "linux/credentials.h"
#include "linux/processor.h"
#include "linux/thread.h"

enum { MASK_BYTES = sizeof(u64) };

static u64 all_processors(void) { return ~0UL >> (64 - processor_count()); }

u64 process_affinity_locked(const struct process *process) {
    return process->affinity ? process->affinity : all_processors();
}

static struct process *target_locked(struct thread *thread, i32 pid) REQUIRES(&tasks.lock) {
    return pid == 0 ? thread->process : process_find_locked(pid);
}

static int affinity_set_locked(struct thread *thread, i32 pid, u64 mask) REQUIRES(&tasks.lock) {
    const struct credentials *own = thread->process->credentials;
    struct process *process = target_locked(thread, pid);
    if (!process) {
        return -ESRCH;
    }
    bool may = own->euid == process->credentials->euid || own->euid == process->credentials->uid ||
               credentials_have(own, CAP_SYS_NICE);
    if (!may || (mask & all_processors()) == 0) {
        return may ? -EINVAL : -EPERM;
    }
    process->affinity = mask & all_processors();
    return 0;
}

i64 linux_sched_setaffinity(struct thread *thread, i32 pid, usize size, linux_ptr mask_ptr) {
    u64 mask = 0;
    if (copy_from_linux(&mask, mask_ptr, min(size, (usize)MASK_BYTES)) != 0) {
        return -EFAULT;
    }
    mutex_lock(&tasks.lock);
    int result = affinity_set_locked(thread, pid, mask);
    mutex_unlock(&tasks.lock);
    return result;
}

i64 linux_sched_getaffinity(struct thread *thread, i32 pid, usize size, linux_ptr mask_ptr) {
    if (size * 8 < processor_count() || size % MASK_BYTES != 0) {
        return -EINVAL;
    }
    mutex_lock(&tasks.lock);
    const struct process *process = target_locked(thread, pid);
    u64 mask = process ? process_affinity_locked(process) : 0;
    mutex_unlock(&tasks.lock);
    if (mask == 0) {
        return -ESRCH;
    }
    return copy_to_linux(mask_ptr, &mask, MASK_BYTES) != 0 ? -EFAULT : (i64)MASK_BYTES;
}
