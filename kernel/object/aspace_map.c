// Mapping and unmapping. A new mapping is made and paid for first; then, under the lock, its place
// is found (or cleared, step by step) and it goes in.
#include "kernel/handlers.h"
#include "object/aspace_steps.h"

enum { STEP_WINDOWS = 16 };

struct map {
    u64 address, size;
    u32 flags;
    struct mapping *mapping;
    u64 mapped; // out: its address
};

// What the new mapping shows and may allow.
static status_t map_check(const struct aspace *aspace, const struct map *map,
                          const struct handle_info *info, u64 offset, struct mapping *like) {
    struct memobj *memobj = info ? (struct memobj *)info->object : nullptr;
    u32 fixed = CL_MAP_FIXED | CL_MAP_EXACT;
    bool is_shared = map->flags & CL_MAP_SHARED;
    if ((map->flags & fixed) == fixed || (is_shared && !memobj)) return ERR_INVALID_ARGUMENT;
    u32 rights = map->flags & MAPPING_RIGHTS;
    status_t status = aspace_rights_check(aspace, &rights);
    if (status != OK) return status;
    u32 allowed = MAPPING_RIGHTS;
    if (memobj && !(info->rights & RIGHT_EXECUTE)) allowed &= ~CL_MAP_EXECUTE;
    bool is_writable = memobj && (info->rights & RIGHT_WRITE) && !memobj->block;
    if (is_shared && !is_writable) allowed &= ~CL_MAP_WRITE;
    if (rights & ~allowed) return ERR_ACCESS_DENIED;
    *like = (struct mapping){
        .object = memobj,
        .revocable.revoker = memobj ? info->revoker : nullptr,
        .offset = memobj ? offset : 0,
        .flags = rights | (map->flags & CL_MAP_SHARED),
        .allowed = allowed,
    };
    return map->flags & fixed ? aspace_range_check(aspace, map->address, map->size) : OK;
}

static bool range_is_free(struct aspace *aspace, u64 address, u64 size) REQUIRES(&aspace->lock) {
    const struct mapping *there = mapping_find(&aspace->mappings, address);
    return !there || there->start >= address + size;
}

