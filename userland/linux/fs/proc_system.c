// Texts of /proc about the container as if it were a machine: one processor, its own memory, its
// own uptime.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/descriptors.h"
#include "linux/fs/proc_node.h"
#include "linux/kernel_if.h"
#include "linux/mount.h"
#include "linux/processor.h"
#include "linux/system.h"

enum : u64 { SECOND_NS = 1000000000, TICK_NS = 10000000 };

void proc_print_nothing(struct text *, const struct proc_node *) {}

void proc_print_zero(struct text *text, const struct proc_node *) { text_print(text, "0"); }

void proc_print_number(struct text *text, const struct proc_node *) { text_print(text, "0\n"); }

void proc_print_loginuid(struct text *text, const struct proc_node *) {
    text_print(text, "%u", ~0U);
}

void proc_print_id_map(struct text *text, const struct proc_node *) {
    text_print(text, "%10d %10d %10u\n", 0, 0, ~0U);
}

void proc_print_fdinfo(struct text *text, const struct proc_node *node) {
    struct file *file = proc_descriptor_get(node->pid, node->fd);
    if (!file) {
        text->error = -ENOENT;
        return;
    }
    u64 offset = 0;
    if (file->traits & FILE_SEEKABLE) {
        mutex_lock(&file->lock);
        offset = file->offset;
        mutex_unlock(&file->lock);
    }
    text_print(text, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t%u\nino:\t%lu\n", offset, file_flags(file),
               file->mount ? file->mount->id : 0, file->vnode->ino);
    file_put(file);
}

enum { MOUNTS_BYTES = 16 << 10 };

static void print_mounts(struct text *text, u32 form) {
    char *mounts = heap_alloc(MOUNTS_BYTES);
    if (!mounts) {
        text->error = -ENOMEM;
        return;
    }
    text_append(text, mounts, min(mounts_text(form, mounts, MOUNTS_BYTES), (usize)MOUNTS_BYTES));
    heap_free(mounts);
}

void proc_print_mounts(struct text *text, const struct proc_node *) {
    print_mounts(text, MOUNTS_PLAIN);
}

void proc_print_mountinfo(struct text *text, const struct proc_node *) {
    print_mounts(text, MOUNTS_INFO);
}

void proc_print_meminfo(struct text *text, const struct proc_node *) {
    static const char *const zeros[] = {
        "Buffers",      "Cached",       "SwapCached",   "Active",      "Inactive",
        "Unevictable",  "Mlocked",      "SwapTotal",    "SwapFree",    "Dirty",
        "Writeback",    "AnonPages",    "Mapped",       "Shmem",       "KReclaimable",
        "Slab",         "SReclaimable", "SUnreclaim",   "KernelStack", "PageTables",
        "NFS_Unstable", "Bounce",       "WritebackTmp", "CommitLimit", "Committed_AS",
        "VmallocTotal", "VmallocUsed",  "VmallocChunk"};
    struct system_memory memory;
    system_memory(&memory);
    u64 free = memory.free_bytes >> 10;
    text_print(text, "%-16s%8lu kB\n%-16s%8lu kB\n%-16s%8lu kB\n",
               "MemTotal:", memory.total_bytes >> 10, "MemFree:", free, "MemAvailable:", free);
    for (usize i = 0; i < ARRAY_SIZE(zeros); i++) {
        text_print(text, "%s:%*d kB\n", zeros[i], (int)(23 - strlen(zeros[i])), 0);
    }
}

// Processor time of all processes, the ended ones included; how many run.
static u64 all_cpu_ns(u32 *running) {
    struct process *process;
    u64 sum_ns = 0;
    *running = 0;
    mutex_lock(&tasks.lock);
    list_for_each(process, &tasks.processes, all) {
        bool is_running;
        sum_ns += proc_cpu_ns_locked(process, &is_running) + process->children_cpu_ns;
        *running += is_running;
    }
    mutex_unlock(&tasks.lock);
    return sum_ns;
}

