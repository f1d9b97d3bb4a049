// /proc/mounts and /proc/PID/mountinfo.
#include "lib/format.h"
#include "lib/heap.h"
#include "linux/fs/tmpfs.h"
#include "linux/mount.h"
#include "linux/system.h"
#include "linux/walk.h"

struct mount_line {
    char path[256];
    char root[128]; // of what is shown, in its file system
    char options[64];
    char own[96]; // of the file system itself, with a comma before it
};

static void options_text(const struct mount *mount, const char *access, char *buffer, usize size) {
    u32 flags = __atomic_load_n(&mount->flags, __ATOMIC_RELAXED);
    format_text(buffer, size, "%s%s%s%s,relatime", access, flags & MOUNT_NO_SUID ? ",nosuid" : "",
                flags & MOUNT_NO_DEV ? ",nodev" : "", flags & MOUNT_NO_EXEC ? ",noexec" : "");
}

static usize plain_write(struct mount_line *line, const struct mount *mount, char *buffer,
                         usize size) {
    bool is_read_only = path_is_read_only((struct path){(struct mount *)mount, mount->root});
    options_text(mount, is_read_only ? "ro" : "rw", line->options, sizeof(line->options));
    return format_text(buffer, size, "%s %s %s %s%s 0 0\n", mount->source, line->path,
                       mount->system->name, line->options, line->own);
}

static usize info_write(struct mount_line *line, const struct mount *mount, char *buffer,
                        usize size) {
    bool is_read_only = __atomic_load_n(&mount->writers, __ATOMIC_RELAXED) < 0;
    const struct mount *parent = mount->covered.mount;
    options_text(mount, is_read_only ? "ro" : "rw", line->options, sizeof(line->options));
    return format_text(buffer, size, "%u %u 0:%u %s %s %s - %s %s %s%s\n", mount->id,
                       parent ? parent->id : 1, mount->system->device, line->root, line->path,
                       line->options, mount->system->name, mount->source,
                       vnode_is_read_only(mount->root) ? "ro" : "rw", line->own);
}

// -ENOENT: it has no place that a path leads to.
static i64 line_fill(struct mount_line *line, const struct mount *mount) {
    struct path at = {(struct mount *)mount, mount->root};
    i64 result = path_text(system_root(), at, line->path, sizeof(line->path));
    i64 root = path_text((struct path){}, (struct path){.vnode = mount->root}, line->root,
                         sizeof(line->root));
    if (root < 0) {
        format_text(line->root, sizeof(line->root), "/");
    }
    line->own[0] = 0;
    if (mount->system->is_tmpfs) {
        tmpfs_options(mount->system, line->own, sizeof(line->own));
    }
    return result;
}

usize mounts_text(u32 form, char *buffer, usize size) {
    struct mount_line line;
    struct mount **shown = heap_alloc(MOUNTS_SHOWN * sizeof(struct mount *));
    usize length = 0;
    if (!shown) {
        return 0;
    }
    system_mount_given();
    u32 count = mounts_take(shown);
    for (u32 i = 0; i < count && length < size; i++) {
        if (line_fill(&line, shown[i]) >= 0) {
            length += form == MOUNTS_PLAIN
                          ? plain_write(&line, shown[i], buffer + length, size - length)
                          : info_write(&line, shown[i], buffer + length, size - length);
        }
    }
    mounts_shown(shown, count);
    heap_free(shown);
    return min(length, size);
}
