// Credentials: counting, and how they change with ids and programs.
#include "linux/credentials.h"

#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/mount.h"

// What changing the file-system user takes away and gives back.
enum : u64 {
    CAPABILITIES_FS = 1UL << CAP_CHOWN | 1UL << CAP_DAC_OVERRIDE | 1UL << CAP_DAC_READ_SEARCH |
        1UL << CAP_FOWNER | 1UL << CAP_FSETID | 1UL << CAP_MKNOD | 1UL << 9 | 1UL << 32,
};

struct credentials credentials_root = {
    .references = 1,
    .permitted = CAPABILITIES_ALL,
    .effective = CAPABILITIES_ALL,
    .bounding = CAPABILITIES_ALL,
};

struct credentials *credentials_get(struct credentials *credentials) {
    __atomic_fetch_add(&credentials->references, 1, __ATOMIC_RELAXED);
    return credentials;
}

void credentials_put(struct credentials *credentials) {
    if (credentials && __atomic_fetch_sub(&credentials->references, 1, __ATOMIC_ACQ_REL) == 1) {
        heap_free(credentials);
    }
}

struct credentials *credentials_copy(const struct credentials *source, u32 groups_count) {
    struct credentials *copy = heap_alloc(sizeof(*copy) + groups_count * sizeof(u32));
    if (copy) {
        *copy = *source;
        copy->references = 1;
        copy->groups = (u32 *)(copy + 1);
        copy->groups_count = groups_count;
        memcpy(copy->groups, source->groups, min(groups_count, source->groups_count) * sizeof(u32));
    }
    return copy;
}

struct credentials *credentials_of_user(u32 uid, u32 gid, const u32 *groups, u32 groups_count) {
    struct credentials *made = credentials_copy(&credentials_root, groups_count);
    if (made) {
        memcpy(made->groups, groups, groups_count * sizeof(u32));
        credentials_groups_sort(made);
        made->gid = made->egid = made->sgid = made->fsgid = gid;
        made->uid = made->euid = made->suid = made->fsuid = uid;
        credentials_adjust(made, &credentials_root);
    }
    return made;
}

static bool is_another(const struct credentials *old, const struct credentials *credentials) {
    return old->euid != credentials->euid || old->egid != credentials->egid ||
           old->fsuid != credentials->fsuid || old->fsgid != credentials->fsgid ||
           (credentials->permitted & ~old->permitted) != 0;
}

void credentials_set(struct process *process, struct credentials *credentials) {
    mutex_lock(&tasks.lock);
    struct credentials *old = process->credentials;
    process->credentials = credentials;
    process->is_undumpable |= is_another(old, credentials);
    mutex_unlock(&tasks.lock);
    credentials_put(old);
}

// There are few: each goes to its place among those before it.
void credentials_groups_sort(struct credentials *credentials) {
    u32 *groups = credentials->groups;
    for (u32 i = 1; i < credentials->groups_count; i++) {
        u32 group = groups[i];
        u32 at = i;
        for (; at > 0 && groups[at - 1] > group; at--) {
            groups[at] = groups[at - 1];
        }
        groups[at] = group;
    }
}

