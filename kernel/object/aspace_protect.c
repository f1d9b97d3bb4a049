// Changing what mapped ranges allow. The mappings change at once; page-table entries then lose
// rights in steps, and gain them by faulting.
#include "kernel/handlers.h"
#include "object/aspace_steps.h"

enum : u64 { PROTECT_STEP = MIB(64) };

// Everything in the range is mapped and may get these rights.
static status_t protect_check(struct aspace *aspace, u64 address, u64 end, u32 rights)
    REQUIRES(&aspace->lock) {
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
                             struct aspace_step *step) REQUIRES(&aspace->lock) {
    struct mapping *mapping = mapping_at(&aspace->mappings, address);
    while (mapping && mapping->start <= end) {
        struct mapping *next = mapping_next(&aspace->mappings, mapping);
        if (mapping->start < end) mapping->flags = rights | (mapping->flags & ~MAPPING_RIGHTS);
        (void)aspace_join(aspace, mapping, step);
        mapping = next;
    }
}

static status_t protect_begin(struct aspace *aspace, u64 address, u64 end, u32 rights,
                              struct aspace_step *step) REQUIRES(&aspace->lock) {
    status_t status = aspace_change_check(aspace);
    if (status == OK) status = protect_check(aspace, address, end, rights);
    if (status == OK) status = aspace_split(aspace, address);
    if (status == OK) status = aspace_split(aspace, end);
    if (status == OK) protect_mappings(aspace, address, end, rights, step);
    return status;
}

struct protect {
    u64 address;
    u32 rights;
};

// The mappings first; then entries lose what their mapping does not allow.
static status_t protect_step(struct aspace *aspace, void *args, u64 *at, u64 end,
                             struct aspace_step *step) REQUIRES(&aspace->lock) {
    const struct protect *protect = args;
    status_t status = OK;
    if (*at == protect->address)
        status = protect_begin(aspace, protect->address, end, protect->rights, step);
    if (status != OK) return status;
    u64 step_end = min(end, *at + PROTECT_STEP);
    const struct mapping *mapping = mapping_find(&aspace->mappings, *at);
    for (; mapping && mapping->start < step_end; mapping = mapping_next(&aspace->mappings, mapping))
        arch_pmap_protect(&aspace->pmap, max(*at, mapping->start), min(step_end, mapping->end),
                          mapping->flags & MAPPING_RIGHTS, &step->gather);
    *at = step_end;
    return OK;
}

status_t sys_aspace_protect(struct aspace *aspace, u64 address, u64 size, u32 rights) {
    struct protect protect = {.address = address, .rights = rights};
    status_t status = aspace_range_check(aspace, address, size);
    if (status == OK) status = aspace_rights_check(aspace, &protect.rights);
    return status == OK ? aspace_walk(aspace, address, address + size, protect_step, &protect)
                        : status;
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
