// What the parts of /proc share: the tree (proc.c), links (proc_link.c) and texts (proc_text.c).
// A node is made when it is looked up: a kind, and the process (0: none) and descriptor it is about.
#pragma once

#include "linux/vfs.h"

enum proc_kind {
    PROC_ROOT,
    PROC_PID,
    PROC_FD_DIRECTORY,
    PROC_SELF,
    PROC_THREAD_SELF,
    PROC_MOUNTS_LINK,
    PROC_EXE,
    PROC_CWD,
    PROC_ROOT_LINK,
    PROC_FD,
    PROC_TEXTS, // those from here on are texts
    PROC_CMDLINE = PROC_TEXTS,
    PROC_COMM,
    PROC_PID_STAT,
    PROC_STATUS,
    PROC_MOUNTS,
    PROC_MEMINFO,
    PROC_UPTIME,
    PROC_VERSION,
    PROC_STAT,
    PROC_LOADAVG,
    PROC_CPUINFO,
    PROC_FILESYSTEMS,
};

struct proc_node {
    struct vnode base;
    enum proc_kind kind;
    i32 pid;
    i32 fd;
};

static inline struct proc_node *proc_node(struct vnode *vnode) {
    return container_of(vnode, struct proc_node, base);
}

// The process with this pid, as the calling thread may see it; NULL if there is none.
struct process *proc_process_locked(i32 pid);

int proc_follow(struct vnode *link, struct vnode **out);
i64 proc_read_link(struct vnode *link, char *buffer, usize size);
int proc_open(struct thread *thread, struct vnode *vnode, struct file *file);
// A counted file of another process's descriptor; NULL if there is none.
struct file *proc_descriptor_get(i32 pid, i32 fd);
