// The tree of /proc: names, lookup and listing. Nodes hold no references: a process that is gone
// is -ENOENT (or -ESRCH) at the next step.
#include "linux/fs/proc.h"

#include "lib/format.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/descriptors.h"
#include "linux/fs/proc_node.h"
#include "linux/process.h"

static const struct proc_name {
    const char *name;
    enum proc_kind parent;
    enum proc_kind kind;
    u32 mode;
} names[] = {
    {"self", PROC_ROOT, PROC_SELF, MODE_LINK | 0777},
    {"thread-self", PROC_ROOT, PROC_THREAD_SELF, MODE_LINK | 0777},
    {"mounts", PROC_ROOT, PROC_MOUNTS_LINK, MODE_LINK | 0777},
    {"meminfo", PROC_ROOT, PROC_MEMINFO, MODE_REGULAR | 0444},
    {"uptime", PROC_ROOT, PROC_UPTIME, MODE_REGULAR | 0444},
    {"version", PROC_ROOT, PROC_VERSION, MODE_REGULAR | 0444},
    {"stat", PROC_ROOT, PROC_STAT, MODE_REGULAR | 0444},
    {"loadavg", PROC_ROOT, PROC_LOADAVG, MODE_REGULAR | 0444},
    {"cpuinfo", PROC_ROOT, PROC_CPUINFO, MODE_REGULAR | 0444},
    {"filesystems", PROC_ROOT, PROC_FILESYSTEMS, MODE_REGULAR | 0444},
    {"exe", PROC_PID, PROC_EXE, MODE_LINK | 0777},
    {"cwd", PROC_PID, PROC_CWD, MODE_LINK | 0777},
    {"root", PROC_PID, PROC_ROOT_LINK, MODE_LINK | 0777},
    {"fd", PROC_PID, PROC_FD_DIRECTORY, MODE_DIRECTORY | 0500},
    {"cmdline", PROC_PID, PROC_CMDLINE, MODE_REGULAR | 0444},
    {"comm", PROC_PID, PROC_COMM, MODE_REGULAR | 0444},
    {"stat", PROC_PID, PROC_PID_STAT, MODE_REGULAR | 0444},
    {"status", PROC_PID, PROC_STATUS, MODE_REGULAR | 0444},
    {"mounts", PROC_PID, PROC_MOUNTS, MODE_REGULAR | 0444},
};

static const struct vnode_ops proc_ops;

static u64 proc_ino(enum proc_kind kind, i32 pid, i32 fd) {
    return (u64)kind + 1 + ((u64)(u32)pid << 8) + ((u64)(u32)fd << 32);
}

static int proc_make(struct file_system *system, enum proc_kind kind, u32 mode, i32 pid, i32 fd,
                     struct vnode **out) {
    struct proc_node *node = heap_alloc(sizeof(*node));
    if (!node) {
        return -ENOMEM;
    }
    vnode_init(&node->base, &proc_ops, system, mode, proc_ino(kind, pid, fd));
    node->kind = kind;
    node->pid = pid;
    node->fd = fd;
    *out = &node->base;
    return 0;
}

static void proc_release(struct vnode *vnode) { heap_free(proc_node(vnode)); }

static u32 proc_mode(const struct proc_node *node) {
    for (usize i = 0; i < ARRAY_SIZE(names); i++) {
        if (names[i].kind == node->kind) {
            return names[i].mode;
        }
    }
    return node->kind == PROC_FD ? MODE_LINK | 0700 : MODE_DIRECTORY | 0555;
}

static int proc_attributes(struct vnode *vnode, struct attributes *out) {
    u64 now_ns = time_now_ns();
    *out = (struct attributes){
        .ino = vnode->ino,
        .mode = proc_mode(proc_node(vnode)),
        .nlink = vnode_is_directory(vnode) ? 2 : 1,
        .atime_ns = now_ns,
        .mtime_ns = now_ns,
        .ctime_ns = now_ns,
    };
    return 0;
}

// A number without leading zeros, or -1.
static i32 parse_number(struct name name) {
    i32 value = 0;
    for (u32 i = 0; i < name.size; i++) {
        if (name.text[i] < '0' || name.text[i] > '9' || i >= 9 || (i > 0 && value == 0)) {
            return -1;
        }
        value = value * 10 + (name.text[i] - '0');
    }
    return value;
}

static bool process_exists(i32 pid) {
    mutex_lock(&tasks.lock);
    bool exists = process_find_locked(pid) != NULL;
    mutex_unlock(&tasks.lock);
    return exists;
}

static int proc_lookup_fd(struct proc_node *directory, struct name name, struct vnode **out) {
    i32 fd = parse_number(name);
    struct file *file = fd >= 0 ? proc_descriptor_get(directory->pid, fd) : NULL;
    if (!file) {
        return -ENOENT;
    }
    file_put(file);
    return proc_make(directory->base.system, PROC_FD, MODE_LINK, directory->pid, fd, out);
}

