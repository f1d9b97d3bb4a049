// What the parts of this program share.
#pragma once
#include "test.h"

enum { WORKERS_MAX = 6 };
enum : uint64_t { LIMIT_MS = 20000 };

// Runs run(0) to run(count - 1) at once on threads of their own; returns when all have ended.
void workers_run(uint32_t count, void (*run)(uint64_t number));

static inline uint32_t load(const uint32_t *word) {
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
static inline void store(uint32_t *word, uint32_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}
static inline void wake(uint32_t *word, uint32_t count) {
    uint32_t woken;
    futex_wake((uint64_t)word, count, &woken);
}
static inline uint64_t now_ns(void) {
    uint64_t now = 0;
    clock_get(CL_CLOCK_MONOTONIC, &now);
    return now;
}
// The state is never 0.
static inline uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// The parts.
void futexes(void);
void storms(void);
void endings(void);
void handle_races(void);
void port_races(void);
void memory_races(void);
void kicks(void);
void selectors(void);
