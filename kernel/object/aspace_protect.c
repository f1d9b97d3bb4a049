// Changing what mapped ranges allow. The mappings change at once; page-table entries then lose
// rights in steps, and gain them by faulting.
#include "object/aspace_steps.h"
#include "sched/thread.h"

enum : u64 { PROTECT_STEP = MIB(64) };

// Everything in the range is mapped and may get these rights.
static status_t protect_check(struct aspace *aspace, u64 address, u64 end, u32 rights)
    REQUIRES(&aspace -> lock) {
    const struct mapping *mapping = mapping_at(&aspace->mappings, address);
    status_t status = OK;
    for (u64 at = address; at < end;
         at = mapping->end, mapping = mapping_next(&aspace->mappings, mapping)) {
        if (!mapping || mapping->start > at) return ERR_NOT_FOUND;
        if (rights & ~mapping->allowed) status = ERR_ACCESS_DENIED;
    }
    return status;
}

static void protect_mappings(struct aspace *aspace, u64 address, u64 end, u32 rights,
                             struct aspace_step *step) REQUIRES(&aspace -> lock) {
    struct mapping *mapping = mapping_at(&aspace->mappings, address);
    while (mapping && mapping->start <= end) {
        struct mapping *next = mapping_next(&aspace->mappings, mapping);
        if (mapping->start < end) mapping->flags = rights | (mapping->flags & ~MAPPING_RIGHTS);
        (void)aspace_join(aspace, mapping, step);
        mapping = next;
    }
}

// Entries of [*at, end) lose what their mapping does not allow; *at moves on.
static void protect_entries(struct aspace *aspace, u64 *at, u64 end, struct aspace_step *step)
    REQUIRES(&aspace -> lock) {
    u64 step_end = min(end, *at + PROTECT_STEP);
    const struct mapping *mapping = mapping_find(&aspace->mappings, *at);
    for (; mapping && mapping->start < step_end; mapping = mapping_next(&aspace->mappings, mapping))
        arch_pmap_protect(&aspace->pmap, max(*at, mapping->start), min(step_end, mapping->end),
                          mapping->flags & MAPPING_RIGHTS, &step->gather);
    *at = step_end;
}

static status_t protect_begin(struct aspace *aspace, u64 address, u64 end, u32 rights,
                              struct aspace_step *step) REQUIRES(&aspace -> lock) {
    status_t status = aspace_change_check(aspace);
    if (status == OK) status = protect_check(aspace, address, end, rights);
    if (status == OK) status = aspace_split(aspace, address);
    if (status == OK) status = aspace_split(aspace, end);
    if (status == OK) protect_mappings(aspace, address, end, rights, step);
    return status;
}

status_t aspace_protect(struct aspace *aspace, u64 address, u64 size, u32 rights) {
    u64 end = address + size;
    status_t status = aspace_range_check(aspace, address, size);
    if (status == OK) status = aspace_rights_check(aspace, &rights);
    if (status != OK) return status;
    struct aspace_step step;
    aspace_step_begin(aspace, &step);
    status = protect_begin(aspace, address, end, rights, &step);
    u64 at = status == OK ? address : end;
    if (at < end) protect_entries(aspace, &at, end, &step);
    aspace_step_end(aspace, &step);
    while (at < end) {
        sched_preempt_point();
        aspace_step_begin(aspace, &step);
        protect_entries(aspace, &at, end, &step);
        aspace_step_end(aspace, &step);
    }
    return status;
}

status_t aspace_freeze(struct aspace *aspace) {
    u32 shared = CL_MAP_SHARED | CL_MAP_WRITE;
    lock_acquire(&aspace->lock);
    status_t status = aspace_change_check(aspace);
    const struct mapping *mapping;
    list_for_each(mapping, &aspace->mappings.list, order_link) {
        if ((mapping->flags & shared) == shared) status = ERR_BAD_STATE;
    }
    if (status == OK) aspace->is_frozen = true;
    lock_release(&aspace->lock);
    return status;
}

static u64 cut_step(struct aspace *aspace, const struct memobj *memobj, u64 size, u32 resizes,
                    u64 at, struct aspace_step *step) REQUIRES(&aspace -> lock) {
    struct mapping *mapping = mapping_find(&aspace->mappings, at);
    for (; mapping; mapping = mapping_next(&aspace->mappings, mapping)) {
        if (mapping->object != memobj) continue;
        u64 kept = size > mapping->offset ? size - mapping->offset : 0;
        u64 from = mapping->start + min(kept, mapping->end - mapping->start);
        u64 next = arch_pmap_unmap(&aspace->pmap, max(from, at), mapping->end, &step->gather);
        if (next < mapping->end) return next;
        memobj_mark_cut(mapping, resizes);
    }
    return aspace->high;
}

void aspace_cut_object(struct aspace *aspace, struct memobj *memobj, u64 size_pages, u32 resizes) {
    u64 at = aspace->low;
    while (at < aspace->high) {
        struct aspace_step step;
        aspace_step_begin(aspace, &step);
        at = cut_step(aspace, memobj, size_pages << PAGE_SHIFT, resizes, at, &step);
        aspace_step_end(aspace, &step);
        sched_preempt_point();
    }
}
