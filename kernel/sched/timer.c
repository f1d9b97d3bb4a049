// Kernel timers: per CPU a heap under that CPU's lock. Arming and the usual disarming
// are on the own CPU; another CPU's lock is taken to cancel there.
#include "sched/timer.h"

#include "arch/arch.h"
#include "lib/lock.h"

static struct timer_heap {
    struct lock lock;
    struct ktimer *root GUARDED_BY(&lock);
    struct ktimer *running GUARDED_BY(&lock); // its callback runs now
} heaps[MAX_CPUS] = {[0 ... MAX_CPUS - 1] = {.lock = LOCK_INIT(LOCK_TIMER)}};

// Of two heaps one (a skew heap: children change sides on the way, which keeps it balanced enough).
static struct ktimer *heap_meld(struct ktimer *a, struct ktimer *b) {
    struct ktimer *root;
    struct ktimer **place = &root;
    struct ktimer *parent = nullptr;
    while (a && b) {
        struct ktimer *first = b->deadline_ns < a->deadline_ns ? b : a;
        b = first == a ? b : a;
        a = first->right;
        first->right = first->left;
        first->parent = parent;
        *place = parent = first;
        place = &first->left;
    }
    *place = a ? a : b;
    if (*place) (*place)->parent = parent;
    return root;
}

static void heap_remove(struct timer_heap *heap, struct ktimer *timer) REQUIRES(&heap->lock) {
    struct ktimer *parent = timer->parent;
    struct ktimer *below = heap_meld(timer->left, timer->right);
    if (below) below->parent = parent;
    if (!parent)
        heap->root = below;
    else if (parent->left == timer)
        parent->left = below;
    else
        parent->right = below;
    timer->left = timer->right = timer->parent = nullptr;
    __atomic_store_n(&timer->cpu_plus_one, 0, __ATOMIC_RELEASE);
}

void ktimer_arm(struct ktimer *timer, u64 deadline_ns) {
    struct timer_heap *heap = &heaps[arch_cpu_id()];
    lock_acquire(&heap->lock);
    timer->deadline_ns = deadline_ns;
    __atomic_store_n(&timer->cpu_plus_one, arch_cpu_id() + 1, __ATOMIC_RELAXED);
    heap->root = heap_meld(heap->root, timer);
    bool is_first = heap->root == timer;
    lock_release(&heap->lock);
    if (is_first) arch_timer_set_ns(deadline_ns);
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
    while (heap->root && heap->root->deadline_ns <= now_ns) {
        struct ktimer *timer = heap->root;
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
    u64 next_ns = heap->root ? heap->root->deadline_ns : ARCH_TIMER_OFF;
    lock_release(&heap->lock);
    return next_ns;
}
