// The texts of /proc: made in full when they are opened, read from that copy.
#include "lib/format.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/fs/proc_node.h"
#include "linux/kernel_if.h"
#include "linux/mount.h"
#include "linux/process.h"
#include "linux/system.h"

enum { TEXT_BYTES = PAGE_SIZE };

struct text {
    usize size;
    char bytes[TEXT_BYTES - sizeof(usize)];
};

static char state_letter(enum process_state state) {
    static const char letters[] = {
        [PROCESS_RUNNING] = 'S', [PROCESS_STOPPED] = 'T', [PROCESS_ZOMBIE] = 'Z'};
    return letters[state];
}

static usize text_pid_stat(const struct process *process, char *buffer, usize size) {
    return format_text(buffer, size,
                       "%d (%s) %c %d %d %d 0 -1 0 0 0 0 0 %lu 0 0 0 20 0 1 0 %lu 0 0 0 0 0 0 0 0 "
                       "0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
                       process->pid, process->name, state_letter(process->state),
                       process->parent ? process->parent->pid : 0, process->group, process->session,
                       process->cpu_ns / 10000000, process->start_ns / 10000000);
}

static usize text_status(const struct process *process, char *buffer, usize size) {
    i32 parent = process->parent ? process->parent->pid : 0;
    return format_text(buffer, size,
                       "Name:\t%s\nState:\t%c\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n"
                       "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nThreads:\t1\n",
                       process->name, state_letter(process->state), process->pid, process->pid,
                       parent);
}

// Under tasks.lock, so that the process stays.
static i64 text_of_process(const struct process *process, enum proc_kind kind, char *buffer,
                           usize size) {
    usize count;
    switch (kind) {
    case PROC_CMDLINE:
        if (!process->program) {
            return 0;
        }
        count = min((usize)process->program->arguments_size, size);
        memcpy(buffer, process->program->text, count);
        return (i64)count;
    case PROC_COMM: return (i64)format_text(buffer, size, "%s\n", process->name);
    case PROC_PID_STAT: return (i64)text_pid_stat(process, buffer, size);
    case PROC_STATUS: return (i64)text_status(process, buffer, size);
    default: return -ENOENT;
    }
}

static i64 text_meminfo(char *buffer, usize size) {
    struct system_memory memory;
    system_memory(&memory);
    u64 total = memory.total_bytes >> 10;
    u64 free = memory.free_bytes >> 10;
    return (i64)format_text(buffer, size,
                            "MemTotal:       %8lu kB\nMemFree:        %8lu kB\n"
                            "MemAvailable:   %8lu kB\nBuffers:        %8d kB\n"
                            "Cached:         %8d kB\nSwapTotal:      %8d kB\n"
                            "SwapFree:       %8d kB\n",
                            total, free, free, 0, 0, 0, 0);
}

static i64 text_uptime(char *buffer, usize size) {
    u64 hundredths = kernel_monotonic_ns() / 10000000;
    return (i64)format_text(buffer, size, "%lu.%02lu 0.00\n", hundredths / 100, hundredths % 100);
}

static i64 text_of_system(enum proc_kind kind, char *buffer, usize size) {
    switch (kind) {
    case PROC_MOUNTS: return (i64)mounts_text(MOUNTS_PLAIN, buffer, size);
    case PROC_MEMINFO: return text_meminfo(buffer, size);
    case PROC_UPTIME: return text_uptime(buffer, size);
    case PROC_VERSION:
        return (i64)format_text(buffer, size, "Linux version %s (cloister) %s\n", system_release,
                                system_version);
    case PROC_STAT:
        return (i64)format_text(buffer, size,
                                "cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\nbtime %lu\n",
                                (kernel_realtime_ns() - kernel_monotonic_ns()) / 1000000000);
    case PROC_LOADAVG:
        return (i64)format_text(buffer, size, "0.00 0.00 0.00 1/%u %d\n", tasks.count,
                                tasks.next_pid - 1);
    case PROC_CPUINFO:
        return (i64)format_text(buffer, size, "processor\t: 0\nvendor_id\t: Cloister\n\n");
    case PROC_FILESYSTEMS: return (i64)format_text(buffer, size, "nodev\ttmpfs\nnodev\tproc\n");
    default: return -ENOENT;
    }
}

static i64 text_make(struct proc_node *node, char *buffer, usize size) {
    if (node->kind >= PROC_MOUNTS) {
        return text_of_system(node->kind, buffer, size);
    }
    i64 count = -ESRCH;
    mutex_lock(&tasks.lock);
    struct process *process = process_find_locked(node->pid);
    if (process) {
        count = text_of_process(process, node->kind, buffer, size);
    }
    mutex_unlock(&tasks.lock);
    return count;
}

static i64 text_read(struct thread *, struct file *file, void *buffer, usize size, u64 *offset,
                     u32) {
    struct text *text = file->private;
    if (*offset >= text->size) {
        return 0;
    }
    usize count = min(size, (usize)(text->size - *offset));
    memcpy(buffer, text->bytes + *offset, count);
    *offset += count;
    return (i64)count;
}

static void text_release(struct file *file) { heap_free(file->private); }

static const struct file_ops text_ops = {.read = text_read, .release = text_release};

int proc_open(struct thread *, struct vnode *vnode, struct file *file) {
    struct proc_node *node = proc_node(vnode);
    if (node->kind < PROC_TEXTS) {
        return 0;
    }
    struct text *text = heap_alloc(sizeof(*text));
    if (!text) {
        return -ENOMEM;
    }
    i64 count = text_make(node, text->bytes, sizeof(text->bytes));
    if (count < 0) {
        heap_free(text);
        return (int)count;
    }
    text->size = min((usize)count, sizeof(text->bytes));
    file->private = text;
    file->ops = &text_ops;
    return 0;
}
