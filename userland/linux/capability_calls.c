// Capabilities: reading and changing them, and the options of prctl about them.
#include "linux/calls.h"
#include "linux/credentials.h"
#include "linux/thread.h"

enum {
    CAPABILITY_VERSION_1 = 0x19980330,
    CAPABILITY_VERSION_2 = 0x20071026,
    CAPABILITY_VERSION_3 = 0x20080522,
    PR_GET_KEEPCAPS = 7,
    PR_SET_KEEPCAPS = 8,
    PR_CAPBSET_READ = 23,
    PR_CAPBSET_DROP = 24,
    PR_GET_SECUREBITS = 27,
    PR_SET_SECUREBITS = 28,
    PR_CAP_AMBIENT = 47,
    PR_CAP_AMBIENT_IS_SET = 1,
    PR_CAP_AMBIENT_RAISE = 2,
    PR_CAP_AMBIENT_LOWER = 3,
    PR_CAP_AMBIENT_CLEAR_ALL = 4,
};

struct capability_header {
    u32 version;
    i32 pid;
};

// The sets' low halves, then their high ones.
struct capability_data {
    struct {
        u32 effective;
        u32 permitted;
        u32 inheritable;
    } halves[2];
};

// How many halves a version has; an unknown one is told the one to use, with the error.
static i64 header_read(struct capability_header *header, linux_ptr header_ptr) {
    if (copy_from_linux(header, header_ptr, sizeof(*header)) != 0) {
        return -EFAULT;
    }
    switch (header->version) {
    case CAPABILITY_VERSION_1: return 1;
    case CAPABILITY_VERSION_2:
    case CAPABILITY_VERSION_3: return 2;
    default:
        header->version = CAPABILITY_VERSION_3;
        return copy_to_linux(header_ptr, &header->version, sizeof(header->version)) != 0 ? -EFAULT
                                                                                         : -EINVAL;
    }
}

static int sets_of_process(struct thread *thread, i32 pid, struct capability_data *data) {
    mutex_lock(&tasks.lock);
    const struct process *process = pid == 0 ? thread->process : process_find_locked(pid);
    if (process) {
        const struct credentials *own = process->credentials;
        for (u32 i = 0; i < 2; i++) {
            data->halves[i].effective = (u32)(own->effective >> 32 * i);
            data->halves[i].permitted = (u32)(own->permitted >> 32 * i);
            data->halves[i].inheritable = (u32)(own->inheritable >> 32 * i);
        }
    }
    mutex_unlock(&tasks.lock);
    return process ? 0 : -ESRCH;
}

i64 linux_capget(struct thread *thread, linux_ptr header_ptr, linux_ptr data_ptr) {
    struct capability_header header;
    struct capability_data data;
    i64 halves = header_read(&header, header_ptr);
    if (linux_is_null(data_ptr) && (halves > 0 || halves == -EINVAL)) {
        return 0;
    }
    if (halves < 0 || header.pid < 0) {
        return halves < 0 ? halves : -EINVAL;
    }
    i64 result = sets_of_process(thread, header.pid, &data);
    return result != 0 ? result
                       : copy_to_linux(data_ptr, &data, (usize)halves * sizeof(data.halves[0]));
}

static i64 sets_change(struct process *process, u64 effective, u64 permitted, u64 inheritable) {
    const struct credentials *old = process->credentials;
    u64 may_inherit = credentials_have(old, CAP_SETPCAP) ? ~0UL : old->inheritable | old->permitted;
    if ((inheritable & ~may_inherit) || (inheritable & ~(old->inheritable | old->bounding)) ||
        (permitted & ~old->permitted) || (effective & ~permitted)) {
        return -EPERM;
    }
    struct credentials *changed = credentials_copy(old, old->groups_count);
    if (!changed) {
        return -ENOMEM;
    }
    changed->effective = effective;
    changed->permitted = permitted;
    changed->inheritable = inheritable;
    changed->ambient &= permitted & inheritable;
    credentials_set(process, changed);
    return 0;
}