bool credentials_are_in_group(const struct credentials *credentials, u32 gid) {
    u32 low = 0;
    u32 high = credentials->groups_count;
    if (gid == credentials->fsgid) {
        return true;
    }
    while (low < high) {
        u32 middle = low + (high - low) / 2;
        if (credentials->groups[middle] == gid) {
            return true;
        }
        if (credentials->groups[middle] < gid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

bool credentials_may_signal(const struct credentials *from, const struct credentials *to) {
    return from == to || from->euid == to->suid || from->euid == to->uid || from->uid == to->suid ||
           from->uid == to->uid || credentials_have(from, CAP_KILL);
}

bool credentials_may_inspect(const struct credentials *from, const struct credentials *to) {
    bool is_same_user =
        from->fsuid == to->euid && from->fsuid == to->suid && from->fsuid == to->uid;
    bool is_same_group =
        from->fsgid == to->egid && from->fsgid == to->sgid && from->fsgid == to->gid;
    bool has_no_more = (to->permitted & ~from->permitted) == 0;
    return from == to || (is_same_user && is_same_group && has_no_more) ||
           credentials_have(from, CAP_SYS_PTRACE);
}

static bool has_root_id(const struct credentials *credentials) {
    return credentials->uid == 0 || credentials->euid == 0 || credentials->suid == 0;
}

void credentials_adjust(struct credentials *changed, const struct credentials *old) {
    if (changed->secure_bits & SECBIT_NO_SETUID_FIXUP) {
        return;
    }
    if (has_root_id(old) && !has_root_id(changed)) {
        if (!(changed->secure_bits & SECBIT_KEEP_CAPS)) {
            changed->permitted = changed->effective = 0;
        }
        changed->ambient = 0;
    }
    if (old->euid == 0 && changed->euid != 0) {
        changed->effective = 0;
    } else if (old->euid != 0 && changed->euid == 0) {
        changed->effective = changed->permitted;
    }
    if (old->fsuid == 0 && changed->fsuid != 0) {
        changed->effective &= ~CAPABILITIES_FS;
    } else if (old->fsuid != 0 && changed->fsuid == 0) {
        changed->effective |= changed->permitted & CAPABILITIES_FS;
    }
}

// Capabilities of the new program: those of a file that root runs are all, of another's none.
static void exec_capabilities(struct credentials *changed, const struct credentials *old,
                              bool sets_ids) {
    bool is_root = !(old->secure_bits & SECBIT_NOROOT);
    u64 file = is_root && (changed->uid == 0 || changed->euid == 0) ? CAPABILITIES_ALL : 0;
    changed->ambient = sets_ids ? 0 : old->ambient;
    changed->permitted = (old->inheritable & file) | (file & old->bounding) | changed->ambient;
    changed->effective = is_root && changed->euid == 0 ? changed->permitted : changed->ambient;
    changed->secure_bits &= ~(u32)SECBIT_KEEP_CAPS;
}

static bool exec_is_plain(const struct credentials *old) {
    bool is_root = old->uid == 0 && old->euid == 0;
    return old->euid == old->suid && old->euid == old->fsuid && old->egid == old->sgid &&
           old->egid == old->fsgid && old->secure_bits == 0 && old->ambient == 0 &&
           old->inheritable == 0 && old->effective == old->permitted &&
           old->permitted == (is_root ? old->bounding : 0) &&
           (is_root || (old->uid != 0 && old->euid != 0));
}

int credentials_of_exec(struct process *process, struct path file, struct credentials **out,
                        bool *is_secure) {
    struct attributes attributes;
    struct credentials *old = process->credentials;
    *is_secure = old->uid != old->euid || old->gid != old->egid;
    int result = vnode_attributes(file.vnode, &attributes);
    if (result != 0) {
        return result;
    }
    bool may_set = !process->has_no_new_privileges && !(path_mount_flags(file) & MOUNT_NO_SUID);
    bool sets_user = may_set && (attributes.mode & MODE_SET_UID);
    bool sets_group = may_set && (attributes.mode & MODE_SET_GID) && (attributes.mode & 0010);
    if (!sets_user && !sets_group && exec_is_plain(old)) {
        *out = credentials_get(old);
        return 0;
    }
    struct credentials *changed = credentials_copy(old, old->groups_count);
    if (!changed) {
        return -ENOMEM;
    }
    changed->euid = sets_user ? attributes.uid : old->euid;
    changed->egid = sets_group ? attributes.gid : old->egid;
    changed->suid = changed->fsuid = changed->euid;
    changed->sgid = changed->fsgid = changed->egid;
    exec_capabilities(changed, old, changed->euid != old->euid || changed->egid != old->egid);
    *is_secure = changed->uid != changed->euid || changed->gid != changed->egid;
    *out = changed;
    return 0;
}
