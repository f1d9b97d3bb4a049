// Mapping and unmapping. A new mapping is made and paid for first; then, under the lock, its place
// is found (or cleared, step by step) and it goes in.
#include "object/aspace_steps.h"
#include "sched/thread.h"

static status_t map_check(const struct aspace *aspace, const struct aspace_map_args *args,
                          struct mapping_args *mapping) {
    u32 fixed = CL_MAP_FIXED | CL_MAP_EXACT;
    bool is_shared = args->flags & CL_MAP_SHARED;
    if ((args->flags & fixed) == fixed || (is_shared && !args->object)) return ERR_INVALID_ARGUMENT;
    u32 rights = args->flags & MAPPING_RIGHTS;
    status_t status = aspace_rights_check(aspace, &rights);
    if (status != OK) return status;
    u32 allowed = MAPPING_RIGHTS;
    if (args->object && !(args->allowed_rights & RIGHT_EXECUTE)) allowed &= ~CL_MAP_EXECUTE;
    bool is_writable = (args->allowed_rights & RIGHT_WRITE) && args->object && !args->object->block;
    if (is_shared && !is_writable) allowed &= ~CL_MAP_WRITE;
    if (rights & ~allowed) return ERR_ACCESS_DENIED;
    *mapping = (struct mapping_args){
        .object = args->object,
        .revoker = args->object ? args->revoker : nullptr,
        .offset = args->object ? args->offset : 0,
        .flags = rights | (args->flags & CL_MAP_SHARED),
        .allowed = allowed,
    };
    return args->flags & fixed ? aspace_range_check(aspace, args->address, args->size) : OK;
}

static bool range_is_free(struct aspace *aspace, u64 address, u64 size) REQUIRES(&aspace -> lock) {
    const struct mapping *there = mapping_find(&aspace->mappings, address);
    return !there || there->start >= address + size;
}

// Finds the place of a new mapping of `size` bytes; FIXED ones are cleared later.
static status_t place(struct aspace *aspace, u64 *address, u64 size, u32 flags)
    REQUIRES(&aspace -> lock) {
    if (flags & CL_MAP_FIXED) return OK;
    if (flags & CL_MAP_EXACT)
        return range_is_free(aspace, *address, size) ? OK : ERR_ALREADY_EXISTS;
    u64 from = max(*address, aspace->low);
    u64 found = mapping_gap(&aspace->mappings, from, aspace->high, size);
    if (!found && from > aspace->low)
        found = mapping_gap(&aspace->mappings, aspace->low, aspace->high, size);
    *address = found;
    return found ? OK : ERR_NO_RESOURCES;
}

// SHOULD_WAIT: not done yet, call again.
static status_t map_step(struct aspace *aspace, const struct aspace_map_args *args, u64 *cleared,
                         struct mapping *mapping, struct aspace_step *step)
    REQUIRES(&aspace -> lock) {
    u64 address = args->address;
    status_t status = aspace_change_check(aspace);
    if (status == OK) status = place(aspace, &address, args->size, args->flags);
    if (status != OK) return status;
    mapping->start = address;
    mapping->end = address + args->size;
    if (mapping->object && *cleared == 0) status = memobj_attach(mapping);
    if (status == OK && args->flags & CL_MAP_FIXED) {
        *cleared = max(*cleared, address);
        status = aspace_unmap_step(aspace, cleared, mapping->end, step);
        if (status == OK && *cleared < mapping->end) return ERR_SHOULD_WAIT;
        // What others have put there meanwhile goes too.
        if (status == OK && !range_is_free(aspace, address, args->size)) {
            *cleared = address;
            return ERR_SHOULD_WAIT;
        }
    }
    if (status == OK) aspace_insert(aspace, mapping, step);
    return status;
}

// Enters the pages of [address, end) that are there already, as far as they can be paid.
static void populate(struct aspace *aspace, u64 address, u64 end) {
    while (address < end) {
        u64 step_end = min(end, address + 16 * WINDOW_SIZE);
        lock_acquire(&aspace->lock);
        for (; address < step_end; address = align_down(address, WINDOW_SIZE) + WINDOW_SIZE) {
            const struct mapping *mapping = mapping_at(&aspace->mappings, address);
            if (!mapping || !mapping->object || aspace_map_window(aspace, mapping, address) != OK)
                break;
        }
        lock_release(&aspace->lock);
        if (address < step_end) return;
        sched_preempt_point();
    }
}

status_t aspace_map(struct aspace *aspace, const struct aspace_map_args *args, u64 *mapped) {
    struct mapping_args wanted;
    struct mapping *mapping;
    status_t status = map_check(aspace, args, &wanted);
    if (status == OK) status = mapping_create(aspace, &wanted, &mapping);
    if (status != OK) return status;
    u64 cleared = 0;
    for (;;) {
        struct aspace_step step;
        aspace_step_begin(aspace, &step);
        status = map_step(aspace, args, &cleared, mapping, &step);
        *mapped = mapping->start;
        aspace_step_end(aspace, &step);
        if (status != ERR_SHOULD_WAIT) break;
        sched_preempt_point();
    }
    if (status != OK) {
        if (mapping->object) memobj_detach(mapping);
        mapping_free(mapping);
    } else if (args->flags & CL_MAP_POPULATE && args->object && wanted.flags & MAPPING_RIGHTS) {
        populate(aspace, *mapped, *mapped + args->size);
    }
    return status;
}

