// The tree of /proc: lookup and listing. Nodes hold no references: a process that is gone is -ENOENT
// (or -ESRCH) at the next step.
#include "linux/fs/proc.h"

#include "lib/format.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/credentials.h"
#include "linux/descriptors.h"
#include "linux/fs/proc_node.h"
#include "linux/thread.h"

// Inode numbers: a process's are from pid << 32 on; below are the kinds without names, then the
// named entries, then three for each descriptor or thread.
enum : u64 { INO_ROOT = 1, INO_PID = 2, INO_NAMED = 16, INO_NUMBERED = 1024 };

enum { MODES_MAX = 32 };

static const struct vnode_ops proc_ops;

static u64 proc_ino(const struct proc_entry *entry, i32 pid, i32 fd) {
    u64 base = (u64)(u32)pid << 32;
    u64 numbered = base + INO_NUMBERED + (u64)(u32)fd * 3;
    if (entry == &proc_entry_root) return INO_ROOT;
    if (entry == &proc_entry_pid) return base + INO_PID;
    if (entry == &proc_entry_fd) return numbered;
    if (entry == &proc_entry_fdinfo) return numbered + 1;
    if (entry == &proc_entry_task) return numbered + 2;
    return base + INO_NAMED + (u64)(entry - proc_entries);
}

static int proc_make(struct file_system *system, const struct proc_entry *entry, i32 pid, i32 fd,
                     struct vnode **out) {
    struct proc_node *node = heap_alloc(sizeof(*node));
    if (!node) {
        return -ENOMEM;
    }
    vnode_init(&node->base, &proc_ops, system, entry->mode & MODE_TYPE, proc_ino(entry, pid, fd));
    node->entry = entry;
    node->pid = pid;
    node->fd = fd;
    *out = &node->base;
    return 0;
}

static void proc_release(struct vnode *vnode) { heap_free(proc_node(vnode)); }

// A process's files belong to its user; of one that may not be looked into, and of one that has ended,
// only the directories that all may read.
static void proc_owner(const struct proc_node *node, struct attributes *out) {
    const u32 open_directory = MODE_DIRECTORY | 0555;
    mutex_lock(&tasks.lock);
    struct process *process = node->pid ? process_find_locked(node->pid) : NULL;
    bool is_hidden = process && (process->is_undumpable || !process->memory) &&
                     node->entry->mode != open_directory;
    if (process && !is_hidden) {
        out->uid = process->credentials->euid;
        out->gid = process->credentials->egid;
    }
    mutex_unlock(&tasks.lock);
}

// A descriptor's link says by its mode what the file was opened for.
static u32 descriptor_mode(const struct proc_node *node) {
    static const u32 modes[] = {0500, 0300, 0700, 0500};
    struct file *file = proc_descriptor_get(node->pid, node->fd);
    u32 mode = file ? modes[file_flags(file) & O_ACCMODE] : 0;
    file_put(file);
    return MODE_LINK | mode;
}

// The modes of files that belong to no process can be changed, which changes nothing else.
static u16 modes[MODES_MAX]; // atomic; by entry; 0: as it is in the table

static u16 *mode_of(const struct proc_entry *entry) {
    usize index = (usize)(entry - proc_entries);
    bool is_fixed = entry->place != PROC_ROOT || (entry->mode & MODE_TYPE) != MODE_REGULAR;
    return is_fixed || index >= MODES_MAX ? NULL : &modes[index];
}

static bool process_exists(i32 pid) {
    mutex_lock(&tasks.lock);
    bool exists = process_find_locked(pid) != NULL;
    mutex_unlock(&tasks.lock);
    return exists;
}

static bool is_gone(const struct proc_node *node) {
    return node->pid != 0 && !process_exists(node->pid);
}

static int proc_attributes(struct vnode *vnode, struct attributes *out) {
    const u16 *mode = mode_of(proc_node(vnode)->entry);
    if (vnode_is_directory(vnode) && is_gone(proc_node(vnode))) {
        return -ESRCH;
    }
    u64 now_ns = time_now_ns();
    *out = (struct attributes){
        .ino = vnode->ino,
        .mode = proc_node(vnode)->entry->mode,
        .nlink = vnode_is_directory(vnode) ? 2 : 1,
        .atime_ns = now_ns,
        .mtime_ns = now_ns,
        .ctime_ns = now_ns,
    };
    if (proc_node(vnode)->entry == &proc_entry_fd) {
        enum { SHOWN_BYTES = 64 };
        out->mode = descriptor_mode(proc_node(vnode));
        out->size_bytes = SHOWN_BYTES;
    }
    if (mode && __atomic_load_n(mode, __ATOMIC_RELAXED)) {
        out->mode = __atomic_load_n(mode, __ATOMIC_RELAXED);
    }
    proc_owner(proc_node(vnode), out);
    return 0;
}

