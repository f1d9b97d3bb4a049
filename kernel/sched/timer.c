// Kernel timers: per CPU a heap under that CPU's lock. Arming and the usual disarming
// are on the own CPU; another CPU's lock is taken to cancel there.
#include "sched/timer.h"

#include "arch/arch.h"
#include "lib/lock.h"

static struct timer_heap {
    struct lock lock;
    struct skew_heap timers GUARDED_BY(&lock);
    struct ktimer *running GUARDED_BY(&lock); // its callback runs now
} heaps[MAX_CPUS] = {[0 ... MAX_CPUS - 1] = {.lock = LOCK_INIT(LOCK_TIMER)}};

static struct ktimer *timer_first(const struct timer_heap *heap) REQUIRES(&heap->lock) {
    struct skew_node *first = heap->timers.first;
    return first ? container_of(first, struct ktimer, node) : nullptr;
}

static void heap_remove(struct timer_heap *heap, struct ktimer *timer) REQUIRES(&heap->lock) {
    skew_remove(&heap->timers, &timer->node);
    __atomic_store_n(&timer->cpu_plus_one, 0, __ATOMIC_RELEASE);
}

void ktimer_arm(struct ktimer *timer, u64 deadline_ns) {
    struct timer_heap *heap = &heaps[arch_cpu_id()];
    lock_acquire(&heap->lock);
    timer->node.key = deadline_ns;
    __atomic_store_n(&timer->cpu_plus_one, arch_cpu_id() + 1, __ATOMIC_RELAXED);
    skew_insert(&heap->timers, &timer->node);
    bool is_first = timer_first(heap) == timer;
    lock_release(&heap->lock);
    if (is_first) arch_timer_sooner_ns(deadline_ns);
}

bool ktimer_cancel(struct ktimer *timer) {
    for (u32 cpu = 0; cpu < arch_cpu_count(); cpu++) {
        u32 armed = __atomic_load_n(&timer->cpu_plus_one, __ATOMIC_ACQUIRE);
        // Not armed: still its callback may be running on any CPU.
        struct timer_heap *heap = &heaps[armed ? armed - 1 : cpu];
        if (!armed && __atomic_load_n(&heap->running, __ATOMIC_ACQUIRE) != timer) continue;
        lock_acquire(&heap->lock);
        bool was_armed = timer->cpu_plus_one == armed && armed;
        if (was_armed) heap_remove(heap, timer);
        lock_release(&heap->lock);
        if (was_armed) return true;
        if (heap == &heaps[arch_cpu_id()]) continue; // the callback itself cancels
        while (__atomic_load_n(&heap->running, __ATOMIC_ACQUIRE) == timer)
            arch_spin_poll();
        cpu = ~0u; // it may have armed the timer again: from the start
    }
    return false;
}

void ktimer_run_due(u64 now_ns) {
    struct timer_heap *heap = &heaps[arch_cpu_id()];
    lock_acquire(&heap->lock);
    struct ktimer *timer;
    while ((timer = timer_first(heap)) && timer->node.key <= now_ns) {
        __atomic_store_n(&heap->running, timer, __ATOMIC_RELEASE);
        heap_remove(heap, timer);
        lock_release(&heap->lock);
        timer->callback(timer);
        lock_acquire(&heap->lock);
        __atomic_store_n(&heap->running, nullptr, __ATOMIC_RELEASE);
    }
    lock_release(&heap->lock);
}

u64 ktimer_next_deadline_ns(void) {
    struct timer_heap *heap = &heaps[arch_cpu_id()];
    lock_acquire(&heap->lock);
    const struct ktimer *first = timer_first(heap);
    u64 next_ns = first ? first->node.key : ARCH_TIMER_OFF;
    lock_release(&heap->lock);
    return next_ns;
}
