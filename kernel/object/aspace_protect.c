// Changing what mapped ranges allow, in steps: first all is looked at, then changed. Page-table
// entries lose rights at once, and gain them by faulting.
#include "kernel/handlers.h"
#include "object/aspace_steps.h"

enum : u64 { PROTECT_STEP = MIB(64) };
enum { STEP_MAPPINGS = 64 };

struct protect {
    u64 address;
    u32 rights;
    bool is_denied; // by one of the mappings
};

// Everything in the range is to be mapped; whether all may get these rights.
static status_t check_step(struct aspace *aspace, void *args, u64 *at, u64 end,
                           struct aspace_step *) REQUIRES(&aspace->lock) {
    struct protect *protect = args;
    status_t status = aspace_change_check(aspace);
    const struct mapping *mapping = mapping_at(&aspace->mappings, *at);
    for (u32 i = 0; status == OK && i < STEP_MAPPINGS && *at < end; i++) {
        if (!mapping || mapping->start > *at) return ERR_NOT_FOUND;
        if (protect->rights & ~mapping->allowed) protect->is_denied = true;
        *at = mapping->end;
        mapping = mapping_next(&aspace->mappings, mapping);
    }
    return status;
}

// At `edge`, where mappings begin or end, two may be one now.
static void edge_join(struct aspace *aspace, u64 edge, struct aspace_step *step)
    REQUIRES(&aspace->lock) {
    struct mapping *mapping = mapping_at(&aspace->mappings, edge);
    if (mapping && mapping->start == edge) (void)aspace_join(aspace, mapping, step);
}

// A mapping, and then its entries, which lose what it does not allow.
static status_t protect_mapping(struct aspace *aspace, struct mapping *mapping, u32 rights, u64 *at,
                                u64 end, struct aspace_step *step) REQUIRES(&aspace->lock) {
    if (rights & ~mapping->allowed) return ERR_ACCESS_DENIED;
    u64 start = mapping->start, from = max(*at, start);
    mapping->flags = rights | (mapping->flags & ~MAPPING_RIGHTS);
    *at = min(end, mapping->end);
    arch_pmap_protect(&aspace->pmap, from, *at, rights, &step->gather);
    edge_join(aspace, start, step);
    return OK;
}

// What other threads map or split meanwhile is as before or as after.
static status_t protect_step(struct aspace *aspace, void *args, u64 *at, u64 end,
                             struct aspace_step *step) REQUIRES(&aspace->lock) {
    const struct protect *protect = args;
    u64 step_end = min(end, *at + PROTECT_STEP);
    status_t status = aspace_change_check(aspace);
    if (status == OK && *at == protect->address) status = aspace_split(aspace, *at);
    if (status == OK) status = aspace_split(aspace, end);
    for (u32 i = 0; status == OK && i < STEP_MAPPINGS && *at < step_end; i++) {
        struct mapping *mapping = mapping_find(&aspace->mappings, *at);
        if (mapping && mapping->start < step_end)
            status = protect_mapping(aspace, mapping, protect->rights, at, step_end, step);
        else
            *at = step_end;
    }
    if (*at == end) edge_join(aspace, end, step);
    return status;
}

status_t sys_aspace_protect(struct aspace *aspace, u64 address, u64 size, u32 rights) {
    struct protect protect = {.address = address, .rights = rights};
    status_t status = aspace_range_check(aspace, address, size);
    if (status == OK) status = aspace_rights_check(aspace, &protect.rights);
    if (status == OK) status = aspace_walk(aspace, address, address + size, check_step, &protect);
    if (status != OK || protect.is_denied) return status != OK ? status : ERR_ACCESS_DENIED;
    return aspace_walk(aspace, address, address + size, protect_step, &protect);
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
