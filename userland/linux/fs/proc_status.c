// /proc/PID/status.
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/credentials.h"
#include "linux/descriptors.h"
#include "linux/fs/proc_node.h"
#include "linux/regions.h"
#include "linux/signal.h"

static const char *state_text(char letter) {
    switch (letter) {
    case 'Z': return "Z (zombie)";
    case 'T': return "T (stopped)";
    case 'R': return "R (running)";
    default: return "S (sleeping)";
    }
}

static u32 umask_of(struct process *process) {
    u32 umask = 022;
    if (process->fs) {
        mutex_lock(&process->fs->lock);
        umask = process->fs->umask;
        mutex_unlock(&process->fs->lock);
    }
    return umask;
}

static u32 descriptors_capacity(struct process *process) {
    u32 capacity = 0;
    if (process->descriptors) {
        mutex_lock(&process->descriptors->lock);
        capacity = process->descriptors->capacity;
        mutex_unlock(&process->descriptors->lock);
    }
    return capacity;
}

static void print_ids(struct text *text, const struct credentials *credentials) {
    text_print(text, "Uid:\t%u\t%u\t%u\t%u\n", credentials->uid, credentials->euid,
               credentials->suid, credentials->fsuid);
    text_print(text, "Gid:\t%u\t%u\t%u\t%u\n", credentials->gid, credentials->egid,
               credentials->sgid, credentials->fsgid);
}

static void print_groups(struct text *text, const struct credentials *credentials) {
    text_print(text, "Groups:\t");
    for (u32 i = 0; i < credentials->groups_count; i++) {
        text_print(text, "%s%u", i ? " " : "", credentials->groups[i]);
    }
    text_print(text, " \n");
}

static void print_memory(struct text *text, struct process *process) {
    if (!process->memory) {
        return;
    }
    mutex_lock(&process->memory->lock);
    u64 all = regions_bytes(process->memory->regions) >> 10;
    u64 data = regions_data_bytes(process->memory->regions) >> 10;
    mutex_unlock(&process->memory->lock);
    text_print(text, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8d kB\nVmPin:\t%8d kB\n", all,
               all, 0, 0);
    text_print(text, "VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\nRssAnon:\t%8lu kB\nRssFile:\t%8lu kB\n",
               all, all, data, all - min(data, all));
    text_print(text, "RssShmem:\t%8d kB\nVmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\n", 0,
               data, REGION_STACK_SHOWN_BYTES >> 10, all - min(data, all));
    text_print(text, "VmLib:\t%8d kB\nVmPTE:\t%8d kB\nVmSwap:\t%8d kB\nHugetlbPages:\t%8d kB\n", 0,
               0, 0, 0);
    text_print(text, "CoreDumping:\t0\nTHP_enabled:\t1\n");
}

static void print_capabilities(struct text *text, const struct credentials *credentials) {
    text_print(text, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\n",
               credentials->inheritable, credentials->permitted, credentials->effective);
    text_print(text, "CapBnd:\t%016lx\nCapAmb:\t%016lx\n", credentials->bounding,
               credentials->ambient);
}

static void print_signals(struct text *text, struct process *process) REQUIRES(&tasks.lock) {
    struct signal_figures signals = proc_signals_locked(process);
    text_print(text, "Threads:\t%d\nSigQ:\t%u/%lu\n", process->state == PROCESS_ZOMBIE ? 0 : 1,
               tasks.signals_queued, process->limits[RLIMIT_SIGPENDING].current);
    text_print(text, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n", 0UL, signals.pending,
               signals.blocked);
    text_print(text, "SigIgn:\t%016lx\nSigCgt:\t%016lx\n", signals.ignored, signals.caught);
}

// A mask, then the same as ranges.
static void print_processors(struct text *text, u64 mask) {
    const char *separator = "";
    text_print(text, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t", mask);
    for (u32 first = 0, last; first < 64; first = last + 1) {
        last = first;
        if (!(mask >> first & 1)) continue;
        while (last < 63 && (mask >> last & 3) == 3) {
            last++;
        }
        text_print(text, last > first ? "%s%u-%u" : "%s%u", separator, first, last);
        separator = ",";
    }
    text_print(text, "\n");
}

void proc_print_status(struct text *text, struct process *process) {
    bool is_running;
    const struct credentials *credentials = process->credentials;
    proc_cpu_ns_locked(process, &is_running);
    text_print(text, "Name:\t%s\nUmask:\t%04o\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\n",
               process->name, umask_of(process), state_text(proc_state_locked(process, is_running)),
               process->pid, process->pid);
    text_print(text, "PPid:\t%d\nTracerPid:\t0\n", process->parent ? process->parent->pid : 0);
    print_ids(text, credentials);
    text_print(text, "FDSize:\t%u\n", descriptors_capacity(process));
    print_groups(text, credentials);
    text_print(text, "NStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", process->pid,
               process->pid, process->group, process->session);
    print_memory(text, process);
    print_signals(text, process);
    print_capabilities(text, credentials);
    text_print(text, "NoNewPrivs:\t%d\nSeccomp:\t0\nSeccomp_filters:\t0\n",
               process->has_no_new_privileges);
    print_processors(text, process_affinity_locked(process));
    text_print(text, "Mems_allowed:\t1\nMems_allowed_list:\t0\n"
                     "voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n");
}
