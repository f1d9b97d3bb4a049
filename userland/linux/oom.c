// As on Linux, who happens to need the page is not who is to blame. The victim is the process with
// the most private writable memory mapped; it gets SIGKILL, also where it is the first: that is the
// container's end, with status 137.
#include "linux/oom.h"

#include "lib/format.h"
#include "lib/mutex.h"
#include "linux/container.h"
#include "linux/kernel_if.h"
#include "linux/memory.h"
#include "linux/output.h"
#include "linux/process.h"
#include "linux/regions.h"
#include "linux/report.h"
#include "linux/signal.h"
#include "linux/thread.h"

enum : u64 {
    WAIT_SLICE_NS = 1'000'000,
    WAIT_NS_MAX = 2'000'000'000,
    SHORT_BYTES = 16 * PAGE_SIZE,
};
enum { TRIES_MAX = 3 };

static u64 process_bytes_locked(struct process *process) REQUIRES(&tasks.lock) {
    struct memory *memory = process->memory;
    if (!memory || process->state == PROCESS_ZOMBIE) return 0;
    mutex_lock(&memory->lock);
    u64 bytes = memory->regions ? regions_data_bytes(memory->regions) : 0;
    mutex_unlock(&memory->lock);
    return bytes;
}

static bool is_dying_locked(const struct process *process) REQUIRES(&tasks.lock) {
    return process->pending & signal_bit(SIGKILL);
}

// One that is dying already comes first: its memory is on the way.
static struct process *victim_choose_locked(void) REQUIRES(&tasks.lock) {
    struct process *process;
    struct process *victim = NULL;
    u64 most = 0;
    list_for_each(process, &tasks.processes, all) {
        u64 bytes = process_bytes_locked(process);
        if (bytes > 0 && is_dying_locked(process)) return process;
        if (bytes > most) {
            most = bytes;
            victim = process;
        }
    }
    return victim;
}

// Of the container's own limit. Else it is the machine that is short, or what is around.
static bool has_reached_limit(u64 *total_bytes) {
    u64 free_bytes;
    container_memory(total_bytes, &free_bytes);
    return free_bytes <= SHORT_BYTES;
}

// Whether a page is refused: one is asked for, and given back.
static bool is_refused(void) {
    static struct mutex lock;
    static handle_t probe;
    u8 byte = 1;
    mutex_lock(&lock);
    bool is_refused = probe == 0 && kernel_memobj_create(PAGE_SIZE, &probe) != 0;
    if (!is_refused) {
        is_refused = kernel_memobj_write(probe, 0, &byte, 1) != 0;
        (void)kernel_memobj_resize(probe, 0);
        (void)kernel_memobj_resize(probe, PAGE_SIZE);
    }
    mutex_unlock(&lock);
    return is_refused;
}

static void victim_tell(const char *name, i32 pid) {
    char why[128];
    u64 total_bytes;
    if (has_reached_limit(&total_bytes))
        format_text(why, sizeof(why), "the container's limit of %lu KiB is reached (`update -m`)",
                    total_bytes / 1024);
    else
        format_text(why, sizeof(why),
                    "the machine has no more memory for this container "
                    "(`update --memory-reservation`)");
    report_line("out of memory: killed %s (pid %d): %s", name, pid, why);
    output_line("out of memory: killed %s (pid %d): %s", name, pid, why);
}

static i32 victim_kill(void) {
    struct queued_signal signal = {
        .signal = SIGKILL, .code = SI_KERNEL, .traits = SIGNAL_FROM_OUTSIDE};
    char name[sizeof(((struct process *)0)->name)] = {};
    mutex_lock(&tasks.lock);
    struct process *victim = victim_choose_locked();
    i32 pid = victim ? victim->pid : 0;
    bool is_new = victim && !is_dying_locked(victim);
    if (is_new) {
        __builtin_memcpy(name, victim->name, sizeof(name));
        signal_send_locked(victim, &signal);
    }
    mutex_unlock(&tasks.lock);
    if (is_new) victim_tell(name, pid);
    return pid;
}

static bool is_gone(i32 pid) {
    mutex_lock(&tasks.lock);
    struct process *process = process_find_locked(pid);
    bool has_memory = process && process->memory && process->state != PROCESS_ZOMBIE;
    mutex_unlock(&tasks.lock);
    return !has_memory;
}

void oom_relieve(struct thread *thread) {
    u32 word = 0;
    i32 pid = victim_kill();
    u64 until_ns = kernel_monotonic_ns() + WAIT_NS_MAX;
    u64 now_ns;
    while (pid != 0 && !signal_is_killed(thread) && !is_gone(pid) &&
           (now_ns = kernel_monotonic_ns()) < until_ns)
        kernel_futex_wait(&word, 0, WAIT_INTERRUPTIBLE, now_ns + WAIT_SLICE_NS);
    if (signal_is_killed(thread)) __atomic_store_n(&thread->attention, 1, __ATOMIC_RELEASE);
}

bool oom_explains(linux_ptr pointer, usize size, u32 *tries) {
    u64 total_bytes;
    struct thread *thread = thread_current();
    struct memory *memory = thread->process ? thread->process->memory : NULL;
    if (!memory || size == 0 || (*tries)++ == TRIES_MAX) return false;
    u64 start = page_round_down(pointer.address);
    u64 end = page_round_up(pointer.address + size);
    if (!memory_is_mapped(memory, start, end - start)) return false;
    if (has_reached_limit(&total_bytes) || is_refused()) oom_relieve(thread);
    return !signal_is_killed(thread);
}
