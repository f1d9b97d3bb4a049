// A model of address spaces and memory objects over a few pages: what each page shows and allows.
// The test does everything to the kernel and to the model, and compares.
#pragma once
#include "arch/host/host.h"
#include "object/aspace.h"
#include "object/namespace.h"

enum { PAGES = 96, OBJECTS = 3, OBJECT_PAGES = 40, SPACES = 4 };
enum : u64 { WINDOW = 0x40000000 - 32 * PAGE_SIZE }; // crosses page tables

struct model_page {
    bool is_mapped, is_shared, has_copy;
    u32 rights;
    u32 object; // number + 1; 0: anonymous
    u64 index;  // of the object's page
    u64 value;  // of the private copy
};

struct model_space {
    struct aspace *aspace; // nullptr: there is none
    struct model_page pages[PAGES];
};

struct model_object {
    struct memobj *memobj;
    u64 size;
    u64 values[OBJECT_PAGES];
};

struct model {
    struct namespace *ns;
    struct aspace *owner;
    struct model_space spaces[SPACES];
    struct model_object objects[OBJECTS];
    u64 random;
    u64 last_end;       // of the last range, in pages
    u64 steps, refused; // refused: for lack of memory
};

#define CHECK(condition)                                                                    \
    do {                                                                                    \
        if (!(condition)) panic("%s:%d: check failed: %s", __FILE__, __LINE__, #condition); \
    } while (0)

// One access of 8 bytes by "user code", faults resolved.
status_t space_access(struct aspace *aspace, u64 va, u32 need, u64 *value);
// One random operation on everything.
void model_step(struct model *model);
// Makes and unmakes what the steps need.
void model_begin(struct model *model, struct namespace *ns, struct aspace *owner, u64 seed);
void model_end(struct model *model);
