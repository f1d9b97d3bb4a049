// The table of mounts. mounts_lock guards it, and what is mounted on what (vnode->mounted,
// system->covered); walks take it at a covered directory only.
#include "linux/mount.h"

#include "lib/format.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/descriptors.h"
#include "linux/fs/tmpfs.h"
#include "linux/process.h"
#include "linux/system.h"
#include "linux/walk.h"

static struct mutex mounts_lock;
static struct list mounts GUARDED_BY(&mounts_lock) = LIST_INIT(mounts);

// Before what is mounted in it already.
static void mount_insert_locked(struct mount *mount) REQUIRES(&mounts_lock) {
    struct mount *other;
    struct list *place = &mounts;
    list_for_each(other, &mounts, node) {
        if (other->system->covered->system == mount->system) {
            place = &other->node;
            break;
        }
    }
    list_insert_tail(place, &mount->node);
}

int mount_attach(struct mount *mount, struct vnode *directory) {
    struct file_system *system = mount->system;
    int result = 0;
    mutex_lock(&mounts_lock);
    if (system->covered || directory->mounted) {
        result = -EBUSY;
    } else {
        system->covered = vnode_get(directory);
        __atomic_store_n(&directory->mounted, system, __ATOMIC_RELEASE);
        mount_insert_locked(mount);
    }
    mutex_unlock(&mounts_lock);
    return result;
}

struct vnode *mount_cross(struct vnode *found) {
    while (unlikely(__atomic_load_n(&found->mounted, __ATOMIC_ACQUIRE))) {
        mutex_lock(&mounts_lock);
        struct file_system *system = found->mounted;
        struct vnode *root = system ? vnode_get(system->root) : NULL;
        mutex_unlock(&mounts_lock);
        if (!root) {
            break;
        }
        vnode_put(found);
        found = root;
    }
    return found;
}

struct vnode *mount_parent_side(struct vnode *directory) {
    vnode_get(directory);
    while (directory == directory->system->root) {
        mutex_lock(&mounts_lock);
        struct vnode *covered = vnode_get(directory->system->covered);
        mutex_unlock(&mounts_lock);
        if (!covered) {
            break;
        }
        vnode_put(directory);
        directory = covered;
    }
    return directory;
}

static bool descriptors_use(struct descriptors *descriptors, const struct file_system *system) {
    bool uses = false;
    mutex_lock(&descriptors->lock);
    for (u32 i = 0; i < descriptors->capacity && !uses; i++) {
        const struct file *file = descriptors->table[i].file;
        uses = file && file->vnode->system == system;
    }
    mutex_unlock(&descriptors->lock);
    return uses;
}

static bool context_uses(struct fs_context *context, const struct file_system *system) {
    mutex_lock(&context->lock);
    bool uses = context->cwd->system == system || context->root->system == system;
    mutex_unlock(&context->lock);
    return uses;
}

static bool process_uses_locked(const struct process *process, const struct file_system *system)
    REQUIRES(&tasks.lock) {
    return (process->fs && context_uses(process->fs, system)) ||
           (process->descriptors && descriptors_use(process->descriptors, system)) ||
           (process->program && process->program->file && process->program->file->system == system);
}

static bool is_used(const struct file_system *system) {
    struct process *process;
    bool uses = false;
    mutex_lock(&tasks.lock);
    list_for_each(process, &tasks.processes, all) {
        if (process_uses_locked(process, system)) {
            uses = true;
            break;
        }
    }
    mutex_unlock(&tasks.lock);
    return uses;
}

static bool covers_locked(const struct file_system *system) REQUIRES(&mounts_lock) {
    struct mount *mount;
    list_for_each(mount, &mounts, node) {
        if (mount->system->covered->system == system) {
            return true;
        }
    }
    return false;
}

static struct mount *mount_of_locked(const struct file_system *system) REQUIRES(&mounts_lock) {
    struct mount *mount;
    list_for_each(mount, &mounts, node) {
        if (mount->system == system) {
            return mount;
        }
    }
    return NULL;
}

const char *mount_source(const struct file_system *system) {
    mutex_lock(&mounts_lock);
    const struct mount *mount = mount_of_locked(system);
    mutex_unlock(&mounts_lock);
    return mount ? mount->source : system->name;
}

