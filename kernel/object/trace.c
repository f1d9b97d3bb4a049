// The trace ring: one per CPU, a power of two of entries; the position only grows.
#include "object/trace.h"

#include "arch/arch.h"
#include "lib/print.h"
#include "object/namespace.h"
#include "object/process.h"

enum : u64 { ENTRIES = 128 };

static struct trace_ring {
    u64 position;
    struct trace_entry entries[ENTRIES];
} rings[MAX_CPUS];

static u64 current_koid(void) {
    struct thread_object *thread = thread_current() ? thread_object_current() : nullptr;
    return thread ? thread->base.koid : 0;
}

void trace_event(enum trace_kind kind, u64 a, u64 b) {
    struct trace_ring *ring = &rings[arch_cpu_id()];
    ring->entries[ring->position++ % ENTRIES] = (struct trace_entry){
        .time_ns = arch_time_ns(),
        .thread_koid = (u32)current_koid(),
        .kind = kind,
        .cpu = (u16)arch_cpu_id(),
        .a = a,
        .b = b,
    };
}

// The newest entry of all rings that is older than what was taken from each; nullptr: no more.
static const struct trace_entry *newest(u64 taken[MAX_CPUS]) {
    const struct trace_entry *best = nullptr;
    u32 best_cpu = 0;
    for (u32 cpu = 0; cpu < arch_cpu_count(); cpu++) {
        struct trace_ring *ring = &rings[cpu];
        if (taken[cpu] >= min(ring->position, (u64)ENTRIES)) continue;
        const struct trace_entry *entry =
            &ring->entries[(ring->position - 1 - taken[cpu]) % ENTRIES];
        if (best && entry->time_ns <= best->time_ns) continue;
        best = entry;
        best_cpu = cpu;
    }
    if (best) taken[best_cpu]++;
    return best;
}

u64 trace_copy(struct trace_entry *entries, u64 count) {
    u64 taken[MAX_CPUS] = {};
    const struct trace_entry *entry;
    u64 filled = 0;
    while (filled < count && (entry = newest(taken)) != nullptr)
        entries[count - ++filled] = *entry;
    memmove(entries, entries + count - filled, filled * sizeof(*entries));
    return filled;
}

void panic_describe(void) {
    struct thread *current = thread_current();
    struct thread_object *thread = current && current->killed ? thread_object_current() : nullptr;
    if (thread)
        kprintf("thread %lu of process %lu, namespace %lu\n", thread->base.koid,
                thread->process->base.koid, thread->base.ns->base.koid);
    static struct trace_entry last[16];
    u64 count = trace_copy(last, ARRAY_SIZE(last));
    for (u64 i = 0; i < count; i++)
        kprintf("trace %lu ns: cpu %u thread %u kind %u %lx %lx\n", last[i].time_ns, last[i].cpu,
                last[i].thread_koid, last[i].kind, last[i].a, last[i].b);
}