// Opening a text to write, with O_TRUNC, changes nothing.
static int proc_set_attributes(struct vnode *vnode, const struct attributes *values, u32 which) {
    u16 *mode = mode_of(proc_node(vnode)->entry);
    which &= ~(u32)(ATTRIBUTE_DROP_SET_ID | ATTRIBUTE_IF_OWNED); // owners do not change
    if (which & ~(u32)(ATTRIBUTE_SIZE | ATTRIBUTE_MTIME | (mode ? ATTRIBUTE_MODE : 0))) {
        return -EPERM;
    }
    if (which & ATTRIBUTE_MODE) {
        __atomic_store_n(mode, (u16)(MODE_REGULAR | (values->mode & MODE_PERMISSIONS)),
                         __ATOMIC_RELAXED);
    }
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
    return name.size > 0 ? value : -1;
}

// The entry that is this directory.
static const struct proc_entry *entry_of_place(enum proc_place place) {
    switch (place) {
    case PROC_NOWHERE:
    case PROC_ROOT: return &proc_entry_root;
    case PROC_PID: return &proc_entry_pid;
    case PROC_TASK: return &proc_entry_task;
    default: break;
    }
    for (usize i = 0; i < proc_entries_count; i++) {
        if (proc_entries[i].directory == place) {
            return &proc_entries[i];
        }
    }
    return &proc_entry_root;
}

static int lookup_parent(struct proc_node *directory, struct vnode **out) {
    struct file_system *system = directory->base.system;
    bool is_task = directory->entry == &proc_entry_task;
    const struct proc_entry *parent =
        entry_of_place(is_task ? PROC_TASKS : directory->entry->place);
    if (parent == &proc_entry_root) {
        *out = vnode_get(system->root);
        return 0;
    }
    i32 number = parent == &proc_entry_task ? directory->pid : 0;
    return proc_make(system, parent, directory->pid, number, out);
}

static int lookup_number(struct proc_node *directory, i32 number, struct vnode **out) {
    struct file_system *system = directory->base.system;
    i32 pid = directory->pid;
    bool is_fdinfo = directory->entry->directory == PROC_FDINFOS;
    struct file *file;
    switch (directory->entry->directory) {
    case PROC_ROOT:
        return number > 0 && process_exists(number)
                   ? proc_make(system, &proc_entry_pid, number, 0, out)
                   : -ENOENT;
    case PROC_TASKS:
        return number == pid ? proc_make(system, &proc_entry_task, pid, pid, out) : -ENOENT;
    case PROC_FDS:
    case PROC_FDINFOS:
        file = proc_descriptor_get(pid, number);
        file_put(file);
        return file ? proc_make(system, is_fdinfo ? &proc_entry_fdinfo : &proc_entry_fd, pid,
                                number, out)
                    : -ENOENT;
    default: return -ENOENT;
    }
}

static int proc_lookup(struct vnode *vnode, struct name name, struct vnode **out) {
    struct proc_node *directory = proc_node(vnode);
    enum proc_place place = directory->entry->directory;
    if (name.size == 2 && memcmp(name.text, "..", 2) == 0) {
        return lookup_parent(directory, out);
    }
    if (is_gone(directory)) {
        return -ESRCH;
    }
    for (usize i = 0; i < proc_entries_count; i++) {
        const struct proc_entry *known = &proc_entries[i];
        if (known->place == place && strlen(known->name) == name.size &&
            memcmp(known->name, name.text, name.size) == 0) {
            return proc_make(vnode->system, known, directory->pid, 0, out);
        }
    }
    i32 number = parse_number(name);
    return number >= 0 ? lookup_number(directory, number, out) : -ENOENT;
}

