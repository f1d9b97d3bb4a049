// Things that can be made, each with what undoes it: for tests that refuse them every resource.
#pragma once
#include "test.h"

enum resource : uint32_t {
    RESOURCE_MEMORY,
    RESOURCE_HANDLES,
    RESOURCE_THREADS,
    RESOURCE_NAMES,
    RESOURCE_TIMERS,
    RESOURCE_BYTES,
    RESOURCE_COUNT,
};

// One thing that was made.
struct made {
    uint64_t of[4];
};

struct op {
    const char *name;
    status_t (*make)(struct made *made);
    void (*undo)(const struct made *made);
    uint32_t needs; // bits 1 << RESOURCE_*: without, it is refused
};
extern const struct op ops[];
extern const uint32_t ops_count;

// What the ops work with; charged to the test's own namespace.
void ops_begin(void);
void ops_end(void);
