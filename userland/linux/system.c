// The container's file systems and names. What does not depend on the container (/dev and /proc
// themselves) is made in system_prepare, once, in the template.
#include "linux/system.h"

#include "lib/format.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/container.h"
#include "linux/fs/proc.h"
#include "linux/fs/special.h"
#include "linux/fs/tmpfs.h"
#include "linux/tty/devpts.h"

const char system_release[] = "6.1.0-cloister";
const char system_version[] = "#1 SMP Cloister";
char system_hostname[SYSTEM_HOSTNAME_MAX + 1] = "cloister";

static struct file_system root_system = {.name = "overlay", .device = 1};

static struct mounted {
    struct file_system system;
    struct name directory;
    const char *options;
} mounts[] = {
    {{.name = "proc", .device = 2}, {"proc", 4}, "rw"},
    {{.name = "tmpfs", .device = 3}, {"dev", 3}, "rw,mode=755"},
};

enum { MOUNT_PROC, MOUNT_DEV };

int system_prepare(void) {
    int result = proc_mount(&mounts[MOUNT_PROC].system);
    if (result == 0) {
        result = tmpfs_mount(&mounts[MOUNT_DEV].system, 0755);
    }
    if (result == 0) {
        result = special_populate(mounts[MOUNT_DEV].system.root);
    }
    if (result == 0) {
        result = devpts_mount(mounts[MOUNT_DEV].system.root);
    }
    return result;
}

static struct mutex attach_lock;

// Mounts what belongs on a directory of the root when it is first looked up, so that a
// start does not wait for it.
static void mount_attach(struct name name, struct vnode *directory) {
    for (usize i = 0; i < ARRAY_SIZE(mounts); i++) {
        struct mounted *mount = &mounts[i];
        if (name.size != mount->directory.size ||
            memcmp(name.text, mount->directory.text, name.size) != 0) {
            continue;
        }
        mutex_lock(&attach_lock);
        if (!mount->system.covered) {
            mount->system.covered = vnode_get(directory);
            __atomic_store_n(&directory->mounted, &mount->system, __ATOMIC_RELEASE);
        }
        mutex_unlock(&attach_lock);
    }
}

int system_mount(const void *image, u64 image_size, u32 image_memobj, const char **problem) {
    root_system.attach = mount_attach;
    return tmpfs_mount_image(&root_system, image, image_size, image_memobj, problem);
}

struct vnode *system_root(void) { return root_system.root; }

int system_device(const char *name, struct vnode **out) {
    struct name device = {name, (u32)strlen(name)};
    return vnode_lookup(mounts[MOUNT_DEV].system.root, device, out);
}

usize system_mounts(char *buffer, usize size) {
    usize length = format_text(buffer, size, "overlay / overlay rw 0 0\n");
    for (usize i = 0; i < ARRAY_SIZE(mounts) && length < size; i++) {
        struct vnode *root;
        if (vnode_lookup(root_system.root, mounts[i].directory, &root) == 0) vnode_put(root);
        if (mounts[i].system.covered) {
            length += format_text(buffer + length, size - length, "%s /%s %s %s 0 0\n",
                                  mounts[i].system.name, mounts[i].directory.text,
                                  mounts[i].system.name, mounts[i].options);
        }
    }
    return min(length, size);
}

void system_memory(struct system_memory *memory) {
    container_memory(&memory->total_bytes, &memory->free_bytes);
}
