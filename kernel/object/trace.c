// The trace ring: a power of two of entries; the position only grows.
#include "object/trace.h"

#include "arch/arch.h"
#include "lib/print.h"
#include "object/namespace.h"
#include "object/process.h"

enum : u64 { ENTRIES = 512 };

static struct lock ring_lock = LOCK_INIT(LOCK_LOG);
static struct trace_entry ring[ENTRIES] GUARDED_BY(&ring_lock);
static u64 position GUARDED_BY(&ring_lock);

void trace_event(enum trace_kind kind, u64 a, u64 b) {
    const struct thread_object *thread = thread_current() ? thread_object_current() : nullptr;
    lock_acquire(&ring_lock);
    ring[position++ % ENTRIES] = (struct trace_entry){
        .time_ns = arch_time_ns(),
        .thread_koid = thread ? (u32)thread->base.koid : 0,
        .kind = kind,
        .cpu = (u16)arch_cpu_id(),
        .a = a,
        .b = b,
    };
    lock_release(&ring_lock);
}

// Without the lock: a panic takes none, and it is for people.
u64 trace_copy(struct trace_entry *entries, u64 count) NO_THREAD_SAFETY_ANALYSIS {
    u64 end = position;
    count = min(count, min(end, (u64)ENTRIES));
    for (u64 i = 0; i < count; i++)
        entries[i] = ring[(end - count + i) % ENTRIES];
    return count;
}

void panic_describe(void) {
    const struct thread_object *thread = thread_current() ? thread_object_current() : nullptr;
    if (thread)
        kprintf("thread %lu of process %lu, namespace %lu\n", thread->base.koid,
                thread->process->base.koid, thread->base.ns->base.koid);
    static struct trace_entry last[16];
    u64 count = trace_copy(last, ARRAY_SIZE(last));
    for (u64 i = 0; i < count; i++)
        kprintf("trace %lu ns: cpu %u thread %u kind %u %lx %lx\n", last[i].time_ns, last[i].cpu,
                last[i].thread_koid, last[i].kind, last[i].a, last[i].b);
}
