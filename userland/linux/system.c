// The container's file systems and names. What does not depend on the container (/dev, /tmp, /proc
// themselves) is made in system_prepare, once, in the template.
#include "linux/system.h"

#include "lib/format.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/container.h"
#include "linux/fs/image.h"
#include "linux/fs/proc.h"
#include "linux/fs/special.h"
#include "linux/fs/tmpfs.h"

const char system_release[] = "6.1.0-cloister";
const char system_version[] = "#1 SMP Cloister";
char system_hostname[SYSTEM_HOSTNAME_MAX + 1] = "cloister";

static struct file_system image_system = {.name = "erofs", .device = 1};

static struct mounted {
    struct file_system system;
    struct name directory;
    const char *options;
} mounts[] = {
    {{.name = "proc", .device = 2}, {"proc", 4}, "rw"},
    {{.name = "tmpfs", .device = 3}, {"dev", 3}, "rw,mode=755"},
    {{.name = "tmpfs", .device = 4}, {"tmp", 3}, "rw"},
};

enum { MOUNT_PROC, MOUNT_DEV, MOUNT_TMP };

int system_prepare(void) {
    int result = proc_mount(&mounts[MOUNT_PROC].system);
    if (result == 0) {
        result = tmpfs_mount(&mounts[MOUNT_DEV].system, 0755);
    }
    if (result == 0) {
        result = special_populate(mounts[MOUNT_DEV].system.root);
    }
    if (result == 0) {
        result = tmpfs_mount(&mounts[MOUNT_TMP].system, 01777);
    }
    return result;
}

// An image without the directory goes without the mount.
static int mount_attach(struct mounted *mount) {
    struct vnode *covered;
    int result = vnode_lookup(image_system.root, mount->directory, &covered);
    if (result == -ENOENT) {
        return 0;
    }
    if (result == 0 && !vnode_is_directory(covered)) {
        vnode_put(covered);
        return 0;
    }
    if (result == 0) {
        covered->mounted = &mount->system;
        mount->system.covered = covered;
    }
    return result;
}

int system_mount(const void *image, u64 image_size, u32 image_memobj, const char **problem) {
    int result = image_mount(&image_system, image, image_size, image_memobj, problem);
    for (usize i = 0; i < ARRAY_SIZE(mounts) && result == 0; i++) {
        result = mount_attach(&mounts[i]);
    }
    return result;
}

struct vnode *system_root(void) { return image_system.root; }

int system_device(const char *name, struct vnode **out) {
    struct name device = {name, (u32)strlen(name)};
    return vnode_lookup(mounts[MOUNT_DEV].system.root, device, out);
}

usize system_mounts(char *buffer, usize size) {
    usize length = format_text(buffer, size, "image / erofs ro 0 0\n");
    for (usize i = 0; i < ARRAY_SIZE(mounts) && length < size; i++) {
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
