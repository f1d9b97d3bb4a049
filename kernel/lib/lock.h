// Spin locks.
//
// Rules:
// - Nothing blocks, touches user memory, or calls sched_preempt_point() with a lock held.
// - The kernel runs with interrupts off, so an interrupt never finds its CPU holding a lock.
// - Locks are taken in the order of their ranks, lowest first; debug builds check it at each
//   acquire and panic. Two locks of one rank: lock_acquire_same_rank(), in an order that the
//   caller defines (by address, if nothing better). Against the order: lock_try() only.
// - While spinning, the CPU serves TLB shoot-downs (arch_spin_poll()), so a holder may wait for
//   a shoot-down.
#pragma once

#include "lib/list.h"

// Clang's thread-safety attributes. In C, name the lock by its address: GUARDED_BY(&lock).
#define CAPABILITY(name) __attribute__((capability(name)))
#define GUARDED_BY(lock) __attribute__((guarded_by(lock)))
#define ACQUIRE(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define TRY_ACQUIRE(lock) __attribute__((try_acquire_capability(true, lock)))
#define RELEASE(...) __attribute__((release_capability(__VA_ARGS__)))
#define REQUIRES(...) __attribute__((requires_capability(__VA_ARGS__)))
#define EXCLUDES(...) __attribute__((locks_excluded(__VA_ARGS__)))
#define NO_THREAD_SAFETY_ANALYSIS __attribute__((no_thread_safety_analysis))

// A lock may be taken while holding only locks with a smaller rank.
enum lock_rank : u8 {
    LOCK_NONE,
    LOCK_NAMESPACE,      // names and children of namespaces, parents before children
    LOCK_PROCESS,        // threads of a process, its life
    LOCK_HANDLES,        // a handle table or the handles in a channel's messages
    LOCK_ASPACE,         // mappings of an address space
    LOCK_OBJECT,         // what an object type keeps for itself
    LOCK_MEMORY,         // pages and mappings of a memory object
    LOCK_REVOKER,        // what was derived through a revoker
    LOCK_OBJECT_HANDLES, // the list of an object's handles
    LOCK_SIGNALS,        // signals, waiters and observers of an object
    LOCK_PORT,           // a port's queue
    LOCK_DRIVER,
    LOCK_TIMER,
    LOCK_MMU,  // kernel part of the page tables, stack slots
    LOCK_WORK, // who works for a group
    LOCK_RUN_QUEUE,
    LOCK_OBJECT_LIST, // the list of objects that a namespace pays for
    LOCK_HEAP,        // a ledger's kernel heap
    LOCK_LEDGER,      // the children of a ledger, parents before children
    LOCK_PAGES,       // free pages
    LOCK_CPU,         // interrupt vectors, IPIs
    LOCK_LOG,         // the log may be written with any lock held
    LOCK_SERIAL,      // a serial port's registers
};

struct CAPABILITY("lock") lock {
    u32 word; // 0 free, 1 held
    enum lock_rank rank;
};

// Static initializer: struct lock l = LOCK_INIT(LOCK_OBJECT);
#define LOCK_INIT(lock_rank_) {.word = 0, .rank = (lock_rank_)}

static inline void lock_init(struct lock *lock, enum lock_rank rank) {
    lock->word = 0;
    lock->rank = rank;
}

// Internal: spins until the lock is ours; counts the time lost in this CPU's lock_wait_ns.
SLOW_PATH void lock_wait(struct lock *lock);
// Internal, debug builds: keep the per-CPU list of held locks and check the ranks.
enum lock_order { LOCK_BY_RANK, LOCK_SAME_RANK, LOCK_TRIED };
void lock_debug_acquire(const struct lock *lock, enum lock_order order);
void lock_debug_release(const struct lock *lock);

static inline void lock_take(struct lock *lock) NO_THREAD_SAFETY_ANALYSIS {
    if (unlikely(__atomic_exchange_n(&lock->word, 1, __ATOMIC_ACQUIRE) != 0)) lock_wait(lock);
}

static inline void lock_acquire(struct lock *lock) ACQUIRE(lock) NO_THREAD_SAFETY_ANALYSIS {
    if (DEBUG) lock_debug_acquire(lock, LOCK_BY_RANK);
    lock_take(lock);
}

// For the second of two locks of one rank.
static inline void lock_acquire_same_rank(struct lock *lock)
    ACQUIRE(lock) NO_THREAD_SAFETY_ANALYSIS {
    if (DEBUG) lock_debug_acquire(lock, LOCK_SAME_RANK);
    lock_take(lock);
}

// Without waiting, and so in any order: false when somebody has it.
static inline bool lock_try(struct lock *lock) TRY_ACQUIRE(lock) NO_THREAD_SAFETY_ANALYSIS {
    if (__atomic_exchange_n(&lock->word, 1, __ATOMIC_ACQUIRE) != 0) return false;
    if (DEBUG) lock_debug_acquire(lock, LOCK_TRIED);
    return true;
}

static inline void lock_release(struct lock *lock) RELEASE(lock) NO_THREAD_SAFETY_ANALYSIS {
    if (DEBUG) lock_debug_release(lock);
    __atomic_store_n(&lock->word, 0, __ATOMIC_RELEASE);
}

// A node off its list, which the lock guards.
static inline void list_remove_under(struct lock *lock, struct list *node) {
    lock_acquire(lock);
    list_remove(node);
    lock_release(lock);
}
