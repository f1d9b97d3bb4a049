// Texts of /proc about one process. All are made under tasks.lock; the process may be a zombie,
// whose memory, program and files are gone.
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/descriptors.h"
#include "linux/fs/proc_node.h"
#include "linux/kernel_if.h"
#include "linux/regions.h"
#include "linux/signal.h"
#include "linux/thread.h"
#include "linux/tty/session.h"

enum : u64 { TICK_NS = 10000000 };

u64 proc_cpu_ns_locked(const struct process *process, bool *is_running) {
    struct thread *thread;
    u64 sum_ns = process->cpu_ns;
    *is_running = false;
    list_for_each(thread, &process->threads, in_process) {
        u64 cpu_ns;
        bool runs;
        kernel_thread_describe(thread->handle, &cpu_ns, &runs);
        sum_ns += cpu_ns;
        *is_running |= runs;
    }
    return sum_ns;
}

void proc_print_cmdline(struct text *text, struct process *process) {
    if (process->program) {
        text_append(text, process->program->text, process->program->arguments_size);
    }
}

void proc_print_environ(struct text *text, struct process *process) {
    const struct program *program = process->program;
    if (program) {
        text_append(text, program->text + program->arguments_size,
                    program->size - program->arguments_size);
    }
}

void proc_print_comm(struct text *text, struct process *process) {
    text_print(text, "%s\n", process->name);
}

i64 proc_store_comm(const struct proc_node *node, const char *bytes, usize size) {
    mutex_lock(&tasks.lock);
    struct process *process = process_find_locked(node->pid);
    if (process) {
        memset(process->name, 0, sizeof(process->name));
        usize length = min(size, sizeof(process->name) - 1);
        memcpy(process->name, bytes, length);
    }
    mutex_unlock(&tasks.lock);
    return process ? (i64)size : -ESRCH;
}

struct memory_figures {
    u64 bytes;
    u64 data_bytes;
    u64 text_bytes;
    u64 break_start;
    u64 stack_top;
};

static struct memory_figures memory_figures_of(struct process *process) {
    struct memory *memory = process->memory;
    struct memory_figures figures = {};
    if (!memory) {
        return figures;
    }
    mutex_lock(&memory->lock);
    figures.bytes = regions_bytes(memory->regions);
    figures.data_bytes = regions_data_bytes(memory->regions);
    for (u32 i = 0; i < memory->regions->count; i++) {
        const struct region *region = &memory->regions->list[i];
        bool is_text = (region->access & CL_MAP_EXECUTE) && region->file;
        figures.text_bytes += is_text ? region->end - region->start : 0;
    }
    figures.break_start = memory->break_start;
    figures.stack_top = memory->stack_top;
    mutex_unlock(&memory->lock);
    return figures;
}

static void signal_masks_locked(const struct process *process, u64 *ignored, u64 *caught)
    REQUIRES(&tasks.lock) {
    *ignored = *caught = 0;
    for (i32 signal = 1; process->actions && signal <= SIGNALS_MAX; signal++) {
        u64 handler = process->actions->actions[signal - 1].handler;
        *ignored |= handler == SIG_IGN ? signal_bit(signal) : 0;
        *caught |= handler > SIG_IGN ? signal_bit(signal) : 0;
    }
}

static u64 blocked_locked(const struct process *process) REQUIRES(&tasks.lock) {
    const struct thread *thread = list_first(&process->threads, struct thread, in_process);
    return thread ? thread->blocked : 0;
}

char proc_state_locked(const struct process *process, bool is_running) {
    switch (process->state) {
    case PROCESS_ZOMBIE: return 'Z';
    case PROCESS_STOPPED: return 'T';
    default: return is_running ? 'R' : 'S';
    }
}

// The controlling terminal's device number as stat has it, and its foreground group.
static void terminal_figures_locked(const struct process *process, i32 *device, i32 *foreground)
    REQUIRES(&tasks.lock) {
    enum { MAJOR_PTS = 136 };
    const struct terminal *terminal = terminal_of_session_locked(process->session);
    *device = terminal ? (i32)(MAJOR_PTS << 8 | terminal->number) : 0;
    *foreground = terminal ? terminal->foreground : -1;
}

