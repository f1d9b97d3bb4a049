// Who a process is: its number, and its users and groups.
#include "linux/calls.h"
#include "linux/credentials.h"
#include "linux/thread.h"

enum : u32 { ID_KEEP = ~0U };

i64 linux_getpid(struct thread *thread) { return thread->process->pid; }

i64 linux_gettid(struct thread *thread) { return thread->tid; }

// Without the lock: one load of a pointer that leads to a live process, as a parent is freed only
// after its children were given away, and a first process never.
i64 linux_getppid(struct thread *thread) {
    struct process *parent = __atomic_load_n(&thread->process->parent, __ATOMIC_ACQUIRE);
    return parent ? parent->pid : 0;
}

i64 linux_getuid(struct thread *thread) { return thread->process->credentials->uid; }

i64 linux_getgid(struct thread *thread) { return thread->process->credentials->gid; }

i64 linux_geteuid(struct thread *thread) { return thread->process->credentials->euid; }

i64 linux_getegid(struct thread *thread) { return thread->process->credentials->egid; }

static i64 ids_write(linux_ptr real_ptr, u32 real, linux_ptr effective_ptr, u32 effective,
                     linux_ptr saved_ptr, u32 saved) {
    if (copy_to_linux(real_ptr, &real, sizeof(real)) != 0 ||
        copy_to_linux(effective_ptr, &effective, sizeof(effective)) != 0 ||
        copy_to_linux(saved_ptr, &saved, sizeof(saved)) != 0) {
        return -EFAULT;
    }
    return 0;
}

i64 linux_getresuid(struct thread *thread, linux_ptr real, linux_ptr effective, linux_ptr saved) {
    const struct credentials *own = thread->process->credentials;
    return ids_write(real, own->uid, effective, own->euid, saved, own->suid);
}

i64 linux_getresgid(struct thread *thread, linux_ptr real, linux_ptr effective, linux_ptr saved) {
    const struct credentials *own = thread->process->credentials;
    return ids_write(real, own->gid, effective, own->egid, saved, own->sgid);
}

// Real, effective and saved id as they shall be; ID_KEEP: as it is.
struct ids {
    u32 real;
    u32 effective;
    u32 saved;
};

static i64 users_change(struct thread *thread, struct ids ids) {
    const struct credentials *old = thread->process->credentials;
    struct credentials *changed = credentials_copy(old, old->groups_count);
    if (!changed) {
        return -ENOMEM;
    }
    changed->uid = ids.real == ID_KEEP ? old->uid : ids.real;
    changed->euid = ids.effective == ID_KEEP ? old->euid : ids.effective;
    changed->suid = ids.saved == ID_KEEP ? old->suid : ids.saved;
    changed->fsuid = changed->euid;
    credentials_adjust(changed, old);
    credentials_set(thread->process, changed);
    return 0;
}

static i64 groups_change(struct thread *thread, struct ids ids) {
    const struct credentials *old = thread->process->credentials;
    struct credentials *changed = credentials_copy(old, old->groups_count);
    if (!changed) {
        return -ENOMEM;
    }
    changed->gid = ids.real == ID_KEEP ? old->gid : ids.real;
    changed->egid = ids.effective == ID_KEEP ? old->egid : ids.effective;
    changed->sgid = ids.saved == ID_KEEP ? old->sgid : ids.saved;
    changed->fsgid = changed->egid;
    credentials_set(thread->process, changed);
    return 0;
}

i64 linux_setuid(struct thread *thread, u32 uid) {
    const struct credentials *own = thread->process->credentials;
    if (uid == ID_KEEP) {
        return -EINVAL;
    }
    if (credentials_have(own, CAP_SETUID)) {
        return users_change(thread, (struct ids){uid, uid, uid});
    }
    return uid == own->uid || uid == own->suid
               ? users_change(thread, (struct ids){ID_KEEP, uid, ID_KEEP})
               : -EPERM;
}

i64 linux_setgid(struct thread *thread, u32 gid) {
    const struct credentials *own = thread->process->credentials;
    if (gid == ID_KEEP) {
        return -EINVAL;
    }
    if (credentials_have(own, CAP_SETGID)) {
        return groups_change(thread, (struct ids){gid, gid, gid});
    }
    return gid == own->gid || gid == own->sgid
               ? groups_change(thread, (struct ids){ID_KEEP, gid, ID_KEEP})
               : -EPERM;
}

static bool is_one_of(u32 id, u32 a, u32 b, u32 c) {
    return id == ID_KEEP || id == a || id == b || id == c;
}

