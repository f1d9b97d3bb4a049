// Address spaces as objects, and the steps that all changes are made of.
// Lock: aspace->lock, for everything but constants. A dead aspace takes no new mappings; killing
// it unmaps all in steps, the page tables go with the last reference.
#include "object/aspace.h"

#include "object/aspace_steps.h"
#include "object/namespace.h"
#include "sched/thread.h"

enum { STEP_MAPPINGS = 64 };

static struct ledger *aspace_ledger(const struct aspace *aspace) {
    return &aspace->base.ns->ledger;
}

// ---- mappings ----

// Called by a revoker: everything mapped through it goes.
static void aspace_drop_revoked(struct object *object, struct revoker *revoker, u64);

status_t mapping_create(struct aspace *aspace, const struct mapping *like, u64 start, u64 end,
                        u64 target, struct mapping **out) {
    struct mapping *mapping = heap_alloc(aspace_ledger(aspace), sizeof(*mapping));
    if (!mapping) return ERR_NO_RESOURCES;
    mapping->aspace = aspace;
    mapping->start = target;
    mapping->end = target + (end - start);
    mapping->offset = like->object ? like->offset + (start - like->start) : 0;
    mapping->flags = like->flags;
    mapping->allowed = like->allowed;
    list_init(&mapping->order_link);
    list_init(&mapping->object_link);
    status_t status = revocable_link(&mapping->revocable, like->revocable.revoker, &aspace->base, 0,
                                     aspace_drop_revoked);
    if (status != OK) {
        heap_free(mapping);
        return status;
    }
    mapping->object = like->object;
    if (mapping->object) object_get(&mapping->object->base);
    *out = mapping;
    return OK;
}

void mapping_free(struct mapping *mapping) {
    revocable_unlink(&mapping->revocable);
    if (mapping->object) object_put(&mapping->object->base);
    heap_free(mapping);
}

void aspace_detach(struct aspace *aspace, struct mapping *mapping, struct aspace_step *step) {
    mapping_remove(&aspace->mappings, mapping);
    if (mapping->object) memobj_detach(mapping);
    list_insert_tail(&step->removed, &mapping->order_link);
}

static bool mapping_continues(const struct mapping *low, const struct mapping *high) {
    return low->end == high->start && low->object == high->object && low->flags == high->flags &&
           low->allowed == high->allowed && low->revocable.revoker == high->revocable.revoker &&
           (!low->object || (low->offset + (low->end - low->start) == high->offset &&
                             low->resizes_seen == high->resizes_seen));
}

bool aspace_join(struct aspace *aspace, struct mapping *mapping, struct aspace_step *step) {
    struct mapping *low = mapping_previous(&aspace->mappings, mapping);
    if (!low || !mapping_continues(low, mapping)) return false;
    u64 end = mapping->end;
    aspace_detach(aspace, mapping, step);
    mapping_set_range(&aspace->mappings, low, low->start, end);
    return true;
}

void aspace_insert(struct aspace *aspace, struct mapping *mapping, struct aspace_step *step) {
    mapping_insert(&aspace->mappings, mapping);
    struct mapping *next = mapping_next(&aspace->mappings, mapping);
    (void)aspace_join(aspace, mapping, step);
    if (next) (void)aspace_join(aspace, next, step);
}

status_t aspace_split(struct aspace *aspace, u64 address) {
    struct mapping *low = mapping_at(&aspace->mappings, address);
    if (!low || low->start == address) return OK;
    struct mapping *high;
    status_t status = mapping_create(aspace, low, address, low->end, address, &high);
    if (status != OK) return status;
    if (high->object) memobj_attach_part(high, low);
    mapping_set_range(&aspace->mappings, low, low->start, address);
    mapping_insert(&aspace->mappings, high);
    return OK;
}

// ---- steps ----

static void step_begin(struct aspace *aspace, struct aspace_step *step) ACQUIRE(&aspace->lock) {
    lock_acquire(&aspace->lock);
    arch_gather_init(&step->gather, &aspace->pmap);
    list_init(&step->removed);
}

// Flushes, opens the lock, puts pages, frees mappings.
static void step_end(struct aspace *aspace, struct aspace_step *step) RELEASE(&aspace->lock) {
    BREAK(SHOOTDOWN, arch_gather_flush(&step->gather), (void)0);
    lock_release(&aspace->lock);
    for (u32 i = 0; i < step->gather.count; i++)
        page_put(page_from_paddr(step->gather.paddr[i]));
    struct mapping *mapping;
    while ((mapping = list_take_first(&step->removed, struct mapping, order_link)) != nullptr)
        mapping_free(mapping);
}

status_t aspace_walk(struct aspace *aspace, u64 at, u64 end, aspace_work *work, void *args) {
    status_t status = OK;
    while (status == OK && at < end) {
        struct aspace_step step;
        step_begin(aspace, &step);
        status = work(aspace, args, &at, end, &step);
        step_end(aspace, &step);
        if (at < end) sched_preempt_point();
    }
    return status;
}

status_t aspace_range_check(const struct aspace *aspace, u64 address, u64 size) {
    bool is_inside =
        address >= aspace->low && address < aspace->high && size <= aspace->high - address;
    return is_inside ? OK : ERR_OUT_OF_RANGE;
}

status_t aspace_change_check(struct aspace *aspace) {
    if (object_is_dead(&aspace->base)) return ERR_DEAD;
    return aspace->is_frozen ? ERR_BAD_STATE : OK;
}

