// Mappings: what a range of an address space shows. And the sorted set of them.
//
// Rules:
// - The lock of the address space guards its set and the mappings in it; object_link and
//   resizes_seen are the object's.
// - Mappings in a set do not overlap.
// - A set is a treap by address (depth stays logarithmic whatever a user maps, since priorities
//   are random) and a list. Each node knows the largest gap in its subtree.
#pragma once

#include "arch/arch.h"
#include "lib/list.h"
#include "object/revoker.h"

struct aspace;
struct memobj;

// What a mapping allows: CL_MAP_READ, WRITE and EXECUTE, the same bits as ARCH_MAP_*.
enum : u32 { MAPPING_RIGHTS = CL_MAP_READ | CL_MAP_WRITE | CL_MAP_EXECUTE };

struct mapping {
    u64 start, end;         // page-aligned
    u64 offset;             // bytes into the object; 0 without one
    struct memobj *object;  // with a reference; nullptr: anonymous private
    struct aspace *aspace;  // constant
    u32 flags;              // MAPPING_RIGHTS, CL_MAP_SHARED
    u32 allowed;            // MAPPING_RIGHTS that protect may give
    struct list order_link; // in address order; else on a list of what is to be freed
    // The set's:
    struct mapping *left, *right;
    u64 gap, tree_gap; // free bytes before it; most of that in the subtree
    u32 priority;
    u32 resizes_seen; // under the object's lock: memobj->resizes when last cut
    struct list object_link;
    struct revocable revocable;
};

struct mapping_set {
    struct mapping *root;
    struct list list;
    u32 random;
};

void mapping_set_init(struct mapping_set *set);
void mapping_insert(struct mapping_set *set, struct mapping *mapping);
// Leaves order_link ready for another list.
void mapping_remove(struct mapping_set *set, struct mapping *mapping);
// Moves the edges of a mapping; it must not come to overlap its neighbours. The offset follows.
void mapping_set_range(struct mapping_set *set, struct mapping *mapping, u64 start, u64 end);
// The first mapping that ends above `address`: the one there, or the next one; or nullptr.
struct mapping *mapping_find(const struct mapping_set *set, u64 address);
// The mapping at `address` or nullptr.
struct mapping *mapping_at(const struct mapping_set *set, u64 address);
// The neighbours in the set, or nullptr.
struct mapping *mapping_next(const struct mapping_set *set, const struct mapping *mapping);
struct mapping *mapping_previous(const struct mapping_set *set, const struct mapping *mapping);
// The lowest address from `from` on with `size` free bytes below `high`; 0: none (0 is never free).
u64 mapping_gap(const struct mapping_set *set, u64 from, u64 high, u64 size);