void proc_print_uptime(struct text *text, const struct proc_node *) {
    u32 running;
    u64 up = kernel_monotonic_ns() / TICK_NS;
    u64 used = all_cpu_ns(&running) / TICK_NS;
    u64 all = up * processor_count();
    u64 idle = all - min(all, used);
    text_print(text, "%lu.%02lu %lu.%02lu\n", up / 100, up % 100, idle / 100, idle % 100);
}

void proc_print_version(struct text *text, const struct proc_node *) {
    text_print(text, "Linux version %s (cloister) %s\n", system_release, system_version);
}

// Where a thread ran is not known: each processor has an equal part of it.
void proc_print_system_stat(struct text *text, const struct proc_node *) {
    u32 running;
    u64 used = all_cpu_ns(&running) / TICK_NS;
    u64 up = kernel_monotonic_ns() / TICK_NS;
    u32 count = processor_count();
    u64 all = up * count;
    u64 idle = all - min(all, used);
    text_print(text, "cpu  %lu 0 0 %lu 0 0 0 0 0 0\n", used, idle);
    for (u32 i = 0; i < count; i++) {
        text_print(text, "cpu%u %lu 0 0 %lu 0 0 0 0 0 0\n", i, used / count, idle / count);
    }
    text_print(text,
               "intr 0\nctxt 0\nbtime %lu\nprocesses %d\nprocs_running %u\nprocs_blocked 0\n"
               "softirq 0 0 0 0 0 0 0 0 0 0 0\n",
               (kernel_realtime_ns() - kernel_monotonic_ns()) / SECOND_NS, tasks.next_pid - 1,
               max(running, 1U));
}

void proc_print_loadavg(struct text *text, const struct proc_node *) {
    u32 running;
    all_cpu_ns(&running);
    text_print(text, "0.00 0.00 0.00 %u/%u %d\n", max(running, 1U), tasks.count,
               tasks.next_pid - 1);
}

static void print_processor(struct text *text, const struct processor_facts *facts, u32 index) {
    u32 count = processor_count();
    text_print(text,
               "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n"
               "model name\t: %s\nstepping\t: %u\ncpu MHz\t\t: 1000.000\n",
               index, facts->vendor, facts->family, facts->model, facts->name, facts->stepping);
    text_print(text,
               "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n"
               "apicid\t\t: %u\ninitial apicid\t: %u\nfpu\t\t: yes\nfpu_exception\t: yes\n"
               "cpuid level\t: 13\n",
               count, index, count, index, index);
    text_print(text,
               "wp\t\t: yes\nflags\t\t: fpu tsc cx8 cmov fxsr sse sse2 syscall nx lm fsgsbase\n"
               "bogomips\t: 2000.00\n"
               "clflush size\t: 64\ncache_alignment\t: 64\n"
               "address sizes\t: 40 bits physical, 48 bits virtual\npower management:\n\n");
}

void proc_print_cpuinfo(struct text *text, const struct proc_node *) {
    struct processor_facts facts;
    processor_describe(&facts);
    for (u32 i = 0; i < processor_count(); i++) {
        print_processor(text, &facts, i);
    }
}

void proc_print_filesystems(struct text *text, const struct proc_node *) {
    text_print(text, "nodev\ttmpfs\nnodev\tproc\nnodev\tdevpts\nnodev\toverlay\nnodev\tpipefs\n");
}

void proc_print_devices(struct text *text, const struct proc_node *) {
    text_print(text, "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n"
                     "136 pts\n\nBlock devices:\n");
}

void proc_print_boot_line(struct text *text, const struct proc_node *) { text_print(text, "\n"); }

void proc_print_vmstat(struct text *text, const struct proc_node *) {
    struct system_memory memory;
    system_memory(&memory);
    text_print(text, "nr_free_pages %lu\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\n",
               memory.free_bytes / PAGE_SIZE);
}

void proc_print_swaps(struct text *text, const struct proc_node *) {
    text_print(text, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
}

void proc_print_partitions(struct text *text, const struct proc_node *) {
    text_print(text, "major minor  #blocks  name\n\n");
}
