// Address spaces as objects, and the steps that all changes are made of.
// Lock: aspace->lock, for everything but constants. A dead aspace takes no new mappings; killing
// it unmaps all in steps, the page tables go with the last reference.
#include "object/aspace.h"

#include "object/aspace_steps.h"
#include "object/namespace.h"
#include "sched/thread.h"

static struct ledger *aspace_ledger(const struct aspace *aspace) {
    return &aspace->base.ns->ledger;
}

// ---- mappings ----

// Called by a revoker: everything mapped through it goes.
static void aspace_drop_revoked(struct object *object, struct revoker *revoker);

status_t mapping_create(struct aspace *aspace, const struct mapping_args *args,
                        struct mapping **out) {
    struct mapping *mapping = heap_alloc(aspace_ledger(aspace), sizeof(*mapping));
    if (!mapping) return ERR_NO_RESOURCES;
    mapping->aspace = aspace;
    mapping->start = args->start;
    mapping->end = args->end;
    mapping->offset = args->offset;
    mapping->flags = args->flags;
    mapping->allowed = args->allowed;
    list_init(&mapping->order_link);
    list_init(&mapping->object_link);
    status_t status =
        revocable_link(&mapping->revocable, args->revoker, &aspace->base, aspace_drop_revoked);
    if (status != OK) {
        heap_free(mapping);
        return status;
    }
    mapping->object = args->object;
    if (mapping->object) object_get(&mapping->object->base);
    *out = mapping;
    return OK;
}

status_t mapping_create_part(struct aspace *aspace, const struct mapping *whole, u64 start, u64 end,
                             u64 target, struct mapping **out) {
    const struct mapping_args args = {
        .object = whole->object,
        .revoker = whole->revocable.revoker,
        .start = target,
        .end = target + (end - start),
        .offset = whole->object ? whole->offset + (start - whole->start) : 0,
        .flags = whole->flags,
        .allowed = whole->allowed,
    };
    return mapping_create(aspace, &args, out);
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
    step->removed_count++;
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
    status_t status = mapping_create_part(aspace, low, address, low->end, address, &high);
    if (status != OK) return status;
    if (high->object) memobj_attach_part(high, low);
    mapping_set_range(&aspace->mappings, low, low->start, address);
    mapping_insert(&aspace->mappings, high);
    return OK;
}

// ---- steps ----

void aspace_step_begin(struct aspace *aspace, struct aspace_step *step) {
    lock_acquire(&aspace->lock);
    arch_gather_init(&step->gather, &aspace->pmap);
    list_init(&step->removed);
    step->removed_count = 0;
}

void aspace_step_end(struct aspace *aspace, struct aspace_step *step) {
    arch_gather_flush(&step->gather);
    lock_release(&aspace->lock);
    for (u32 i = 0; i < step->gather.count; i++)
        page_put(page_from_paddr(step->gather.paddr[i]));
    struct mapping *mapping;
    while ((mapping = list_take_first(&step->removed, struct mapping, order_link)) != nullptr)
        mapping_free(mapping);
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
    if (aspace->kind == ASPACE_PROCESS && (*rights & both) == both) return ERR_INVALID_ARGUMENT;
    if (*rights & both) *rights |= CL_MAP_READ;
    return OK;
}

bool aspace_remove_step(struct aspace *aspace, struct mapping *mapping, struct aspace_step *step) {
    u64 end = mapping->end;
    u64 next = arch_pmap_unmap(&aspace->pmap, mapping->start, end, &step->gather);
    if (next == end) {
        aspace_detach(aspace, mapping, step);
        return true;
    }
    if (next > mapping->start) mapping_set_range(&aspace->mappings, mapping, next, end);
    return false;
}

status_t aspace_unmap_step(struct aspace *aspace, u64 *at, u64 end, struct aspace_step *step) {
    status_t status = aspace_split(aspace, *at);
    if (status == OK) status = aspace_split(aspace, end);
    while (status == OK && step->removed_count < STEP_MAPPINGS) {
        struct mapping *mapping = mapping_find(&aspace->mappings, *at);
        if (!mapping || mapping->start >= end) {
            *at = end;
            break;
        }
        u64 mapping_end = mapping->end;
        bool is_gone = aspace_remove_step(aspace, mapping, step);
        *at = is_gone ? mapping_end : mapping->start;
        if (!is_gone) break;
    }
    return status;
}

