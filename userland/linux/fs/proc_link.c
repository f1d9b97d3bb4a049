// The links of /proc. self, thread-self and mounts are texts; the others lead straight to a vnode,
// and show a path where there is one.
#include "lib/format.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/descriptors.h"
#include "linux/fs/proc_node.h"
#include "linux/process.h"
#include "linux/thread.h"
#include "linux/tty/devpts.h"
#include "linux/walk.h"

struct file *proc_descriptor_get(i32 pid, i32 fd) {
    struct descriptors *descriptors = NULL;
    struct file *file = NULL;
    mutex_lock(&tasks.lock);
    struct process *process = process_find_locked(pid);
    if (process && process->descriptors) {
        descriptors = descriptors_get(process->descriptors);
    }
    mutex_unlock(&tasks.lock);
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

static struct vnode *link_target(struct proc_node *node) {
    struct vnode *target = NULL;
    if (node->kind == PROC_FD) {
        struct file *file = proc_descriptor_get(node->pid, node->fd);
        target = file ? vnode_get(file->vnode) : NULL;
        file_put(file);
        return target;
    }
    mutex_lock(&tasks.lock);
    struct process *process = process_find_locked(node->pid);
    if (process && process->fs) {
        switch (node->kind) {
        case PROC_EXE: target = process->program ? vnode_get(process->program->file) : NULL; break;
        case PROC_CWD: target = fs_context_cwd(process->fs); break;
        case PROC_ROOT_LINK: target = fs_context_root(process->fs); break;
        default: break;
        }
    }
    mutex_unlock(&tasks.lock);
    return target;
}

static i64 text_link(struct proc_node *node, char *buffer, usize size) {
    i32 pid = thread_current()->process->pid;
    switch (node->kind) {
    case PROC_SELF: return (i64)format_text(buffer, size, "%d", pid);
    case PROC_THREAD_SELF:
        return (i64)format_text(buffer, size, "%d/task/%d", pid, thread_current()->tid);
    case PROC_MOUNTS_LINK: return (i64)format_text(buffer, size, "self/mounts");
    default: return -EINVAL;
    }
}

static i64 target_path(struct proc_node *node, char *buffer, usize size) {
    struct vnode *target = link_target(node);
    i64 length;
    if (!target) {
        return -ENOENT;
    }
    if (vnode_is_directory(target) || target->ops->name) {
        struct vnode *root = fs_context_root(thread_current()->process->fs);
        length = vnode_path(root, target, buffer, size);
        vnode_put(root);
    } else if (devpts_terminal(target)) {
        length = (i64)format_text(buffer, size, "/dev/pts/%u", devpts_terminal(target)->number);
    } else if (target->type == MODE_FIFO) {
        length = (i64)format_text(buffer, size, "pipe:[%lu]", target->ino);
    } else {
        length = (i64)format_text(buffer, size, "/proc/self/fd/%d", node->fd);
    }
    vnode_put(target);
    return length;
}

i64 proc_read_link(struct vnode *link, char *buffer, usize size) {
    struct proc_node *node = proc_node(link);
    char text[512];
    i64 length;
    bool leads_to_vnode = node->kind == PROC_EXE || node->kind == PROC_FD ||
                          node->kind == PROC_CWD || node->kind == PROC_ROOT_LINK;
    if (leads_to_vnode) {
        length = target_path(node, text, sizeof(text));
    } else {
        length = text_link(node, text, sizeof(text));
    }
    if (length > 0) {
        length = min(length, (i64)size);
        memcpy(buffer, text, (usize)length);
    }
    return length;
}

// The text links are followed like any other, which needs the path walk: through the same
// directory's lookup, so here only by resolving the text.
int proc_follow(struct vnode *link, struct vnode **out) {
    struct proc_node *node = proc_node(link);
    char text[32];
    switch (node->kind) {
    case PROC_SELF:
    case PROC_THREAD_SELF: {
        usize size = format_text(text, sizeof(text), "%d", thread_current()->process->pid);
        return vnode_lookup(link->system->root, (struct name){text, (u32)size}, out);
    }
    case PROC_MOUNTS_LINK: {
        struct vnode *process;
        usize size = format_text(text, sizeof(text), "%d", thread_current()->process->pid);
        int result = vnode_lookup(link->system->root, (struct name){text, (u32)size}, &process);
        if (result == 0) {
            result = vnode_lookup(process, (struct name){"mounts", 6}, out);
            vnode_put(process);
        }
        return result;
    }
    default: *out = link_target(node); return *out ? 0 : -ENOENT;
    }
}