status_t aspace_unmap(struct aspace *aspace, u64 address, u64 size) {
    status_t status = aspace_range_check(aspace, address, size);
    u64 at = address;
    while (status == OK && at < address + size) {
        struct aspace_step step;
        aspace_step_begin(aspace, &step);
        status = aspace_change_check(aspace);
        if (status == OK) status = aspace_unmap_step(aspace, &at, address + size, &step);
        aspace_step_end(aspace, &step);
        if (at < address + size) sched_preempt_point();
    }
    return status;
}

status_t aspace_discard(struct aspace *aspace, u64 address, u64 size) {
    status_t status = aspace_range_check(aspace, address, size);
    u64 at = address;
    while (status == OK && at < address + size) {
        struct aspace_step step;
        aspace_step_begin(aspace, &step);
        status = aspace_change_check(aspace);
        if (status == OK) at = arch_pmap_unmap(&aspace->pmap, at, address + size, &step.gather);
        aspace_step_end(aspace, &step);
        if (at < address + size) sched_preempt_point();
    }
    return status;
}

// ---- moving ----

static status_t move_check(const struct aspace *aspace, u64 address, u64 size, u64 target,
                           u64 target_size) {
    status_t status = aspace_range_check(aspace, address, size);
    if (status == OK && target != 0) status = aspace_range_check(aspace, target, target_size);
    if (status != OK) return status;
    bool overlaps = target != 0 && target < address + size && address < target + target_size;
    return overlaps || target_size < size ? ERR_INVALID_ARGUMENT : OK;
}

// Makes the new mapping, with page tables for what is to come. Nothing moves yet.
static status_t move_begin(struct aspace *aspace, u64 address, u64 size, u64 *target,
                           u64 target_size, struct aspace_step *step) REQUIRES(&aspace -> lock) {
    status_t status = aspace_change_check(aspace);
    if (status != OK) return status;
    const struct mapping *from = mapping_at(&aspace->mappings, address);
    if (!from || from->end - address < size) return ERR_NOT_FOUND;
    status = place(aspace, target, target_size, *target ? CL_MAP_EXACT : 0);
    if (status == OK) status = arch_pmap_reserve(&aspace->pmap, *target, size >> PAGE_SHIFT);
    struct mapping *mapping;
    if (status == OK)
        status =
            mapping_create_part(aspace, from, address, address + target_size, *target, &mapping);
    if (status != OK) return status;
    if (mapping->object) memobj_attach_part(mapping, from);
    // Cut off from the rest, so that the part that moves is gone as a whole.
    status = aspace_split(aspace, address);
    if (status == OK) status = aspace_split(aspace, address + size);
    mapping_insert(&aspace->mappings, mapping);
    if (status != OK) aspace_detach(aspace, mapping, step);
    return status;
}

// Enters what was unmapped at its new place; what finds no place there (somebody else was at work
// on the range) stays in the gather to be put.
static void move_pages(struct aspace *aspace, u64 distance, struct arch_gather *gather)
    REQUIRES(&aspace -> lock) {
    u32 kept = 0;
    for (u32 i = 0; i < gather->count; i++) {
        u64 va = gather->va[i] + distance;
        u64 paddr = gather->paddr[i];
        u64 other_paddr;
        u32 other_rights;
        const struct mapping *mapping = mapping_at(&aspace->mappings, va);
        const struct page *page = page_from_paddr(paddr);
        if (mapping && !arch_pmap_query(&aspace->pmap, va, &other_paddr, &other_rights) &&
            arch_pmap_map(&aspace->pmap, va, paddr, mapping_page_rights(mapping, page)) == OK)
            continue;
        gather->va[kept] = gather->va[i];
        gather->paddr[kept++] = paddr;
    }
    gather->count = kept;
}

status_t aspace_move(struct aspace *aspace, u64 address, u64 size, u64 target, u64 target_size,
                     u64 *moved) {
    struct aspace_step step;
    status_t status = move_check(aspace, address, size, target, target_size);
    if (status != OK) return status;
    aspace_step_begin(aspace, &step);
    status = move_begin(aspace, address, size, &target, target_size, &step);
    aspace_step_end(aspace, &step);
    u64 at = address;
    while (status == OK && at < address + size) {
        aspace_step_begin(aspace, &step);
        status = aspace_unmap_step(aspace, &at, address + size, &step);
        arch_gather_flush(&step.gather);
        move_pages(aspace, target - address, &step.gather);
        aspace_step_end(aspace, &step);
        sched_preempt_point();
    }
    *moved = target;
    return status;
}