static int proc_lookup_parent(struct proc_node *directory, struct vnode **out) {
    struct file_system *system = directory->base.system;
    if (directory->kind == PROC_FD_DIRECTORY) {
        return proc_make(system, PROC_PID, MODE_DIRECTORY, directory->pid, 0, out);
    }
    *out = vnode_get(system->root);
    return 0;
}

static int proc_lookup(struct vnode *vnode, struct name name, struct vnode **out) {
    struct proc_node *directory = proc_node(vnode);
    if (name.size == 2 && memcmp(name.text, "..", 2) == 0) {
        return proc_lookup_parent(directory, out);
    }
    if (directory->kind == PROC_FD_DIRECTORY) {
        return proc_lookup_fd(directory, name, out);
    }
    for (usize i = 0; i < ARRAY_SIZE(names); i++) {
        const struct proc_name *known = &names[i];
        if (known->parent == directory->kind && strlen(known->name) == name.size &&
            memcmp(known->name, name.text, name.size) == 0) {
            return proc_make(vnode->system, known->kind, known->mode, directory->pid, 0, out);
        }
    }
    i32 pid = directory->kind == PROC_ROOT ? parse_number(name) : -1;
    if (pid <= 0 || !process_exists(pid)) {
        return -ENOENT;
    }
    return proc_make(vnode->system, PROC_PID, MODE_DIRECTORY, pid, 0, out);
}

// The process or descriptor with the lowest number from `first` on; -1 for none.
static i32 proc_next_pid(i32 first) {
    struct process *process;
    i32 found = -1;
    mutex_lock(&tasks.lock);
    list_for_each(process, &tasks.processes, all) {
        if (process->pid >= first && (found < 0 || process->pid < found)) {
            found = process->pid;
        }
    }
    mutex_unlock(&tasks.lock);
    return found;
}

static i32 proc_next_fd(i32 pid, i32 first) {
    for (i32 fd = first; fd < DESCRIPTORS_MAX; fd++) {
        struct file *file = proc_descriptor_get(pid, fd);
        if (file) {
            file_put(file);
            return fd;
        }
    }
    return -1;
}

// Cookies: first the fixed names by index, then PROC_NUMBERS + the number to go on from.
enum { PROC_NUMBERS = 1000 };

static void proc_list_numbers(struct proc_node *directory, u64 *cookie,
                              struct directory_sink *sink) {
    char text[16];
    while (directory->kind != PROC_PID) {
        bool is_root = directory->kind == PROC_ROOT;
        i32 first = (i32)(*cookie - PROC_NUMBERS);
        i32 number = is_root ? proc_next_pid(first) : proc_next_fd(directory->pid, first);
        if (number < 0) {
            return;
        }
        struct name name = {text, (u32)format_text(text, sizeof(text), "%d", number)};
        u64 next = PROC_NUMBERS + (u64)number + 1;
        u64 ino =
            is_root ? proc_ino(PROC_PID, number, 0) : proc_ino(PROC_FD, directory->pid, number);
        if (!sink->add(sink, name, ino, is_root ? DT_DIR : DT_LNK, next)) {
            return;
        }
        *cookie = next;
    }
}

static int proc_list(struct vnode *vnode, u64 *cookie, struct directory_sink *sink) {
    struct proc_node *directory = proc_node(vnode);
    while (*cookie < ARRAY_SIZE(names) + 2) {
        u64 index = *cookie;
        bool is_dots = index < 2;
        const struct proc_name *known = is_dots ? NULL : &names[index - 2];
        if (is_dots || known->parent == directory->kind) {
            const char *text = is_dots ? &".."[1 - index] : known->name;
            u64 ino = is_dots ? vnode->ino : proc_ino(known->kind, directory->pid, 0);
            u32 type = is_dots ? DT_DIR : known->mode >> 12;
            struct name name = {text, (u32)strlen(text)};
            if (!sink->add(sink, name, ino, type, index + 1)) {
                return 0;
            }
        }
        *cookie = index + 1;
    }
    *cookie = max(*cookie, (u64)PROC_NUMBERS);
    proc_list_numbers(directory, cookie, sink);
    return 0;
}

static int proc_statfs(struct vnode *, struct usage *out) {
    *out = (struct usage){.type = 0x9fa0};
    return 0;
}

static const struct vnode_ops proc_ops = {
    .release = proc_release,
    .attributes = proc_attributes,
    .lookup = proc_lookup,
    .list = proc_list,
    .read_link = proc_read_link,
    .follow = proc_follow,
    .open = proc_open,
    .statfs = proc_statfs,
};

int proc_mount(struct file_system *system) {
    return proc_make(system, PROC_ROOT, MODE_DIRECTORY, 0, 0, &system->root);
}
