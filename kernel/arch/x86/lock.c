// The slow paths of spin locks: waiting, and the checks of debug builds (lib/lock.h).
#include "cpu.h"
#include "lib/lock.h"
#include "lib/print.h"

void lock_wait(struct lock *lock) {
    u64 begin_ns = arch_time_ns();
    do {
        while (__atomic_load_n(&lock->word, __ATOMIC_RELAXED))
            arch_spin_poll();
    } while (__atomic_exchange_n(&lock->word, 1, __ATOMIC_ACQUIRE));
    arch_this_cpu()->lock_wait_ns += arch_time_ns() - begin_ns;
}

void lock_debug_acquire(const struct lock *lock, enum lock_order order) {
    struct cpu *cpu = arch_this_cpu();
    for (u32 i = 0; i < cpu->held_count && order != LOCK_TRIED; i++) {
        u32 held = cpu->held[i]->rank;
        if (cpu->held[i] == lock || held > lock->rank ||
            (held == lock->rank && order != LOCK_SAME_RANK))
            panic("lock %p of rank %u taken while holding %p of rank %u", (const void *)lock,
                  lock->rank, (const void *)cpu->held[i], held);
    }
    ASSERT(cpu->held_count < CPU_HELD_LOCKS);
    cpu->held[cpu->held_count++] = lock;
}

void lock_debug_release(const struct lock *lock) {
    struct cpu *cpu = arch_this_cpu();
    for (u32 i = cpu->held_count; i-- > 0;) {
        if (cpu->held[i] != lock) continue;
        cpu->held[i] = cpu->held[--cpu->held_count];
        return;
    }
    panic("lock %p of rank %u released by a CPU that does not hold it", (const void *)lock,
          lock->rank);
}