// The process or descriptor with the lowest number from `first` on; -1 for none.
static i32 next_pid(i32 first) {
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

static i32 next_fd(i32 pid, i32 first) {
    struct descriptors *descriptors = proc_descriptors_get(pid);
    i32 found = -1;
    if (!descriptors) {
        return -1;
    }
    mutex_lock(&descriptors->lock);
    for (u32 fd = (u32)first; fd < descriptors->capacity && found < 0; fd++) {
        found = descriptors->table[fd].file ? (i32)fd : -1;
    }
    mutex_unlock(&descriptors->lock);
    descriptors_put(descriptors);
    return found;
}

// What is named by a number in this directory: its entry, and the first number from `first` on.
static i32 next_number(const struct proc_node *directory, i32 first,
                       const struct proc_entry **entry) {
    i32 pid = directory->pid;
    switch (directory->entry->directory) {
    case PROC_ROOT: *entry = &proc_entry_pid; return next_pid(first);
    case PROC_TASKS: *entry = &proc_entry_task; return first <= pid ? pid : -1;
    case PROC_FDS: *entry = &proc_entry_fd; return next_fd(pid, first);
    case PROC_FDINFOS: *entry = &proc_entry_fdinfo; return next_fd(pid, first);
    default: return -1;
    }
}

// Cookies: first the fixed names by index, then PROC_NUMBERS + the number to go on from.
enum { PROC_NUMBERS = 1000 };

static void list_numbers(struct proc_node *directory, u64 *cookie, struct directory_sink *sink) {
    char text[16];
    for (;;) {
        const struct proc_entry *entry;
        i32 number = next_number(directory, (i32)(*cookie - PROC_NUMBERS), &entry);
        if (number < 0) {
            return;
        }
        struct name name = {text, (u32)format_text(text, sizeof(text), "%d", number)};
        u64 next = PROC_NUMBERS + (u64)number + 1;
        bool is_process = entry == &proc_entry_pid;
        u64 ino = proc_ino(entry, is_process ? number : directory->pid, is_process ? 0 : number);
        if (!sink->add(sink, name, ino, entry->mode >> 12, next)) {
            return;
        }
        *cookie = next;
    }
}

static int proc_list(struct vnode *vnode, u64 *cookie, struct directory_sink *sink) {
    struct proc_node *directory = proc_node(vnode);
    if (is_gone(directory)) {
        return *cookie < 2 ? -ESRCH : 0;
    }
    while (*cookie < proc_entries_count + 2) {
        u64 index = *cookie;
        bool is_dots = index < 2;
        const struct proc_entry *known = is_dots ? NULL : &proc_entries[index - 2];
        if (is_dots || known->place == directory->entry->directory) {
            const char *text = is_dots ? &".."[1 - index] : known->name;
            u64 ino = is_dots ? vnode->ino : proc_ino(known, directory->pid, 0);
            u32 type = is_dots ? DT_DIR : known->mode >> 12;
            struct name name = {text, (u32)strlen(text)};
            if (!sink->add(sink, name, ino, type, index + 1)) {
                return 0;
            }
        }
        *cookie = index + 1;
    }
    *cookie = max(*cookie, (u64)PROC_NUMBERS);
    list_numbers(directory, cookie, sink);
    return 0;
}

static int proc_statfs(struct vnode *, struct usage *out) {
    *out = (struct usage){.type = 0x9fa0};
    return 0;
}

// No names can be made or taken away.
static int proc_create(struct vnode *, struct name, const struct creation *, struct vnode **) {
    return -ENOENT;
}

static int proc_symlink(struct vnode *, struct name, const struct creation *, struct name) {
    return -ENOENT;
}

static int proc_unlink(struct vnode *, struct name, struct vnode *target, u32 flags) {
    return (flags & UNLINK_DIRECTORY) && !vnode_is_directory(target) ? -ENOTDIR : -EPERM;
}

// A process has its own descriptors, whoever it is by now.
static bool proc_grants(struct vnode *vnode) {
    const struct proc_node *node = proc_node(vnode);
    return node->entry->directory == PROC_FDS && node->pid == thread_current()->process->pid;
}

static const struct vnode_ops proc_ops = {
    .grants = proc_grants,
    .create = proc_create,
    .symlink = proc_symlink,
    .unlink = proc_unlink,
    .release = proc_release,
    .attributes = proc_attributes,
    .set_attributes = proc_set_attributes,
    .lookup = proc_lookup,
    .list = proc_list,
    .read_link = proc_read_link,
    .follow = proc_follow,
    .open = proc_open,
    .statfs = proc_statfs,
};

int proc_mount(struct file_system *system) {
    return proc_make(system, &proc_entry_root, 0, 0, &system->root);
}