bool aspace_clear_some(struct aspace *aspace) {
    struct aspace_step step;
    u64 at = aspace->low;
    aspace_step_begin(aspace, &step);
    (void)aspace_unmap_step(aspace, &at, aspace->high, &step); // nothing to split
    aspace_step_end(aspace, &step);
    return at == aspace->high;
}

// Removes, from *at on, what shows `object` or was mapped through `revoker`.
static void drop_step(struct aspace *aspace, const struct memobj *object,
                      const struct revoker *revoker, u64 *at, struct aspace_step *step)
    REQUIRES(&aspace -> lock) {
    struct mapping *mapping = mapping_find(&aspace->mappings, *at);
    while (mapping) {
        struct mapping *next = mapping_next(&aspace->mappings, mapping);
        *at = mapping->start;
        if (step->removed_count == STEP_MAPPINGS) return;
        bool is_meant = object ? mapping->object == object : mapping->revocable.revoker == revoker;
        if (is_meant && !aspace_remove_step(aspace, mapping, step)) return;
        mapping = next;
    }
    *at = aspace->high;
}

static void drop_all(struct aspace *aspace, const struct memobj *object,
                     const struct revoker *revoker) {
    u64 at = aspace->low;
    while (at < aspace->high) {
        struct aspace_step step;
        aspace_step_begin(aspace, &step);
        drop_step(aspace, object, revoker, &at, &step);
        aspace_step_end(aspace, &step);
        sched_preempt_point();
    }
}

void aspace_drop_object(struct aspace *aspace, struct memobj *memobj) {
    drop_all(aspace, memobj, nullptr);
}

static void aspace_drop_revoked(struct object *object, struct revoker *revoker) {
    drop_all((struct aspace *)object, nullptr, revoker);
}

// ---- as an object ----

static status_t create(struct namespace *ns, enum aspace_kind kind, struct aspace **out) {
    struct aspace *aspace = object_alloc(ns, OBJ_ASPACE, sizeof(*aspace));
    if (!aspace) return ERR_NO_RESOURCES;
    bool is_process = kind == ASPACE_PROCESS;
    aspace->kind = kind;
    aspace->low = is_process ? CL_PROCESS_BASE : CL_LINUX_BASE;
    aspace->high = is_process ? CL_PROCESS_LIMIT : CL_LINUX_LIMIT;
    lock_init(&aspace->lock, LOCK_ASPACE);
    mapping_set_init(&aspace->mappings);
    ledger_table_source_init(&aspace->source, aspace_ledger(aspace));
    *out = aspace;
    return OK;
}

// The end of a creation: the page tables were made, or there is nothing to keep.
static status_t create_end(struct aspace *aspace, status_t status,
                           struct aspace **out) NO_THREAD_SAFETY_ANALYSIS { // nobody knows it yet
    if (status == OK) {
        object_publish(&aspace->base);
        *out = aspace;
        return OK;
    }
    aspace->pmap.source = nullptr;
    object_put(&aspace->base);
    return status;
}

status_t aspace_create_process(struct namespace *ns, struct aspace **out) {
    struct aspace *aspace;
    status_t status = create(ns, ASPACE_PROCESS, &aspace);
    if (status != OK) return status;
    status = arch_pmap_init_process(&aspace->pmap, &aspace->source.base);
    return create_end(aspace, status, out);
}

status_t aspace_create_restricted(struct namespace *ns, struct aspace *owner, struct aspace **out) {
    struct aspace *aspace;
    status_t status = create(ns, ASPACE_RESTRICTED, &aspace);
    if (status != OK) return status;
    object_get(&owner->base);
    aspace->owner = owner;
    status = arch_pmap_init_restricted(&aspace->pmap, &owner->pmap, &aspace->source.base);
    return create_end(aspace, status, out);
}

static bool aspace_kill(struct object *object) {
    return aspace_clear_some((struct aspace *)object);
}

static void aspace_free(struct object *object) NO_THREAD_SAFETY_ANALYSIS { // nobody else has it
    struct aspace *aspace = (struct aspace *)object;
    while (!aspace_clear_some(aspace))
        sched_preempt_point();
    if (aspace->pmap.source) arch_pmap_destroy(&aspace->pmap);
    if (aspace->owner) object_put(&aspace->owner->base);
}

const struct object_ops aspace_object_ops = {
    .kill = aspace_kill,
    .free = aspace_free,
};