i64 linux_capset(struct thread *thread, linux_ptr header_ptr, linux_ptr data_ptr) {
    struct capability_header header;
    struct capability_data data = {};
    i64 halves = header_read(&header, header_ptr);
    if (halves < 0) {
        return halves;
    }
    if (header.pid != 0 && header.pid != thread->process->pid) {
        return -EPERM;
    }
    if (copy_from_linux(&data, data_ptr, (usize)halves * sizeof(data.halves[0])) != 0) {
        return -EFAULT;
    }
    return sets_change(
        thread->process,
        (data.halves[0].effective | (u64)data.halves[1].effective << 32) & CAPABILITIES_ALL,
        (data.halves[0].permitted | (u64)data.halves[1].permitted << 32) & CAPABILITIES_ALL,
        (data.halves[0].inheritable | (u64)data.halves[1].inheritable << 32) & CAPABILITIES_ALL);
}

static i64 bounding_drop(struct process *process, u64 one) {
    const struct credentials *old = process->credentials;
    if (!credentials_have(old, CAP_SETPCAP)) {
        return -EPERM;
    }
    if (one >= CAPABILITIES) {
        return -EINVAL;
    }
    struct credentials *changed = credentials_copy(old, old->groups_count);
    if (!changed) {
        return -ENOMEM;
    }
    changed->bounding &= ~(1UL << one);
    credentials_set(process, changed);
    return 0;
}

static i64 secure_bits_set(struct process *process, u32 bits) {
    struct credentials *changed =
        credentials_copy(process->credentials, process->credentials->groups_count);
    if (!changed) {
        return -ENOMEM;
    }
    changed->secure_bits = bits;
    credentials_set(process, changed);
    return 0;
}

static i64 secure_bits_change(struct process *process, u32 bits) {
    const struct credentials *old = process->credentials;
    u32 locked = old->secure_bits & SECBIT_LOCKS;
    bool changes_locked = (old->secure_bits ^ bits) & (locked >> 1);
    bool unlocks = locked & ~bits;
    if (changes_locked || unlocks || (bits & ~(u32)SECBIT_ALL) ||
        !credentials_have(old, CAP_SETPCAP)) {
        return -EPERM;
    }
    return secure_bits_set(process, bits);
}

static i64 keep_change(struct process *process, u64 value) {
    u32 bits = process->credentials->secure_bits;
    if (value > 1) {
        return -EINVAL;
    }
    if (bits & SECBIT_KEEP_CAPS << 1) {
        return -EPERM;
    }
    return secure_bits_set(process,
                           value ? bits | SECBIT_KEEP_CAPS : bits & ~(u32)SECBIT_KEEP_CAPS);
}

static i64 ambient_change(struct process *process, u64 operation, u64 one) {
    const struct credentials *old = process->credentials;
    u64 bit = 1UL << (one % 64);
    if (operation == PR_CAP_AMBIENT_CLEAR_ALL ? one != 0 : one >= CAPABILITIES) {
        return -EINVAL;
    }
    switch (operation) {
    case PR_CAP_AMBIENT_IS_SET: return (old->ambient & bit) != 0;
    case PR_CAP_AMBIENT_RAISE:
        if (!(old->permitted & old->inheritable & bit)) {
            return -EPERM;
        }
        break;
    case PR_CAP_AMBIENT_LOWER:
    case PR_CAP_AMBIENT_CLEAR_ALL: break;
    default: return -EINVAL;
    }
    struct credentials *changed = credentials_copy(old, old->groups_count);
    if (!changed) {
        return -ENOMEM;
    }
    changed->ambient = operation == PR_CAP_AMBIENT_CLEAR_ALL ? 0
                       : operation == PR_CAP_AMBIENT_RAISE   ? old->ambient | bit
                                                             : old->ambient & ~bit;
    credentials_set(process, changed);
    return 0;
}

i64 credentials_prctl(struct process *process, u32 option, u64 a, u64 b) {
    const struct credentials *own = process->credentials;
    switch (option) {
    case PR_GET_KEEPCAPS: return (own->secure_bits & SECBIT_KEEP_CAPS) != 0;
    case PR_SET_KEEPCAPS: return keep_change(process, a);
    case PR_CAPBSET_READ: return a < CAPABILITIES ? (i64)(own->bounding >> a & 1) : -EINVAL;
    case PR_CAPBSET_DROP: return bounding_drop(process, a);
    case PR_GET_SECUREBITS: return own->secure_bits;
    case PR_SET_SECUREBITS: return secure_bits_change(process, (u32)a);
    case PR_CAP_AMBIENT: return ambient_change(process, a, b);
    default: return -ENOSYS;
    }
}