// Finds the place of a new mapping of `size` bytes; FIXED ones are cleared later.
static status_t place(struct aspace *aspace, u64 *address, u64 size, u32 flags)
    REQUIRES(&aspace->lock) {
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

static status_t map_step(struct aspace *aspace, void *args, u64 *at, u64 end,
                         struct aspace_step *step) REQUIRES(&aspace->lock) {
    struct map *map = args;
    struct mapping *mapping = map->mapping;
    map->mapped = map->address;
    status_t status = aspace_change_check(aspace);
    if (status == OK) status = place(aspace, &map->mapped, map->size, map->flags);
    if (status != OK) return status;
    mapping->start = map->mapped;
    mapping->end = map->mapped + map->size;
    if (mapping->object && *at == 0) status = memobj_attach(mapping);
    if (status == OK && map->flags & CL_MAP_FIXED) {
        *at = max(*at, mapping->start);
        status = aspace_unmap_step(aspace, nullptr, at, end, step);
        // What others have put there meanwhile goes too.
        if (*at == end && !range_is_free(aspace, mapping->start, map->size)) *at = mapping->start;
        if (*at < end) return status;
    }
    if (status == OK) aspace_insert(aspace, mapping, step);
    *at = end;
    return status;
}

// Enters the pages that are there already, as far as they can be paid.
static status_t populate_step(struct aspace *aspace, void *, u64 *at, u64 end, struct aspace_step *)
    REQUIRES(&aspace->lock) {
    for (u32 i = 0; i < STEP_WINDOWS && *at < end; i++) {
        const struct mapping *mapping = mapping_at(&aspace->mappings, *at);
        if (!mapping || !mapping->object) return ERR_NOT_FOUND;
        status_t status = aspace_map_window(aspace, mapping, *at);
        if (status != OK) return status;
        *at = align_down(*at, WINDOW_SIZE) + WINDOW_SIZE;
    }
    return OK;
}

status_t sys_aspace_map(struct aspace *aspace, const struct handle_info *memobj, u64 offset,
                        u64 address, u64 size, u32 flags, u64 *mapped) {
    struct map map = {.address = address, .size = size, .flags = flags};
    struct mapping like;
    status_t status = map_check(aspace, &map, memobj, offset, &like);
    if (status == OK) status = mapping_create(aspace, &like, 0, size, 0, &map.mapping);
    if (status != OK) return status;
    // At 0 nothing has been done yet; there is nothing to clear but for a FIXED one.
    u64 end = flags & CL_MAP_FIXED ? address + size : 1;
    status = aspace_walk(aspace, 0, end, map_step, &map);
    *mapped = map.mapped;
    if (status != OK) {
        if (map.mapping->object) memobj_detach(map.mapping);
        mapping_free(map.mapping);
    } else if (flags & CL_MAP_POPULATE && memobj && like.flags & MAPPING_RIGHTS) {
        (void)aspace_walk(aspace, *mapped, *mapped + size, populate_step, nullptr);
    }
    return status;
}

static status_t unmap_step(struct aspace *aspace, void *, u64 *at, u64 end,
                           struct aspace_step *step) REQUIRES(&aspace->lock) {
    status_t status = aspace_change_check(aspace);
    return status == OK ? aspace_unmap_step(aspace, nullptr, at, end, step) : status;
}

status_t sys_aspace_unmap(struct aspace *aspace, u64 address, u64 size) {
    status_t status = aspace_range_check(aspace, address, size);
    return status == OK ? aspace_walk(aspace, address, address + size, unmap_step, nullptr)
                        : status;
}

static status_t discard_step(struct aspace *aspace, void *, u64 *at, u64 end,
                             struct aspace_step *step) REQUIRES(&aspace->lock) {
    status_t status = aspace_change_check(aspace);
    if (status == OK) *at = arch_pmap_unmap(&aspace->pmap, *at, end, &step->gather);
    return status;
}

status_t sys_aspace_discard(struct aspace *aspace, u64 address, u64 size) {
    status_t status = aspace_range_check(aspace, address, size);
    return status == OK ? aspace_walk(aspace, address, address + size, discard_step, nullptr)
                        : status;
}

// ---- moving ----

struct move {
    u64 address, size;
    u64 target, target_size; // target 0: to be found
    bool is_begun;
};

static status_t move_check(const struct aspace *aspace, const struct move *move) {
    status_t status = aspace_range_check(aspace, move->address, move->size);
    if (status == OK && move->target != 0)
        status = aspace_range_check(aspace, move->target, move->target_size);
    if (status != OK) return status;
    bool overlaps = move->target != 0 && move->target < move->address + move->size &&
                    move->address < move->target + move->target_size;
    return overlaps || move->target_size < move->size ? ERR_INVALID_ARGUMENT : OK;
}

// Makes the new mapping, with page tables for what is to come. Nothing moves yet.
static status_t move_begin(struct aspace *aspace, struct move *move, struct aspace_step *step)
    REQUIRES(&aspace->lock) {
    u64 address = move->address;
    status_t status = aspace_change_check(aspace);
    if (status != OK) return status;
    const struct mapping *from = mapping_at(&aspace->mappings, address);
    if (!from || from->end - address < move->size) return ERR_NOT_FOUND;
    status = place(aspace, &move->target, move->target_size, move->target ? CL_MAP_EXACT : 0);
    if (status == OK)
        status = arch_pmap_reserve(&aspace->pmap, move->target, move->size >> PAGE_SHIFT);
    struct mapping *mapping;
    if (status == OK)
        status = mapping_create(aspace, from, address, address + move->target_size, move->target,
                                &mapping);
    if (status != OK) return status;
    if (mapping->object) memobj_attach_part(mapping, from);
    // Cut off from the rest, so that the part that moves is gone as a whole.
    status = aspace_split(aspace, address);
    if (status == OK) status = aspace_split(aspace, address + move->size);
    mapping_insert(&aspace->mappings, mapping);
    if (status != OK) aspace_detach(aspace, mapping, step);
    move->is_begun = status == OK;
    return status;
}

// Enters what was unmapped at its new place; what finds no place there (somebody else was at work
// on the range) stays in the gather to be put.
static void move_pages(struct aspace *aspace, u64 distance, struct arch_gather *gather)
    REQUIRES(&aspace->lock) {
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

static status_t move_step(struct aspace *aspace, void *args, u64 *at, u64 end,
                          struct aspace_step *step) REQUIRES(&aspace->lock) {
    struct move *move = args;
    status_t status = move->is_begun ? OK : move_begin(aspace, move, step);
    if (status != OK) return status;
    status = aspace_unmap_step(aspace, nullptr, at, end, step);
    arch_gather_flush(&step->gather);
    move_pages(aspace, move->target - move->address, &step->gather);
    return status;
}

status_t sys_aspace_move(struct aspace *aspace, u64 address, u64 size, u64 target, u64 target_size,
                         u64 *moved) {
    struct move move = {
        .address = address, .size = size, .target = target, .target_size = target_size};
    status_t status = move_check(aspace, &move);
    if (status == OK) status = aspace_walk(aspace, address, address + size, move_step, &move);
    *moved = move.target;
    return status;
}
