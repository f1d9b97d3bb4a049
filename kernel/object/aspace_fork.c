// Twins: mappings are copied in address order, in steps, and with each the page-table entries of
// private pages, which become read-only on both sides. Shared mappings' pages are entered by
// faulting. A clone gets copies of its template's writable pages at once: it has to pay for them
// in advance, and writes to nearly all of them. Threads that change the source meanwhile race with the copy as
// two threads do that fork and map at once: each mapping is either as before or as after.
#include "object/aspace_steps.h"
#include "object/namespace.h"

enum { STEP_PAGES = 512, COPY_COST = 16, STEP_MAPPINGS_COPIED = 64 };
enum { WALK_COST = 4 }; // as much walked costs as one page

struct copy {
    struct aspace *from, *to;
    struct ledger *payer; // of a clone's copies; nullptr: a fork
};

// Copies entries of a private mapping from *next on; that is how far it came. A template's own
// entries are never used any more and stay as they are.
static status_t copy_entries(struct copy *copy, const struct mapping *mapping, u64 *budget,
                             struct arch_gather *gather, u64 *next)
    REQUIRES(&copy->from->lock, &copy->to->lock) {
    bool is_copied = copy->payer && mapping->flags & CL_MAP_WRITE;
    u64 cost = is_copied ? COPY_COST : 1;
    struct arch_pmap_copy entries = {
        .from = &copy->from->pmap,
        .to = &copy->to->pmap,
        .gather = copy->payer ? nullptr : gather,
        .payer = is_copied ? copy->payer : nullptr,
        .map_flags = mapping->flags & MAPPING_RIGHTS,
        .limit = (*budget + cost - 1) / cost,
    };
    status_t status = arch_pmap_copy(&entries, next, mapping->end);
    *budget -= min(*budget, entries.count * cost + entries.walked / WALK_COST);
    return status;
}

// Copies (the rest of) one mapping, or as much as the budget of pages allows.
static status_t copy_mapping(struct copy *copy, const struct mapping *mapping, u64 *at, u64 *budget,
                             struct aspace_step *step)
    REQUIRES(&copy->from->lock, &copy->to->lock) {
    u64 start = max(*at, mapping->start);
    struct mapping *part;
    status_t status = mapping_create(copy->to, mapping, start, mapping->end, start, &part);
    if (status != OK) return status;
    u64 next = mapping->end;
    if (!(mapping->flags & CL_MAP_SHARED)) {
        next = start;
        status = copy_entries(copy, mapping, budget, &step->gather, &next);
    }
    *at = next;
    if (next == start) {
        list_insert_tail(&step->removed, &part->order_link);
        return status;
    }
    // What has been entered must be covered by a mapping, even if the copy fails here.
    part->end = next;
    if (part->object) memobj_attach_part(part, mapping);
    aspace_insert(copy->to, part, step);
    return status;
}

static status_t copy_some(struct copy *copy, u64 *at, struct aspace_step *step)
    REQUIRES(&copy->from->lock, &copy->to->lock) {
    u64 budget = STEP_PAGES;
    for (u32 i = 0; i < STEP_MAPPINGS_COPIED && budget > 0; i++) {
        const struct mapping *mapping = mapping_find(&copy->from->mappings, *at);
        if (!mapping) {
            *at = copy->from->high;
            break;
        }
        status_t status = copy_mapping(copy, mapping, at, &budget, step);
        if (status != OK) return status;
    }
    return OK;
}

static status_t copy_step(struct aspace *from, void *args, u64 *at, u64, struct aspace_step *step)
    NO_THREAD_SAFETY_ANALYSIS { // `from`, which is locked, is copy->from
    struct copy *copy = args;
    if (object_is_dead(&from->base)) return ERR_DEAD;
    if (copy->payer && !from->is_frozen) return ERR_BAD_STATE;
    lock_acquire_same_rank(&copy->to->lock);
    status_t status = copy_some(copy, at, step);
    lock_release(&copy->to->lock);
    return status;
}

status_t aspace_copy(struct aspace *from, struct namespace *ns, struct ledger *payer,
                     struct aspace **out) {
    struct copy copy = {.from = from, .payer = payer};
    status_t status = aspace_create(ns, from->owner, &copy.to);
    if (status != OK) return status;
    status = aspace_walk(from, from->low, from->high, copy_step, &copy);
    if (status == OK)
        *out = copy.to;
    else
        object_put(&copy.to->base);
    return status;
}