int mount_detach(struct file_system *system, u32 flags) {
    if (flags == DETACH_IDLE && is_used(system)) {
        return -EBUSY;
    }
    mutex_lock(&mounts_lock);
    struct mount *mount = mount_of_locked(system);
    int result = !mount ? -EINVAL : covers_locked(system) ? -EBUSY : 0;
    struct vnode *covered = NULL;
    if (result == 0) {
        covered = system->covered;
        system->covered = NULL;
        __atomic_store_n(&covered->mounted, NULL, __ATOMIC_RELEASE);
        list_remove(&mount->node);
    }
    mutex_unlock(&mounts_lock);
    if (result == 0) {
        vnode_put(covered);
        if (mount->end) {
            mount->end(mount);
        }
    }
    return result;
}

int mount_remount(struct file_system *system, u32 flags, const char *options) {
    mutex_lock(&mounts_lock);
    bool is_mounted = mount_of_locked(system) || system == system_root()->system;
    mutex_unlock(&mounts_lock);
    int result = !is_mounted ? -EINVAL : system->is_tmpfs ? tmpfs_remount(system, options) : 0;
    if (result == 0) {
        system->flags = flags & MOUNT_FLAGS;
    }
    return result;
}

static usize options_text(const struct file_system *system, char *buffer, usize size) {
    usize length =
        format_text(buffer, size, "%s%s%s%s", system->flags & MOUNT_READ_ONLY ? "ro" : "rw",
                    system->flags & MOUNT_NO_SUID ? ",nosuid" : "",
                    system->flags & MOUNT_NO_DEV ? ",nodev" : "",
                    system->flags & MOUNT_NO_EXEC ? ",noexec" : "");
    length += format_text(buffer + length, size - length, ",relatime");
    return length;
}

struct mount_line {
    char path[256];
    char options[64];
    char own[96]; // of the file system itself, with a comma before it
};

static usize line_write(u32 form, const struct mount_line *line, const struct file_system *system,
                        const char *source, u32 number, char *buffer, usize size) {
    if (form == MOUNTS_PLAIN) {
        return format_text(buffer, size, "%s %s %s %s%s 0 0\n", source, line->path, system->name,
                           line->options, line->own);
    }
    return format_text(buffer, size, "%u %u 0:%u / %s %s - %s %s %s%s\n", 20 + number,
                       number == 0 ? 1 : 20, system->device, line->path, line->options,
                       system->name, source, system->flags & MOUNT_READ_ONLY ? "ro" : "rw",
                       line->own);
}

static void line_fill(struct mount_line *line, struct file_system *system) {
    options_text(system, line->options, sizeof(line->options));
    line->own[0] = 0;
    if (system->is_tmpfs) {
        tmpfs_options(system, line->own, sizeof(line->own));
    }
}

// What is mounted, in order, each counted by its root; how many.
enum { MOUNTS_SHOWN = 32 };

struct shown {
    struct file_system *system;
    struct vnode *root;
    struct vnode *covered;
    char source[MOUNT_SOURCE_BYTES];
};

static u32 mounts_take(struct shown *shown) {
    struct mount *mount;
    u32 count = 0;
    mutex_lock(&mounts_lock);
    list_for_each(mount, &mounts, node) {
        if (count == MOUNTS_SHOWN) {
            break;
        }
        struct shown *one = &shown[count++];
        one->system = mount->system;
        one->root = vnode_get(mount->system->root);
        one->covered = vnode_get(mount->system->covered);
        memcpy(one->source, mount->source, sizeof(one->source));
    }
    mutex_unlock(&mounts_lock);
    return count;
}

usize mounts_text(u32 form, char *buffer, usize size) {
    struct mount_line line = {.path = "/"};
    system_mount_given();
    struct file_system *root = system_root()->system;
    struct shown *shown = heap_alloc(MOUNTS_SHOWN * sizeof(*shown));
    u32 count = shown ? mounts_take(shown) : 0;
    line_fill(&line, root);
    usize length = line_write(form, &line, root, "overlay", 0, buffer, size);
    for (u32 i = 0; i < count; i++) {
        line_fill(&line, shown[i].system);
        i64 path = directory_path(system_root(), shown[i].covered, line.path, sizeof(line.path));
        if (path >= 0 && length < size) {
            length += line_write(form, &line, shown[i].system, shown[i].source, i + 1,
                                 buffer + length, size - length);
        }
        vnode_put(shown[i].covered);
        vnode_put(shown[i].root);
    }
    heap_free(shown);
    return min(length, size);
}
