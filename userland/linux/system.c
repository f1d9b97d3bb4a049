// The container's file systems and names. What does not depend on the container (/dev and /proc
// themselves) is made in system_prepare, once, in the template.
#include "linux/system.h"

#include "lib/string.h"
#include "linux/abi.h"
#include "linux/container.h"
#include "linux/fs/proc.h"
#include "linux/fs/special.h"
#include "linux/fs/tmpfs.h"
#include "linux/mount.h"
#include "linux/tty/devpts.h"
#include "linux/walk.h"

const char system_release[] = "6.1.0-cloister";
const char system_version[] = "#1 SMP Cloister";
char system_hostname[SYSTEM_HOSTNAME_MAX + 1] = "cloister";

static struct tmpfs root_system = {.system = {.name = "overlay", .device = 1}};
static struct tmpfs dev_system = {.system = {.name = "tmpfs", .device = 3}};
static struct file_system proc_system = {.name = "proc", .device = 2};
static struct mount root_mount = {
    .system = &root_system.system, .source = "overlay", .references = 1, .is_given = true};

// Mounted on a directory of the root when that is first looked up, so that a start does not wait
// for it, and once only.
static struct given {
    struct mount mount;
    struct name directory;
    u32 was_mounted; // atomic
} given[] = {
    {{.system = &proc_system,
      .source = "proc",
      .references = 1,
      .flags = MOUNT_NO_SUID | MOUNT_NO_DEV | MOUNT_NO_EXEC,
      .is_given = true},
     {"proc", 4},
     0},
    {{.system = &dev_system.system,
      .source = "tmpfs",
      .references = 1,
      .flags = MOUNT_NO_SUID,
      .is_given = true},
     {"dev", 3},
     0},
};
static struct given *const given_dev = &given[1];

int system_prepare(void) {
    int result = proc_mount(&proc_system);
    if (result == 0) {
        result = tmpfs_mount(&dev_system, 0755);
    }
    if (result == 0) {
        result = special_populate(dev_system.system.root);
    }
    if (result == 0) {
        given[0].mount.root = proc_system.root;
        given_dev->mount.root = dev_system.system.root;
        result = devpts_mount((struct path){&given_dev->mount, dev_system.system.root});
    }
    return result;
}

// Who looks at the same time waits until it is there.
static void given_mount(struct given *one, struct vnode *directory) {
    static struct mutex lock;
    mutex_lock(&lock);
    if (!one->was_mounted) {
        mount_attach(&one->mount, (struct path){&root_mount, directory});
        __atomic_store_n(&one->was_mounted, 1, __ATOMIC_RELEASE);
    }
    mutex_unlock(&lock);
}

static void given_attach(struct name name, struct vnode *directory) {
    for (usize i = 0; i < ARRAY_SIZE(given); i++) {
        struct given *one = &given[i];
        if (!__atomic_load_n(&one->was_mounted, __ATOMIC_ACQUIRE) &&
            name.size == one->directory.size &&
            memcmp(name.text, one->directory.text, name.size) == 0) {
            given_mount(one, directory);
        }
    }
}

int system_mount(const void *image, u64 image_size, u32 image_memobj, const char **problem) {
    root_system.system.attach = given_attach;
    int result = tmpfs_mount_image(&root_system, image, image_size, image_memobj, problem);
    if (result == 0) {
        root_mount.root = root_system.system.root;
        mount_attach_root(&root_mount);
    }
    return result;
}

struct path system_root(void) { return (struct path){&root_mount, root_mount.root}; }

int system_device(const char *name, struct path *out) {
    struct path devices = {&given_dev->mount, dev_system.system.root};
    return path_lookup(devices, (struct name){name, (u32)strlen(name)}, out);
}

void system_mount_given(void) {
    struct path found;
    for (usize i = 0; i < ARRAY_SIZE(given); i++) {
        if (path_lookup(system_root(), given[i].directory, &found) == 0) {
            path_put(found);
        }
    }
}

void system_memory(struct system_memory *memory) {
    container_memory(&memory->total_bytes, &memory->free_bytes);
}