void proc_print_stat(struct text *text, struct process *process) {
    bool is_running;
    u64 ignored, caught;
    i32 device, foreground;
    u64 cpu_ticks = proc_cpu_ns_locked(process, &is_running) / TICK_NS;
    struct memory_figures memory = memory_figures_of(process);
    signal_masks_locked(process, &ignored, &caught);
    terminal_figures_locked(process, &device, &foreground);
    u32 low = ~0U >> 1;
    text_print(text, "%d (%s) %c %d %d %d %d %d 4194304 0 0 0 0 %lu 0 %lu 0 %d %d 1 0 ",
               process->pid, process->name, proc_state_locked(process, is_running),
               process->parent ? process->parent->pid : 0, process->group, process->session, device,
               foreground, cpu_ticks, process->children_cpu_ns / TICK_NS, 20 + process->nice,
               process->nice);
    text_print(text, "%lu %lu %lu %lu 0 0 %lu 0 0 %lu %lu %lu %lu ", process->start_ns / TICK_NS,
               memory.bytes, memory.bytes / PAGE_SIZE, process->limits[RLIMIT_RSS].current,
               memory.stack_top, process->pending & low, blocked_locked(process) & low,
               ignored & low, caught & low);
    text_print(text, "0 0 0 %d 0 0 0 0 0 0 0 0 %lu 0 0 0 0 %d\n", process->exit_signal,
               memory.break_start, process->state == PROCESS_ZOMBIE ? process->wait_status : 0);
}

void proc_print_statm(struct text *text, struct process *process) {
    struct memory_figures memory = memory_figures_of(process);
    text_print(text, "%lu %lu %lu %lu 0 %lu 0\n", memory.bytes / PAGE_SIZE,
               memory.bytes / PAGE_SIZE, memory.text_bytes / PAGE_SIZE,
               memory.text_bytes / PAGE_SIZE, memory.data_bytes / PAGE_SIZE);
}

void proc_print_children(struct text *text, struct process *process) {
    struct process *child;
    list_for_each(child, &process->children, sibling) {
        text_print(text, "%d ", child->pid);
    }
}

void proc_print_personality(struct text *text, struct process *process) {
    text_print(text, "%08x\n", process->persona);
}

void proc_print_io(struct text *text, struct process *) {
    text_print(text, "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\n"
                     "cancelled_write_bytes: 0\n");
}

static void print_limit(struct text *text, u64 limit) {
    if (limit == ~0UL) {
        text_print(text, "%-20s ", "unlimited");
    } else {
        text_print(text, "%-20lu ", limit);
    }
}

void proc_print_limits(struct text *text, struct process *process) {
    static const struct {
        const char *name;
        const char *unit;
    } names[RLIMITS] = {
        [RLIMIT_CPU] = {"Max cpu time", "seconds"},
        [RLIMIT_FSIZE] = {"Max file size", "bytes"},
        [RLIMIT_DATA] = {"Max data size", "bytes"},
        [RLIMIT_STACK] = {"Max stack size", "bytes"},
        [RLIMIT_CORE] = {"Max core file size", "bytes"},
        [RLIMIT_RSS] = {"Max resident set", "bytes"},
        [RLIMIT_NPROC] = {"Max processes", "processes"},
        [RLIMIT_NOFILE] = {"Max open files", "files"},
        [RLIMIT_MEMLOCK] = {"Max locked memory", "bytes"},
        [RLIMIT_AS] = {"Max address space", "bytes"},
        [RLIMIT_LOCKS] = {"Max file locks", "locks"},
        [RLIMIT_SIGPENDING] = {"Max pending signals", "signals"},
        [RLIMIT_MSGQUEUE] = {"Max msgqueue size", "bytes"},
        [RLIMIT_NICE] = {"Max nice priority", ""},
        [RLIMIT_RTPRIO] = {"Max realtime priority", ""},
        [RLIMIT_RTTIME] = {"Max realtime timeout", "us"},
    };
    text_print(text, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (u32 i = 0; i < RLIMITS; i++) {
        text_print(text, "%-25s ", names[i].name);
        print_limit(text, process->limits[i].current);
        print_limit(text, process->limits[i].maximum);
        text_print(text, "%-10s\n", names[i].unit);
    }
}

struct signal_figures proc_signals_locked(const struct process *process) {
    struct signal_figures figures = {.pending = process->pending,
                                     .blocked = blocked_locked(process)};
    signal_masks_locked(process, &figures.ignored, &figures.caught);
    return figures;
}