status_t aspace_rights_check(const struct aspace *aspace, u32 *rights) {
    u32 both = CL_MAP_WRITE | CL_MAP_EXECUTE;
    if (!aspace->owner && (*rights & both) == both) return ERR_INVALID_ARGUMENT;
    if (*rights & both) *rights |= CL_MAP_READ;
    return OK;
}

// ---- unmapping ----

// What shows `object`: what lies beyond `size` of it, or all when it is dead. Or what was mapped
// through `revoker`.
struct unmap_choice {
    const struct memobj *object;
    const struct revoker *revoker;
    u64 size;
    u32 resizes; // seen by what keeps its place
};

static bool is_chosen(const struct mapping *mapping, const struct unmap_choice *choice) {
    if (!choice) return true;
    return choice->object ? mapping->object == choice->object
                          : mapping->revocable.revoker == choice->revoker;
}

// Where the pages of a mapping begin that a resize took away.
static u64 cut_start(const struct mapping *mapping, u64 size) {
    u64 kept = size > mapping->offset ? size - mapping->offset : 0;
    return mapping->start + min(kept, mapping->end - mapping->start);
}

// Unmaps a chosen mapping, from *at on, as far as fits in the step.
static void unmap_mapping(struct aspace *aspace, struct mapping *mapping,
                          const struct unmap_choice *choice, u64 *at, struct aspace_step *step)
    REQUIRES(&aspace->lock) {
    bool is_kept = choice && choice->object && !object_is_dead(&choice->object->base);
    u64 from = is_kept ? max(*at, cut_start(mapping, choice->size)) : mapping->start;
    *at = arch_pmap_unmap(&aspace->pmap, from, mapping->end, &step->gather);
    bool is_done = *at == mapping->end;
    if (is_kept && is_done)
        memobj_mark_cut(mapping, choice->resizes);
    else if (!is_kept && is_done)
        aspace_detach(aspace, mapping, step);
    else if (!is_kept && *at > mapping->start)
        mapping_set_range(&aspace->mappings, mapping, *at, mapping->end);
}

status_t aspace_unmap_step(struct aspace *aspace, void *args, u64 *at, u64 end,
                           struct aspace_step *step) {
    status_t status = args ? OK : aspace_split(aspace, *at);
    if (status == OK && !args) status = aspace_split(aspace, end);
    for (u32 i = 0; status == OK && i < STEP_MAPPINGS; i++) {
        struct mapping *mapping = mapping_find(&aspace->mappings, *at);
        if (!mapping || mapping->start >= end) {
            *at = end;
            break;
        }
        u64 mapping_end = mapping->end;
        if (is_chosen(mapping, args))
            unmap_mapping(aspace, mapping, args, at, step);
        else
            *at = mapping_end;
        if (*at < mapping_end) break;
    }
    return status;
}

void aspace_clear(struct aspace *aspace) {
    // Nothing is to be split.
    (void)aspace_walk(aspace, aspace->low, aspace->high, aspace_unmap_step, nullptr);
}

void aspace_cut_object(struct aspace *aspace, struct memobj *memobj, u64 size, u32 resizes) {
    struct unmap_choice choice = {.object = memobj, .size = size, .resizes = resizes};
    (void)aspace_walk(aspace, aspace->low, aspace->high, aspace_unmap_step, &choice);
}

static void aspace_drop_revoked(struct object *object, struct revoker *revoker, u64) {
    struct aspace *aspace = (struct aspace *)object;
    struct unmap_choice choice = {.revoker = revoker};
    (void)aspace_walk(aspace, aspace->low, aspace->high, aspace_unmap_step, &choice);
}

// ---- as an object ----

status_t aspace_create(struct namespace *ns, struct aspace *owner,
                       struct aspace **out) NO_THREAD_SAFETY_ANALYSIS { // nobody knows it yet
    struct aspace *aspace = object_alloc(ns, OBJ_ASPACE, sizeof(*aspace));
    if (!aspace) return ERR_NO_RESOURCES;
    aspace->low = owner ? CL_LINUX_BASE : CL_PROCESS_BASE;
    aspace->high = owner ? CL_LINUX_LIMIT : CL_PROCESS_LIMIT;
    aspace->owner = owner;
    if (owner) object_get(&owner->base);
    lock_init(&aspace->lock, LOCK_ASPACE);
    mapping_set_init(&aspace->mappings);
    status_t status =
        arch_pmap_init(&aspace->pmap, owner ? &owner->pmap : nullptr, aspace_ledger(aspace));
    if (status == OK) {
        object_publish(&aspace->base);
        *out = aspace;
    } else {
        aspace->pmap.payer = nullptr; // no tables to free
        object_put(&aspace->base);
    }
    return status;
}

static void aspace_kill(struct object *object) { aspace_clear((struct aspace *)object); }

static void aspace_free(struct object *object) NO_THREAD_SAFETY_ANALYSIS { // nobody else has it
    struct aspace *aspace = (struct aspace *)object;
    aspace_clear(aspace);
    if (aspace->pmap.payer) arch_pmap_destroy(&aspace->pmap);
    if (aspace->owner) object_put(&aspace->owner->base);
}

const struct object_ops aspace_object_ops = {
    .kill = aspace_kill,
    .free = aspace_free,
};
