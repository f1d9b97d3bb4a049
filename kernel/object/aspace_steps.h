// What the files of the address space share: a step under the lock, and what it leaves to put.
#pragma once

#include "object/aspace.h"

// One hold of the lock. What it unmaps is put, and what it removes is freed, when it ends.
struct aspace_step {
    struct arch_gather gather;
    struct list removed; // struct mapping.order_link
};
// What long work does in one hold of the lock: it moves *at on towards `end`.
typedef status_t aspace_work(struct aspace *aspace, void *args, u64 *at, u64 end,
                             struct aspace_step *step);
// Works on [at, end) in steps, until it comes to the end or fails. Preemptible.
status_t aspace_walk(struct aspace *aspace, u64 at, u64 end, aspace_work *work, void *args);

// OUT_OF_RANGE if the range is not inside the address space.
status_t aspace_range_check(const struct aspace *aspace, u64 address, u64 size);
// DEAD, BAD_STATE (frozen).
status_t aspace_change_check(struct aspace *aspace) REQUIRES(&aspace->lock);
// Executable implies readable; writable too. Both: INVALID_ARGUMENT in a process's own part.
status_t aspace_rights_check(const struct aspace *aspace, u32 *rights);

// A mapping at `target`, not in the set and not on the object's list, like [start, end) of `like`:
// object, offset, rights and revoker. REVOKED, NO_RESOURCES.
status_t mapping_create(struct aspace *aspace, const struct mapping *like, u64 start, u64 end,
                        u64 target, struct mapping **out);
// Not in the set. No locks held.
void mapping_free(struct mapping *mapping);
// Takes a mapping, whose pages are unmapped, out of the set; the end of the step frees it.
void aspace_detach(struct aspace *aspace, struct mapping *mapping, struct aspace_step *step)
    REQUIRES(&aspace->lock);
// Puts a mapping into the set and joins it with neighbours that it continues (then it is gone).
void aspace_insert(struct aspace *aspace, struct mapping *mapping, struct aspace_step *step)
    REQUIRES(&aspace->lock);
// Joins `mapping` with the one before it if that is possible; true: it is gone.
bool aspace_join(struct aspace *aspace, struct mapping *mapping, struct aspace_step *step)
    REQUIRES(&aspace->lock);
// Splits the mapping that `address` lies inside of, if any. NO_RESOURCES, REVOKED.
status_t aspace_split(struct aspace *aspace, u64 address) REQUIRES(&aspace->lock);
// Unmaps what is there; `args` is a struct unmap_choice, or nullptr for all. Errors: as
// aspace_split, when it unmaps all; then nothing has changed.
status_t aspace_unmap_step(struct aspace *aspace, void *args, u64 *at, u64 end,
                           struct aspace_step *step) REQUIRES(&aspace->lock);

// What the page-table entry of a page of this mapping may allow.
u32 mapping_page_rights(const struct mapping *mapping, const struct page *page);
// Enters the object's pages around `va` (an aligned window) that are there and not entered yet.
// NO_RESOURCES.
status_t aspace_map_window(struct aspace *aspace, const struct mapping *mapping, u64 va)
    REQUIRES(&aspace->lock);
enum : u64 { WINDOW_SIZE = 16 * PAGE_SIZE };
