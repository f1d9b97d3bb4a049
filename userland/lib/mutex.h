// A mutex of one word: uncontended, taking and giving it back is one atomic instruction each and no
// system call.
// Rules:
// - not recursive, not fair; whoever waits sleeps in the kernel on the word;
// - never held while Linux memory is touched or while waiting for anything but another mutex.
// The macros are clang's thread-safety attributes; write `&lock` in them.
#pragma once

#include "lib/types.h"

#if defined(__clang__)
#define THREAD_ANNOTATION(x) __attribute__((x))
#else
#define THREAD_ANNOTATION(x)
#endif
#define GUARDED_BY(x) THREAD_ANNOTATION(guarded_by(x))
#define REQUIRES(x) THREAD_ANNOTATION(requires_capability(x))
#define ACQUIRE(x) THREAD_ANNOTATION(acquire_capability(x))
#define RELEASE(x) THREAD_ANNOTATION(release_capability(x))
#define EXCLUDES(x) THREAD_ANNOTATION(locks_excluded(x))

// word: 0 free, 1 taken, 2 taken and somebody may be waiting.
struct THREAD_ANNOTATION(capability("mutex")) mutex {
    u32 word;
};

// Given by the program: futex_wait returns when the word is not `expected` or after a wake, or
// without a reason; futex_wake wakes one.
void mutex_wait(u32 *word, u32 expected);
void mutex_wake(u32 *word);

void mutex_lock_slow(struct mutex *mutex);

static inline void mutex_lock(struct mutex *mutex) ACQUIRE(mutex)
    THREAD_ANNOTATION(no_thread_safety_analysis) {
    u32 expected = 0;
    if (unlikely(!__atomic_compare_exchange_n(&mutex->word, &expected, 1, false, __ATOMIC_ACQUIRE,
                                              __ATOMIC_RELAXED))) {
        mutex_lock_slow(mutex);
    }
}

static inline void mutex_unlock(struct mutex *mutex) RELEASE(mutex)
    THREAD_ANNOTATION(no_thread_safety_analysis) {
    if (unlikely(__atomic_exchange_n(&mutex->word, 0, __ATOMIC_RELEASE) == 2)) {
        mutex_wake(&mutex->word);
    }
}
