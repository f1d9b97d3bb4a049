// Permission checks, as Linux's generic_permission and its kin.
#include "linux/permission.h"

#include "linux/abi.h"
#include "linux/mount.h"
#include "linux/process.h"
#include "linux/thread.h"

// Whether anything may be changed about the file, whoever asks.
static int change_permission(struct path path) { return path_is_read_only(path) ? -EROFS : 0; }

static bool is_directory_mode(u32 mode) { return (mode & MODE_TYPE) == MODE_DIRECTORY; }

// Capabilities stand in for the mode: but nobody executes a file that has no x bit.
static bool capability_allows(const struct credentials *credentials, u32 mode, u32 mask) {
    bool is_directory = is_directory_mode(mode);
    if (credentials_have(credentials, CAP_DAC_OVERRIDE) &&
        (is_directory || !(mask & MAY_EXECUTE) || (mode & 0111))) {
        return true;
    }
    u32 reading = is_directory ? MAY_READ | MAY_EXECUTE : MAY_READ;
    return !(mask & ~reading) && credentials_have(credentials, CAP_DAC_READ_SEARCH);
}

int attributes_permission(const struct credentials *credentials,
                          const struct attributes *attributes, u32 mask) {
    u32 granted = attributes->mode;
    if (credentials->fsuid == attributes->uid) {
        granted >>= 6;
    } else if (credentials_are_in_group(credentials, attributes->gid)) {
        granted >>= 3;
    }
    return (mask & ~granted) == 0 || capability_allows(credentials, attributes->mode, mask)
               ? 0
               : -EACCES;
}

// Devices, pipes and sockets are written to all the same.
static bool is_in_system(const struct vnode *vnode) {
    return vnode->type == MODE_REGULAR || vnode->type == MODE_DIRECTORY || vnode->type == MODE_LINK;
}

// A file system that is read-only comes before the mode, a mount that is behind it.
int path_permission(const struct credentials *credentials, struct path path, u32 mask) {
    bool writes = (mask & MAY_WRITE) && is_in_system(path.vnode);
    int result = writes && vnode_is_read_only(path.vnode)
                     ? -EROFS
                     : vnode_permission(credentials, path.vnode, mask);
    return result == 0 && writes ? change_permission(path) : result;
}

// Who overrides the mode needs no look at a directory.
int vnode_permission(const struct credentials *credentials, struct vnode *vnode, u32 mask) {
    struct attributes attributes;
    if (credentials_have(credentials, CAP_DAC_OVERRIDE) &&
        (vnode_is_directory(vnode) || !(mask & MAY_EXECUTE))) {
        return 0;
    }
    int result = vnode_attributes(vnode, &attributes);
    if (result == 0) {
        result = attributes_permission(credentials, &attributes, mask);
    }
    return result == -EACCES && vnode->ops->grants && vnode->ops->grants(vnode) ? 0 : result;
}

int removal_permission(const struct credentials *credentials, struct path directory,
                       struct vnode *victim) {
    struct attributes parent;
    struct attributes child;
    int result = change_permission(directory);
    if (result != 0 || (credentials_have(credentials, CAP_DAC_OVERRIDE) &&
                        credentials_have(credentials, CAP_FOWNER))) {
        return result;
    }
    result = vnode_attributes(directory.vnode, &parent);
    if (result == 0) {
        result = attributes_permission(credentials, &parent, MAY_WRITE | MAY_EXECUTE);
    }
    if (result != 0 || !(parent.mode & MODE_STICKY) || is_owner(credentials, &parent)) {
        return result;
    }
    result = vnode_attributes(victim, &child);
    return result != 0 || is_owner(credentials, &child) ? result : -EPERM;
}

int creation_prepare(struct thread *thread, struct path directory, u32 mode, struct creation *out) {
    const struct credentials *credentials = thread->process->credentials;
    struct attributes parent;
    int result = change_permission(directory);
    if (result == 0) {
        result = vnode_attributes(directory.vnode, &parent);
    }
    if (result == 0) {
        result = attributes_permission(credentials, &parent, MAY_WRITE | MAY_EXECUTE);
    }
    if (result != 0) {
        return result;
    }
    *out = (struct creation){
        .mode = mode & ~fs_context_umask(thread->process->fs),
        .uid = credentials->fsuid,
        .gid = credentials->fsgid,
    };
    if (parent.mode & MODE_SET_GID) {
        out->gid = parent.gid;
        if (is_directory_mode(mode)) {
            out->mode |= MODE_SET_GID;
        } else if ((mode & (MODE_SET_GID | 0010)) == (MODE_SET_GID | 0010) &&
                   !credentials_are_in_group(credentials, parent.gid) &&
                   !credentials_have(credentials, CAP_FSETID)) {
            out->mode &= ~(u32)MODE_SET_GID;
        }
    }
    return 0;
}

