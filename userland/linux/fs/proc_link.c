// The links of /proc. Some are texts; those to a process's files lead straight to them, and show
// a path where there is one.
#include "lib/format.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/credentials.h"
#include "linux/descriptors.h"
#include "linux/fs/proc_node.h"
#include "linux/mount.h"
#include "linux/system.h"
#include "linux/thread.h"
#include "linux/tty/devpts.h"
#include "linux/walk.h"

struct descriptors *proc_descriptors_get(i32 pid) {
    struct descriptors *descriptors = NULL;
    mutex_lock(&tasks.lock);
    struct process *process = process_find_locked(pid);
    if (process && process->descriptors) {
        descriptors = descriptors_get(process->descriptors);
    }
    mutex_unlock(&tasks.lock);
    return descriptors;
}

struct file *proc_descriptor_get(i32 pid, i32 fd) {
    struct descriptors *descriptors = proc_descriptors_get(pid);
    struct file *file = NULL;
    if (!descriptors) {
        return NULL;
    }
    mutex_lock(&descriptors->lock);
    if ((u32)fd < descriptors->capacity && descriptors->table[fd].file) {
        file = file_get(descriptors->table[fd].file);
    }
    mutex_unlock(&descriptors->lock);
    descriptors_put(descriptors);
    return file;
}

static bool may_inspect_locked(const struct process *from, const struct process *process)
    REQUIRES(&tasks.lock) {
    return from == process ||
           (credentials_may_inspect(from->credentials, process->credentials) &&
            (!process->is_undumpable || credentials_have(from->credentials, CAP_SYS_PTRACE)));
}

int proc_inspect_check(i32 pid) {
    mutex_lock(&tasks.lock);
    const struct process *process = process_find_locked(pid);
    int result = !process                                                 ? -ENOENT
                 : may_inspect_locked(thread_current()->process, process) ? 0
                                                                          : -EACCES;
    mutex_unlock(&tasks.lock);
    return result;
}

// What the link leads to, counted; without a vnode: nothing any more.
static struct path link_target(struct proc_node *node) {
    struct path target = {};
    if (node->entry->link == PROC_FD) {
        struct file *file = proc_descriptor_get(node->pid, node->fd);
        if (file) {
            target = path_get(file_path(file));
        }
        file_put(file);
        return target;
    }
    mutex_lock(&tasks.lock);
    struct process *process = process_find_locked(node->pid);
    if (process && process->fs) {
        switch (node->entry->link) {
        case PROC_EXE:
            if (process->program && process->program->file) {
                target = path_get(file_path(process->program->file));
            }
            break;
        case PROC_CWD: target = fs_context_cwd(process->fs); break;
        case PROC_ROOT_LINK: target = fs_context_root(process->fs); break;
        default: break;
        }
    }
    mutex_unlock(&tasks.lock);
    return target;
}

// What belongs on /dev is mounted there when it is first looked up; a start opens its null before.
static void mounts_settle(struct path target) {
    if (target.mount && !mount_has_place(target.mount)) {
        system_mount_given();
    }
}

static i64 target_text(struct path target, char *buffer, usize size) {
    struct vnode *vnode = target.vnode;
    if (vnode_is_directory(vnode) || vnode->ops->name) {
        struct path root = fs_context_root(thread_current()->process->fs);
        mounts_settle(target);
        i64 length = path_text(root, target, buffer, size);
        path_put(root);
        return length;
    }
    if (devpts_terminal(vnode)) {
        return (i64)format_text(buffer, size, "/dev/pts/%u", devpts_terminal(vnode)->number);
    }
    return (i64)format_text(buffer, size, "%s:[%lu]",
                            vnode->type == MODE_FIFO ? "pipe" : vnode->system->name, vnode->ino);
}

static i64 target_path(struct proc_node *node, char *buffer, usize size) {
    i64 length = proc_inspect_check(node->pid);
    if (length != 0) {
        return length;
    }
    struct path target = link_target(node);
    length = target.vnode ? target_text(target, buffer, size) : -ENOENT;
    path_put(target);
    return length;
}

i64 proc_read_link(struct vnode *link, char *buffer, usize size) {
    struct proc_node *node = proc_node(link);
    char text[512];
    i32 pid = thread_current()->process->pid;
    i64 length;
    switch (node->entry->link) {
    case PROC_NO_LINK:
        length = (i64)format_text(text, sizeof(text), "%s", node->entry->target);
        break;
    case PROC_SELF: length = (i64)format_text(text, sizeof(text), "%d", pid); break;
    case PROC_THREAD_SELF:
        length = (i64)format_text(text, sizeof(text), "%d/task/%d", pid, pid);
        break;
    default: length = target_path(node, text, sizeof(text)); break;
    }
    if (length > 0) {
        length = min(length, (i64)size);
        memcpy(buffer, text, (usize)length);
    }
    return length;
}

int proc_follow(struct vnode *link, struct path *out) {
    struct proc_node *node = proc_node(link);
    switch (node->entry->link) {
    case PROC_NO_LINK:
    case PROC_SELF:
    case PROC_THREAD_SELF: return -EINVAL; // the text leads there
    default: {
        int result = proc_inspect_check(node->pid);
        if (result == 0) {
            *out = link_target(node);
            result = out->vnode ? 0 : -ENOENT;
        }
        return result;
    }
    }
}
