// Memory devices: null, zero, full, random, urandom; tty, console and ptmx, which are terminals.
#include "linux/fs/special.h"

#include "lib/string.h"
#include "linux/abi.h"
#include "linux/fs/stream.h"
#include "linux/kernel_if.h"
#include "linux/mount.h"
#include "linux/tty/console.h"
#include "linux/tty/pty.h"
#include "linux/tty/session.h"

enum {
    MAJOR_MEMORY = 1,
    MAJOR_TTY = 5,
    MINOR_TTY = 0,
    MINOR_CONSOLE = 1,
    MINOR_PTMX = 2,
    RANDOM_PIECE_BYTES = 256,
};

static i64 null_read(struct thread *, struct file *, void *, usize, u64 *, u32) { return 0; }

static i64 null_write(struct thread *, struct file *, const void *, usize size, u64 *, u32) {
    return (i64)size;
}

static i64 zero_read(struct thread *, struct file *, void *buffer, usize size, u64 *, u32) {
    memset(buffer, 0, size);
    return (i64)size;
}

static i64 full_write(struct thread *, struct file *, const void *, usize, u64 *, u32) {
    return -ENOSPC;
}

static i64 random_read(struct thread *, struct file *, void *buffer, usize size, u64 *, u32) {
    for (usize done = 0; done < size; done += RANDOM_PIECE_BYTES) {
        kernel_random((u8 *)buffer + done, min(size - done, (usize)RANDOM_PIECE_BYTES));
    }
    return (i64)size;
}

static const struct file_ops null_ops = {.read = null_read, .write = null_write};
static const struct file_ops zero_ops = {.read = zero_read, .write = null_write};
static const struct file_ops full_ops = {.read = zero_read, .write = full_write};
static const struct file_ops random_ops = {.read = random_read, .write = null_write};

static const struct device {
    const char *name;
    u32 major;
    u32 minor;
    u32 mode;
    const struct file_ops *ops; // NULL: a terminal
} devices[] = {
    {"null", MAJOR_MEMORY, 3, 0666, &null_ops},
    {"zero", MAJOR_MEMORY, 5, 0666, &zero_ops},
    {"full", MAJOR_MEMORY, 7, 0666, &full_ops},
    {"random", MAJOR_MEMORY, 8, 0666, &random_ops},
    {"urandom", MAJOR_MEMORY, 9, 0666, &random_ops},
    {"tty", MAJOR_TTY, MINOR_TTY, 0666, NULL},
    {"console", MAJOR_TTY, MINOR_CONSOLE, 0600, NULL},
    {"ptmx", MAJOR_TTY, MINOR_PTMX, 0666, NULL},
};

static const struct {
    const char *name;
    const char *target;
} links[] = {
    {"fd", "/proc/self/fd"},
    {"stdin", "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"},
};

// /dev/tty is the caller's terminal, /dev/console the container's; where it has none, its standard
// output.
static int terminal_device_open(struct thread *thread, u32 minor, struct file *file) {
    if (minor == MINOR_PTMX) return pty_open_master(file);
    if (minor == MINOR_CONSOLE) {
        struct terminal *console = console_first();
        int result = console ? terminal_open(thread, console, file) : stream_open_console(file);
        terminal_put(console);
        return result;
    }
    struct terminal *terminal = terminal_controlling(thread);
    int result = terminal ? terminal_open(thread, terminal, file) : -ENXIO;
    terminal_put(terminal);
    return result;
}

int special_open(struct thread *thread, struct vnode *vnode, u64 device, struct file *file) {
    if (vnode->type == MODE_REGULAR || vnode->type == MODE_DIRECTORY) {
        return 0;
    }
    if (path_mount_flags(file_path(file)) & MOUNT_NO_DEV) {
        return -EACCES;
    }
    for (usize i = 0; vnode->type == MODE_CHARACTER && i < ARRAY_SIZE(devices); i++) {
        if (device_number(devices[i].major, devices[i].minor) != device) {
            continue;
        }
        file->traits = 0;
        if (!devices[i].ops) {
            return terminal_device_open(thread, devices[i].minor, file);
        }
        file->ops = devices[i].ops;
        return 0;
    }
    return -ENXIO;
}

static int shared_memory_populate(struct vnode *directory) {
    const struct creation creation = {.mode = MODE_DIRECTORY | 01777};
    struct vnode *made;
    int result = directory->ops->create(directory, (struct name){"shm", 3}, &creation, &made);
    if (result == 0) {
        vnode_put(made);
    }
    return result;
}

int special_populate(struct vnode *directory) {
    int result = shared_memory_populate(directory);
    for (usize i = 0; i < ARRAY_SIZE(devices) && result == 0; i++) {
        struct vnode *made;
        struct name name = {devices[i].name, (u32)strlen(devices[i].name)};
        const struct creation creation = {
            .mode = MODE_CHARACTER | devices[i].mode,
            .device = device_number(devices[i].major, devices[i].minor),
        };
        result = directory->ops->create(directory, name, &creation, &made);
        if (result == 0) {
            vnode_put(made);
        }
    }
    for (usize i = 0; i < ARRAY_SIZE(links) && result == 0; i++) {
        struct name name = {links[i].name, (u32)strlen(links[i].name)};
        struct name target = {links[i].target, (u32)strlen(links[i].target)};
        const struct creation creation = {.mode = MODE_LINK | 0777};
        result = directory->ops->symlink(directory, name, &creation, target);
    }
    return result;
}
