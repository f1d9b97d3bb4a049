// The links of /proc. Some are texts; those to a process's files lead straight to a vnode, and show
// a path where there is one.
#include "lib/format.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/credentials.h"
#include "linux/descriptors.h"
#include "linux/fs/proc_node.h"
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

// What a process has is for its own user to look at.
static int inspect_check(i32 pid) {
    mutex_lock(&tasks.lock);
    const struct process *process = process_find_locked(pid);
    int result =
        !process ? -ENOENT
        : credentials_may_inspect(thread_current()->process->credentials, process->credentials)
            ? 0
            : -EACCES;
    mutex_unlock(&tasks.lock);
    return result;
}

// What the link leads to, counted; NULL: nothing any more.
static struct vnode *link_target(struct proc_node *node) {
    struct vnode *target = NULL;
    if (node->entry->link == PROC_FD) {
        struct file *file = proc_descriptor_get(node->pid, node->fd);
        target = file ? vnode_get(file->vnode) : NULL;
        file_put(file);
        return target;
    }
    mutex_lock(&tasks.lock);
    struct process *process = process_find_locked(node->pid);
    if (process && process->fs) {
        switch (node->entry->link) {
        case PROC_EXE: target = process->program ? vnode_get(process->program->file) : NULL; break;
        case PROC_CWD: target = fs_context_cwd(process->fs); break;
        case PROC_ROOT_LINK: target = fs_context_root(process->fs); break;
        default: break;
        }
    }
    mutex_unlock(&tasks.lock);
    return target;
}

// What belongs on /dev is mounted there when it is first looked up; a start opens its null before.
static void mounts_settle(struct vnode *root, struct vnode *target) {
    struct vnode *found;
    if (!target->system->covered && vnode_lookup(root, (struct name){"dev", 3}, &found) == 0) {
        vnode_put(found);
    }
}

static i64 target_path(struct proc_node *node, char *buffer, usize size) {
    i64 length = inspect_check(node->pid);
    struct vnode *target = length == 0 ? link_target(node) : NULL;
    if (!target) {
        return length != 0 ? length : -ENOENT;
    }
    if (vnode_is_directory(target) || target->ops->name) {
        struct vnode *root = fs_context_root(thread_current()->process->fs);
        mounts_settle(root, target);
        length = vnode_path(root, target, buffer, size);
        vnode_put(root);
    } else if (devpts_terminal(target)) {
        length = (i64)format_text(buffer, size, "/dev/pts/%u", devpts_terminal(target)->number);
    } else {
        length = (i64)format_text(buffer, size, "%s:[%lu]",
                                  target->type == MODE_FIFO ? "pipe" : target->system->name,
                                  target->ino);
    }
    vnode_put(target);
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

int proc_follow(struct vnode *link, struct vnode **out) {
    struct proc_node *node = proc_node(link);
    switch (node->entry->link) {
    case PROC_NO_LINK:
    case PROC_SELF:
    case PROC_THREAD_SELF: return -EINVAL; // the text leads there
    default: {
        int result = inspect_check(node->pid);
        *out = result == 0 ? link_target(node) : NULL;
        return result == 0 && !*out ? -ENOENT : result;
    }
    }
}
