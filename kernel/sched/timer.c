// Kernel timers: per CPU a pairing heap under that CPU's lock. Arming and the usual disarming
// are on the own CPU; another CPU's lock is taken to cancel there.
#include "sched/timer.h"

#include "arch/arch.h"
#include "lib/lock.h"

static struct timer_heap {
    struct lock lock;
    struct ktimer *root GUARDED_BY(&lock);
    struct ktimer *running GUARDED_BY(&lock); // its callback runs now
} heaps[MAX_CPUS] = {[0 ... MAX_CPUS - 1] = {.lock = LOCK_INIT(LOCK_TIMER)}};

// `previous` is the left sibling, or the parent of the first child.
static struct ktimer *heap_meld(struct ktimer *a, struct ktimer *b) {
    if (!a || !b) return a ? a : b;
    if (b->deadline_ns < a->deadline_ns) {
        struct ktimer *swap = a;
        a = b;
        b = swap;
    }
    b->sibling = a->child;
    if (a->child) a->child->previous = b;
    b->previous = a;
    a->child = b;
    return a;
}

// Melds a list of siblings in pairs, then the pairs, without recursion.
static struct ktimer *heap_meld_list(struct ktimer *first) {
    struct ktimer *pairs = nullptr;
    while (first) {
        struct ktimer *a = first;
        struct ktimer *b = a->sibling;
        first = b ? b->sibling : nullptr;
        a->sibling = a->previous = nullptr;
        if (b) b->sibling = b->previous = nullptr;
        a = heap_meld(a, b);
        a->sibling = pairs;
        pairs = a;
    }
    struct ktimer *root = nullptr;
    while (pairs) {
        struct ktimer *next = pairs->sibling;
        pairs->sibling = nullptr;
        root = heap_meld(root, pairs);
        pairs = next;
    }
    return root;
}

static void heap_remove(struct timer_heap *heap, struct ktimer *timer) REQUIRES(&heap -> lock) {
    struct ktimer *below = heap_meld_list(timer->child);
    if (timer == heap->root) {
        heap->root = below;
    } else {
        if (timer->previous->child == timer)
            timer->previous->child = timer->sibling;
        else
            timer->previous->sibling = timer->sibling;
        if (timer->sibling) timer->sibling->previous = timer->previous;
        heap->root = heap_meld(heap->root, below);
    }
    timer->child = timer->sibling = timer->previous = nullptr;
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
        while (__atomic_load_n(&heap->running, __ATOMIC_ACQUIRE) == timer &&
               heap != &heaps[arch_cpu_id()])
            arch_spin_poll();
    }
    return false;
}

u64 ktimer_run_due(u64 now_ns) {
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
    u64 next_ns = heap->root ? heap->root->deadline_ns : ARCH_TIMER_OFF;
    lock_release(&heap->lock);
    return next_ns;
}

u64 ktimer_next_deadline_ns(void) {
    struct timer_heap *heap = &heaps[arch_cpu_id()];
    lock_acquire(&heap->lock);
    u64 next_ns = heap->root ? heap->root->deadline_ns : ARCH_TIMER_OFF;
    lock_release(&heap->lock);
    return next_ns;
}
