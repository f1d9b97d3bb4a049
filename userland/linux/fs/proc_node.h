// What the parts of /proc share: the tree (proc.c), its names (proc_entries.c), links (proc_link.c),
// texts (proc_text.c) and what is in them: of a process (proc_process.c, proc_status.c, proc_maps.c),
// of the system (proc_system.c), of /proc/sys (proc_sys.c).
// A node is made when it is looked up: an entry of the table, and the process (0: none) and
// descriptor it is about.
#pragma once

#include "linux/process.h"
#include "linux/vfs.h"

// Directories, and where in the tree an entry is.
enum proc_place {
    PROC_NOWHERE, // of what is no directory
    PROC_ROOT,
    PROC_PID,
    PROC_TASKS,
    PROC_TASK,
    PROC_FDS,
    PROC_FDINFOS,
    PROC_NET,
    PROC_SYS,
    PROC_SYS_KERNEL,
    PROC_SYS_RANDOM,
    PROC_SYS_FS,
    PROC_SYS_VM,
};

// Links that are no plain text.
enum proc_link {
    PROC_NO_LINK,
    PROC_SELF,
    PROC_THREAD_SELF,
    PROC_EXE,
    PROC_CWD,
    PROC_ROOT_LINK,
    PROC_FD,
};

// A text that grows; a printer that runs out of memory leaves it short, with -ENOMEM in error.
struct text {
    int error;
    usize size;
    usize capacity;
    char *bytes;             // NULL: not made yet
    struct program *program; // that the process ran when the file was opened; counted
};

void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_append(struct text *text, const void *bytes, usize size);

struct proc_node;

struct proc_entry {
    const char *name;
    enum proc_place place; // where it is
    u32 mode;
    enum proc_place directory; // what it is, if it is one
    enum proc_link link;
    bool is_of_program; // about the program that ran when it was opened
    const char *target; // of a link that is a text; a setting's value
    // One of these makes a text; the second is called with the process that it is about.
    void (*print)(struct text *text, const struct proc_node *node);
    void (*print_process)(struct text *text, struct process *process);
    i64 (*store)(const struct proc_node *node, const char *bytes, usize size);
};

// The entries with names.
extern const struct proc_entry proc_entries[];
extern const usize proc_entries_count;
// Without names: a process's directory, a thread's, a descriptor's.
extern const struct proc_entry proc_entry_root, proc_entry_pid, proc_entry_task, proc_entry_fd,
    proc_entry_fdinfo;

struct proc_node {
    struct vnode base;
    const struct proc_entry *entry;
    i32 pid;
    i32 fd;
};

static inline struct proc_node *proc_node(struct vnode *vnode) {
    return container_of(vnode, struct proc_node, base);
}

int proc_follow(struct vnode *link, struct path *out);
i64 proc_read_link(struct vnode *link, char *buffer, usize size);
int proc_open(struct thread *thread, struct vnode *vnode, struct file *file);
// What a process has is for its own user to look at, and not even for that when it hides: -EACCES;
// -ENOENT: there is no such process.
int proc_inspect_check(i32 pid);
// The table of a process, counted; NULL if there is none.
struct descriptors *proc_descriptors_get(i32 pid);
// A counted file of another process's descriptor; NULL if there is none.
struct file *proc_descriptor_get(i32 pid, i32 fd);

struct signal_figures {
    u64 pending;
    u64 blocked;
    u64 ignored;
    u64 caught;
};

struct signal_figures proc_signals_locked(const struct process *process) REQUIRES(&tasks.lock);
// As stat shows it: R, S, T, Z.
char proc_state_locked(const struct process *process, bool is_running) REQUIRES(&tasks.lock);
// Processor time of a process, its live threads included; whether one of them runs or could.
u64 proc_cpu_ns_locked(const struct process *process, bool *is_running) REQUIRES(&tasks.lock);

// Printers.
void proc_print_cmdline(struct text *text, struct process *process) REQUIRES(&tasks.lock);
void proc_print_environ(struct text *text, struct process *process) REQUIRES(&tasks.lock);
void proc_print_comm(struct text *text, struct process *process) REQUIRES(&tasks.lock);
void proc_print_stat(struct text *text, struct process *process) REQUIRES(&tasks.lock);
void proc_print_statm(struct text *text, struct process *process) REQUIRES(&tasks.lock);
void proc_print_status(struct text *text, struct process *process) REQUIRES(&tasks.lock);
void proc_print_maps(struct text *text, const struct proc_node *node);
void proc_print_smaps(struct text *text, const struct proc_node *node);
void proc_print_limits(struct text *text, struct process *process) REQUIRES(&tasks.lock);
void proc_print_io(struct text *text, struct process *process) REQUIRES(&tasks.lock);
void proc_print_children(struct text *text, struct process *process) REQUIRES(&tasks.lock);
void proc_print_personality(struct text *text, struct process *process) REQUIRES(&tasks.lock);
void proc_print_number(struct text *text, const struct proc_node *node);
void proc_print_zero(struct text *text, const struct proc_node *node);
void proc_print_loginuid(struct text *text, const struct proc_node *node);
void proc_print_id_map(struct text *text, const struct proc_node *node);
void proc_print_fdinfo(struct text *text, const struct proc_node *node);
void proc_print_mounts(struct text *text, const struct proc_node *node);
void proc_print_mountinfo(struct text *text, const struct proc_node *node);
void proc_print_meminfo(struct text *text, const struct proc_node *node);
void proc_print_uptime(struct text *text, const struct proc_node *node);
void proc_print_version(struct text *text, const struct proc_node *node);
void proc_print_system_stat(struct text *text, const struct proc_node *node);
void proc_print_loadavg(struct text *text, const struct proc_node *node);
void proc_print_cpuinfo(struct text *text, const struct proc_node *node);
void proc_print_filesystems(struct text *text, const struct proc_node *node);
void proc_print_devices(struct text *text, const struct proc_node *node);
void proc_print_boot_line(struct text *text, const struct proc_node *node);
void proc_print_vmstat(struct text *text, const struct proc_node *node);
void proc_print_swaps(struct text *text, const struct proc_node *node);
void proc_print_partitions(struct text *text, const struct proc_node *node);
void proc_print_nothing(struct text *text, const struct proc_node *node);
void proc_print_setting(struct text *text, const struct proc_node *node);
void proc_print_hostname(struct text *text, const struct proc_node *node);
void proc_print_boot_id(struct text *text, const struct proc_node *node);
void proc_print_uuid(struct text *text, const struct proc_node *node);
i64 proc_store_hostname(const struct proc_node *node, const char *bytes, usize size);
i64 proc_store_comm(const struct proc_node *node, const char *bytes, usize size);
i64 proc_store_nothing(const struct proc_node *node, const char *bytes, usize size);
