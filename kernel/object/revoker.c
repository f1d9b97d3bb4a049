// Revokers. Revoking marks first and then undoes; what is linked while that goes on finds the mark
// under the revoker's lock and is refused.
#include "object/revoker.h"

#include "kernel/handlers.h"
#include "object/namespace.h"
#include "sched/thread.h"

static void revoke_child(struct object *child, struct revoker *parent, u64 key);

status_t revoker_create(struct namespace *ns, struct revoker *parent, struct revoker **out) {
    if (parent && parent->depth == REVOKER_DEPTH_MAX) return ERR_LIMIT;
    struct revoker *revoker = object_alloc(ns, OBJ_REVOKER, sizeof(*revoker));
    if (!revoker) return ERR_NO_RESOURCES;
    lock_init(&revoker->lock, LOCK_REVOKER);
    list_init(&revoker->handles);
    list_init(&revoker->revocables);
    list_init(&revoker->leaving);
    revoker->depth = parent ? parent->depth + 1 : 1;
    revoker->parent = parent;
    if (parent) object_get(&parent->base);
    status_t status = revocable_link(&revoker->by_parent, parent, &revoker->base, 0, revoke_child);
    if (status != OK) {
        object_put(&revoker->base);
        return status;
    }
    object_publish(&revoker->base);
    *out = revoker;
    return OK;
}

bool revoker_is_revoked(const struct revoker *revoker) {
    for (; revoker; revoker = revoker->parent)
        if (__atomic_load_n(&revoker->revoked, __ATOMIC_ACQUIRE) || object_is_dead(&revoker->base))
            return true;
    return false;
}

bool revoker_is_below(const struct revoker *revoker, const struct revoker *above) {
    return revoker == above || (revoker && revoker_is_below(revoker->parent, above));
}

status_t revocable_link(struct revocable *revocable, struct revoker *revoker, struct object *owner,
                        u64 key,
                        void (*revoke)(struct object *owner, struct revoker *revoker, u64 key)) {
    *revocable = (struct revocable){.revoke = revoke, .owner = owner, .key = key};
    list_init(&revocable->link);
    if (!revoker) return OK;
    lock_acquire(&revoker->lock);
    bool revoked = revoker_is_revoked(revoker);
    if (!revoked) {
        object_get(&revoker->base);
        revocable->revoker = revoker;
        list_insert_tail(&revoker->revocables, &revocable->link);
    }
    lock_release(&revoker->lock);
    return revoked ? ERR_REVOKED : OK;
}

void revocable_unlink(struct revocable *revocable) {
    struct revoker *revoker = revocable->revoker;
    if (!revoker) return;
    lock_acquire(&revoker->lock);
    bool was_linked = !list_empty(&revocable->link);
    list_remove(&revocable->link);
    lock_release(&revoker->lock);
    if (was_linked) object_put(&revoker->base);
}

// Undoes what one owner of mappings or registrations has of this revoker. False when there are no
// more. An owner that is being freed unlinks its own, when it has a processor: nobody waits for that,
// as nobody can use them.
static bool undo_one(struct revoker *revoker) {
    lock_acquire(&revoker->lock);
    struct revocable *first = list_first(&revoker->revocables, struct revocable, link);
    struct revocable found = first ? *first : (struct revocable){};
    bool is_alive = first && object_tryget(found.owner);
    if (first && !is_alive) {
        list_remove(&first->link);
        list_insert_tail(&revoker->leaving, &first->link);
    }
    lock_release(&revoker->lock);
    if (is_alive) {
        found.revoke(found.owner, revoker, found.key);
        object_put(found.owner);
    }
    return first != nullptr;
}

// Flag, then undo all dependents. Preemptible; no locks held. Recursion is at most
// REVOKER_DEPTH_MAX deep.
status_t sys_revoker_revoke(struct revoker *revoker) {
    lock_acquire(&revoker->lock);
    __atomic_store_n(&revoker->revoked, 1, __ATOMIC_RELEASE);
    lock_release(&revoker->lock);
    handles_revoke(revoker);
    while (undo_one(revoker))
        sched_preempt_point();
    return OK;
}

static void revoke_child(struct object *object, struct revoker *, u64) {
    struct revoker *child = (struct revoker *)object;
    (void)sys_revoker_revoke(child);
    revocable_unlink(&child->by_parent);
}

static void revoker_close(struct object *object) {
    (void)sys_revoker_revoke((struct revoker *)object);
}

static void revoker_free(struct object *object) {
    struct revoker *revoker = (struct revoker *)object;
    revocable_unlink(&revoker->by_parent);
    if (revoker->parent) object_put(&revoker->parent->base);
}

const struct object_ops revoker_object_ops = {
    .close = revoker_close,
    .free = revoker_free,
};

status_t sys_handle_duplicate_revocable(const struct handle_info *handle, u32 rights,
                                        struct handle_info *copy, struct revoker **revoker) {
    if (handle->object->type == OBJ_REVOKER) return ERR_WRONG_TYPE;
    struct handle_info plain;
    status_t status = sys_handle_duplicate(handle, rights, &plain);
    if (status != OK) return status;
    status = revoker_create(ns_current(), plain.revoker, revoker);
    if (status == OK) {
        struct handle_info revocable = {plain.object, plain.rights, plain.user, *revoker};
        (void)sys_handle_duplicate(&revocable, CL_RIGHTS_SAME, copy);
    }
    handle_info_put(&plain);
    return status;
}