// The attributes of a file that they may be changed of.
static int attributes_for_change(struct path path, struct attributes *attributes) {
    int result = change_permission(path);
    return result != 0 ? result : vnode_attributes(path.vnode, attributes);
}

// The owner may change after it was looked at: then -EAGAIN.
static int owner_try_mode(const struct credentials *credentials, struct path path, u32 mode) {
    struct attributes attributes;
    int result = attributes_for_change(path, &attributes);
    if (result != 0) {
        return result;
    }
    if (!is_owner(credentials, &attributes)) {
        return -EPERM;
    }
    if (!credentials_are_in_group(credentials, attributes.gid) &&
        !credentials_have(credentials, CAP_FSETID)) {
        mode &= ~(u32)MODE_SET_GID;
    }
    attributes.mode = mode;
    return vnode_set_attributes(path.vnode, &attributes, ATTRIBUTE_MODE | ATTRIBUTE_IF_OWNED);
}

int owner_set_mode(const struct credentials *credentials, struct path path, u32 mode) {
    int result;
    do {
        result = owner_try_mode(credentials, path, mode);
    } while (result == -EAGAIN);
    return result;
}

static bool may_set_owner(const struct credentials *credentials,
                          const struct attributes *attributes, u32 uid, u32 gid) {
    bool is_own = credentials->fsuid == attributes->uid;
    bool user_is_kept = uid == ~0U || (is_own && uid == attributes->uid);
    bool group_is_own =
        gid == ~0U ||
        (is_own && (gid == attributes->gid || credentials_are_in_group(credentials, gid)));
    return credentials_have(credentials, CAP_CHOWN) || (user_is_kept && group_is_own);
}

int owner_set_owner(const struct credentials *credentials, struct path path, u32 uid, u32 gid) {
    struct attributes attributes;
    int result = attributes_for_change(path, &attributes);
    if (result != 0) {
        return result;
    }
    if (!may_set_owner(credentials, &attributes, uid, gid)) {
        return -EPERM;
    }
    u32 which = (uid != ~0U ? ATTRIBUTE_OWNER : 0) | (gid != ~0U ? ATTRIBUTE_GROUP : 0);
    which |= vnode_is_directory(path.vnode) ? 0 : ATTRIBUTE_DROP_SET_ID;
    return vnode_set_attributes(path.vnode, &(struct attributes){.uid = uid, .gid = gid}, which);
}

int owner_set_times(const struct credentials *credentials, struct path path,
                    const struct attributes *values, u32 which, u32 flags) {
    struct attributes attributes;
    int result = which ? attributes_for_change(path, &attributes) : 0;
    if (result != 0 || !which) {
        return result;
    }
    if (!is_owner(credentials, &attributes)) {
        result = flags == TIMES_NOW ? attributes_permission(credentials, &attributes, MAY_WRITE)
                                    : -EPERM;
    }
    return result != 0 ? result : vnode_set_attributes(path.vnode, values, which);
}

int link_permission(const struct credentials *credentials, struct vnode *target) {
    struct attributes attributes;
    if (credentials_have(credentials, CAP_FOWNER)) {
        return 0;
    }
    int result = vnode_attributes(target, &attributes);
    if (result != 0 || credentials->fsuid == attributes.uid) {
        return result;
    }
    bool is_safe = target->type == MODE_REGULAR && !(attributes.mode & MODE_SET_UID) &&
                   (attributes.mode & (MODE_SET_GID | 0010)) != (MODE_SET_GID | 0010) &&
                   attributes_permission(credentials, &attributes, MAY_READ | MAY_WRITE) == 0;
    return is_safe ? 0 : -EPERM;
}

int follow_permission(const struct credentials *credentials, struct vnode *directory,
                      struct vnode *link) {
    const u32 shared = MODE_STICKY | 0002;
    struct attributes parent;
    struct attributes own;
    int result = vnode_attributes(directory, &parent);
    if (result != 0 || (parent.mode & shared) != shared) {
        return result;
    }
    result = vnode_attributes(link, &own);
    bool is_fine = result == 0 && (own.uid == credentials->fsuid || own.uid == parent.uid);
    return result != 0 || is_fine ? result : -EACCES;
}
