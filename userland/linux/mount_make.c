// File systems that programs mount.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/fs/proc.h"
#include "linux/fs/tmpfs.h"
#include "linux/mount.h"

enum { DEVICE_FIRST = 32 };

static u32 device_take(void) {
    static u32 last = DEVICE_FIRST; // atomic
    return __atomic_fetch_add(&last, 1, __ATOMIC_RELAXED);
}

static void source_set(struct mount *mount, const char *source) {
    usize size = min(strlen(source), sizeof(mount->source) - 1);
    memcpy(mount->source, source, size);
    mount->source[size] = 0;
}

// The file system lives on while anybody has a node of it.
static void tmpfs_mount_end(struct mount *mount) {
    tmpfs_end(mount->system);
    heap_free(mount);
}

int mount_make_tmpfs(const char *source, const char *options, u32 flags, struct mount **out) {
    struct mount *mount = heap_alloc_zero(sizeof(*mount));
    int result = mount ? tmpfs_make(options, device_take(), &mount->system) : -ENOMEM;
    if (result != 0) {
        heap_free(mount);
        return result;
    }
    mount->system->flags = flags & MOUNT_FLAGS;
    mount->end = tmpfs_mount_end;
    source_set(mount, source);
    *out = mount;
    return 0;
}

// Nodes of /proc point to their file system and don't count it, so one that is mounted no more is kept
// for the next.
struct proc_instance {
    struct mount mount;
    struct file_system system;
    struct proc_instance *next;
};

static struct mutex spare_lock;
static struct proc_instance *spare GUARDED_BY(&spare_lock);

static void proc_mount_end(struct mount *mount) {
    struct proc_instance *instance = container_of(mount, struct proc_instance, mount);
    mutex_lock(&spare_lock);
    instance->next = spare;
    spare = instance;
    mutex_unlock(&spare_lock);
}

static struct proc_instance *instance_take(void) {
    mutex_lock(&spare_lock);
    struct proc_instance *instance = spare;
    if (instance) {
        spare = instance->next;
    }
    mutex_unlock(&spare_lock);
    return instance;
}

static struct proc_instance *instance_make(void) {
    struct proc_instance *instance = heap_alloc_zero(sizeof(*instance));
    if (!instance) {
        return NULL;
    }
    instance->system.name = "proc";
    instance->system.device = device_take();
    if (proc_mount(&instance->system) != 0) {
        heap_free(instance);
        return NULL;
    }
    instance->mount.system = &instance->system;
    instance->mount.end = proc_mount_end;
    return instance;
}

int mount_make_proc(const char *source, u32 flags, struct mount **out) {
    struct proc_instance *instance = instance_take();
    if (!instance) {
        instance = instance_make();
    }
    if (!instance) {
        return -ENOMEM;
    }
    instance->system.flags = flags & MOUNT_FLAGS;
    source_set(&instance->mount, source);
    *out = &instance->mount;
    return 0;
}
