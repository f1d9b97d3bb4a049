// File systems that programs mount.
#include "lib/heap.h"
#include "linux/abi.h"
#include "linux/fs/proc.h"
#include "linux/fs/tmpfs.h"
#include "linux/mount.h"

enum { DEVICE_FIRST = 32 };

static u32 device_take(void) {
    static u32 last = DEVICE_FIRST; // atomic
    return __atomic_fetch_add(&last, 1, __ATOMIC_RELAXED);
}

// What made a file system has a vnode of it, its mount another.
int mount_make_tmpfs(const char *source, const char *options, u32 flags, struct mount **out) {
    struct file_system *system;
    int result = tmpfs_make(options, device_take(), &system);
    if (result != 0) {
        return result;
    }
    system->writers = flags & MOUNT_READ_ONLY ? -1 : 0;
    system->end = tmpfs_end;
    result = mount_make(system, system->root, source, flags, out);
    if (result != 0) {
        tmpfs_end(system);
    }
    return result;
}

// Nodes of /proc point to their file system and don't count it, so one that is mounted no more is kept
// for the next.
struct proc_instance {
    struct file_system system;
    struct proc_instance *next;
};

static struct mutex spare_lock;
static struct proc_instance *spare GUARDED_BY(&spare_lock);

static void instance_keep(struct file_system *system) {
    struct proc_instance *instance = container_of(system, struct proc_instance, system);
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
    instance->system.end = instance_keep;
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
    instance->system.writers = flags & MOUNT_READ_ONLY ? -1 : 0;
    int result = mount_make(&instance->system, instance->system.root, source, flags, out);
    if (result != 0) {
        instance_keep(&instance->system);
    }
    return result;
}