i64 linux_setreuid(struct thread *thread, u32 real, u32 effective) {
    const struct credentials *own = thread->process->credentials;
    if (!credentials_have(own, CAP_SETUID) &&
        (!is_one_of(real, own->uid, own->euid, own->euid) ||
         !is_one_of(effective, own->uid, own->euid, own->suid))) {
        return -EPERM;
    }
    bool saves = real != ID_KEEP || (effective != ID_KEEP && effective != own->uid);
    u32 saved = !saves ? ID_KEEP : effective == ID_KEEP ? own->euid : effective;
    return users_change(thread, (struct ids){real, effective, saved});
}

i64 linux_setregid(struct thread *thread, u32 real, u32 effective) {
    const struct credentials *own = thread->process->credentials;
    if (!credentials_have(own, CAP_SETGID) &&
        (!is_one_of(real, own->gid, own->egid, own->egid) ||
         !is_one_of(effective, own->gid, own->egid, own->sgid))) {
        return -EPERM;
    }
    bool saves = real != ID_KEEP || (effective != ID_KEEP && effective != own->gid);
    u32 saved = !saves ? ID_KEEP : effective == ID_KEEP ? own->egid : effective;
    return groups_change(thread, (struct ids){real, effective, saved});
}

i64 linux_setresuid(struct thread *thread, u32 real, u32 effective, u32 saved) {
    const struct credentials *own = thread->process->credentials;
    if (!credentials_have(own, CAP_SETUID) &&
        (!is_one_of(real, own->uid, own->euid, own->suid) ||
         !is_one_of(effective, own->uid, own->euid, own->suid) ||
         !is_one_of(saved, own->uid, own->euid, own->suid))) {
        return -EPERM;
    }
    return users_change(thread, (struct ids){real, effective, saved});
}

i64 linux_setresgid(struct thread *thread, u32 real, u32 effective, u32 saved) {
    const struct credentials *own = thread->process->credentials;
    if (!credentials_have(own, CAP_SETGID) &&
        (!is_one_of(real, own->gid, own->egid, own->sgid) ||
         !is_one_of(effective, own->gid, own->egid, own->sgid) ||
         !is_one_of(saved, own->gid, own->egid, own->sgid))) {
        return -EPERM;
    }
    return groups_change(thread, (struct ids){real, effective, saved});
}

// The id before, whether it could be changed or not.
i64 linux_setfsuid(struct thread *thread, u32 uid) {
    const struct credentials *own = thread->process->credentials;
    u32 before = own->fsuid;
    if (uid != ID_KEEP && (uid == before || is_one_of(uid, own->uid, own->euid, own->suid) ||
                           credentials_have(own, CAP_SETUID))) {
        struct credentials *changed = credentials_copy(own, own->groups_count);
        if (changed) {
            changed->fsuid = uid;
            credentials_adjust(changed, own);
            credentials_set(thread->process, changed);
        }
    }
    return before;
}

i64 linux_setfsgid(struct thread *thread, u32 gid) {
    const struct credentials *own = thread->process->credentials;
    u32 before = own->fsgid;
    if (gid != ID_KEEP && (gid == before || is_one_of(gid, own->gid, own->egid, own->sgid) ||
                           credentials_have(own, CAP_SETGID))) {
        struct credentials *changed = credentials_copy(own, own->groups_count);
        if (changed) {
            changed->fsgid = gid;
            credentials_set(thread->process, changed);
        }
    }
    return before;
}

i64 linux_getgroups(struct thread *thread, i32 size, linux_ptr list) {
    const struct credentials *own = thread->process->credentials;
    if (size < 0 || (size > 0 && (u32)size < own->groups_count)) {
        return -EINVAL;
    }
    if (size > 0 && copy_to_linux(list, own->groups, own->groups_count * sizeof(u32)) != 0) {
        return -EFAULT;
    }
    return own->groups_count;
}

i64 linux_setgroups(struct thread *thread, i32 size, linux_ptr list) {
    const struct credentials *own = thread->process->credentials;
    if (!credentials_have(own, CAP_SETGID)) {
        return -EPERM;
    }
    if ((u32)size > GROUPS_MAX) {
        return -EINVAL;
    }
    struct credentials *changed = credentials_copy(own, (u32)size);
    if (!changed) {
        return -ENOMEM;
    }
    if (copy_from_linux(changed->groups, list, (u32)size * sizeof(u32)) != 0) {
        credentials_put(changed);
        return -EFAULT;
    }
    credentials_groups_sort(changed);
    credentials_set(thread->process, changed);
    return 0;
}
