// Handles: making, looking up, ending. The lock of the holder guards which object a handle means.
// From the object's side (entomb) and the revoker's side the handle is found under the list's
// lock, its holder's owner is referenced, and then the holder is locked and the handle looked at
// again: so the order holder → list is kept.
#include "object/handle.h"

#include "kernel/handlers.h"
#include "object/handle_table.h"
#include "object/namespace.h"
#include "object/process.h"
#include "object/revoker.h"
#include "sched/thread.h"

void handle_holder_init(struct handle_holder *holder, struct object *owner, struct ledger *ledger) {
    lock_init(&holder->lock, LOCK_HANDLES);
    holder->owner = owner;
    holder->ledger = ledger;
}

struct handle_table *handle_table_current(void) { return &process_current()->handles; }

// ---- one slot ----

// Makes an empty slot a handle; object and revoker are borrowed. If either is gone the slot
// becomes a tombstone: looked at under the list's lock, so that whoever empties the list either
// finds the slot there or was seen.
static void slot_fill(struct handle *slot, struct handle_holder *holder,
                      const struct handle_info *what) REQUIRES(&holder->lock) {
    struct object *object = what->object;
    struct revoker *revoker = what->revoker;
    *slot = (struct handle){.rights = what->rights, .user = what->user, .holder = holder};
    list_init(&slot->object_link);
    list_init(&slot->revoker_link);
    if (revoker) {
        lock_acquire(&revoker->lock);
        bool is_revoked = revoker_is_revoked(revoker);
        if (!is_revoked) list_insert_tail(&revoker->handles, &slot->revoker_link);
        lock_release(&revoker->lock);
        if (is_revoked) {
            slot->rights = HANDLE_TOMBSTONE_REVOKED;
            return;
        }
        object_get(&revoker->base);
        slot->revoker = revoker;
    }
    lock_acquire(&object->handles_lock);
    if (object_is_dead(object)) {
        slot->rights = HANDLE_TOMBSTONE_DEAD;
    } else {
        object_get(object);
        slot->object = object;
        list_insert_tail(&object->handles, &slot->object_link);
        object->handle_count++;
    }
    lock_release(&object->handles_lock);
}

// What a slot let go of, to be put without locks.
struct released {
    struct object *object;
    struct revoker *revoker;
    bool was_last;
};

// Takes the handle's meaning away; the slot becomes a tombstone of `mark`.
static struct released slot_release(struct handle *slot, u32 mark) {
    struct released released = {.object = slot->object, .revoker = slot->revoker};
    struct object *object = slot->object;
    if (object) {
        lock_acquire(&object->handles_lock);
        list_remove(&slot->object_link);
        released.was_last = --object->handle_count == 0;
        lock_release(&object->handles_lock);
    }
    if (slot->revoker) list_remove_under(&slot->revoker->lock, &slot->revoker_link);
    slot->object = nullptr;
    slot->revoker = nullptr;
    slot->rights = mark;
    return released;
}

static void released_finish(const struct released *released) {
    struct object *object = released->object;
    if (object) {
        if (released->was_last && !object_is_dead(object)) object_close(object);
        object_put(object);
    }
    if (released->revoker) object_put(&released->revoker->base);
}

// `to` takes the place of `from` on a list that both can be on.
static void link_move(struct list *from, struct list *to, struct lock *lock) {
    lock_acquire(lock);
    list_insert_before(from, to);
    list_remove(from);
    lock_release(lock);
}

// Moves a handle or tombstone to an empty slot. The locks of both holders are held; the references
// move along, and whoever walks the lists finds one of the two.
static void slot_move(struct handle *from, struct handle *to, struct handle_holder *holder) {
    // The links are others' to read and write: they move under their lists' locks.
    memcpy(to, from, offsetof(struct handle, holder));
    to->holder = holder;
    list_init(&to->object_link);
    list_init(&to->revoker_link);
    if (from->object) link_move(&from->object_link, &to->object_link, &from->object->handles_lock);
    if (from->revoker) link_move(&from->revoker_link, &to->revoker_link, &from->revoker->lock);
    from->object = nullptr;
    from->revoker = nullptr;
    from->holder = nullptr;
}

void handle_slot_close(struct handle *slot) {
    struct handle_holder *holder = slot->holder;
    lock_acquire(&holder->lock);
    struct released released = slot_release(slot, 0);
    slot->holder = nullptr;
    lock_release(&holder->lock);
    ledger_count_sub(holder->ledger, LEDGER_HANDLES, 1);
    released_finish(&released);
}

// ---- tombstones ----

// The first handle of a list, `link` bytes before its node; nullptr: the list is empty.
static struct handle *list_handle(struct list *list, usize link) {
    return list_empty(list) ? nullptr : (struct handle *)((u8 *)list->next - link);
}

// Turns the first handle of a list into a tombstone; false: the list is empty. A holder whose owner is
// just being freed closes its handles itself.
static bool entomb_first(struct list *list, struct lock *list_lock, usize link, u32 mark) {
    lock_acquire(list_lock);
    struct handle *handle = list_handle(list, link);
    struct handle_holder *holder = handle ? handle->holder : nullptr;
    bool is_held = handle && object_tryget(holder->owner);
    lock_release(list_lock);
    if (!is_held) return handle != nullptr;
    lock_acquire(&holder->lock);
    // Still first, under the same holder: then it is the same handle.
    lock_acquire(list_lock);
    bool same = list_handle(list, link) == handle && handle->holder == holder;
    lock_release(list_lock);
    struct released released = same ? slot_release(handle, mark) : (struct released){};
    lock_release(&holder->lock);
    released_finish(&released);
    object_put(holder->owner);
    return true;
}

void handles_entomb(struct object *object) NO_THREAD_SAFETY_ANALYSIS {
    while (entomb_first(&object->handles, &object->handles_lock,
                        offsetof(struct handle, object_link), HANDLE_TOMBSTONE_DEAD))
        sched_preempt_point();
}

void handles_revoke(struct revoker *revoker) NO_THREAD_SAFETY_ANALYSIS {
    while (entomb_first(&revoker->handles, &revoker->lock, offsetof(struct handle, revoker_link),
                        HANDLE_TOMBSTONE_REVOKED))
        sched_preempt_point();
}

// ---- looking up ----

static SLOW_PATH status_t slot_refuse(const struct handle *slot, u32 type_mask, u32 rights) {
    if (!slot) return ERR_BAD_HANDLE;
    if (!slot->object) return slot->rights & HANDLE_TOMBSTONE_REVOKED ? ERR_REVOKED : ERR_DEAD;
    if (object_is_dead(slot->object)) return ERR_DEAD;
    if (slot->revoker && revoker_is_revoked(slot->revoker)) return ERR_REVOKED;
    if (!(type_mask >> slot->object->type & 1)) return ERR_WRONG_TYPE;
    if ((slot->rights & rights) != rights) return ERR_ACCESS_DENIED;
    return OK;
}

// A plain handle of a live object first; all else takes the long way.
static inline status_t slot_check(const struct handle *slot, u32 type_mask, u32 wanted) {
    const struct object *object = slot ? slot->object : nullptr;
    u32 rights = BREAK(RIGHTS, wanted, wanted & ~(u32)RIGHT_DUPLICATE);
    if (likely(object && !slot->revoker && !object_is_dead(object) &&
               (type_mask >> object->type & 1) && (slot->rights & rights) == rights))
        return OK;
    return slot_refuse(slot, type_mask, rights);
}

status_t handle_get(handle_t handle, u32 type_mask, u32 rights, struct object **out) {
    struct handle_table *table = handle_table_current();
    lock_acquire(&table->holder.lock);
    struct handle *slot = handle_table_slot(table, handle);
    status_t status = slot_check(slot, type_mask, rights);
    if (status == OK) {
        object_get(slot->object);
        *out = slot->object;
    }
    lock_release(&table->holder.lock);
    return status;
}

// Checks a slot and takes the references of what it gives; its holder's lock is held.
static status_t slot_info(const struct handle *slot, u32 type_mask, u32 rights,
                          struct handle_info *out) {
    status_t status = slot_check(slot, type_mask, rights);
    if (status != OK) return status;
    *out = (struct handle_info){slot->object, slot->rights, slot->user, slot->revoker};
    object_get(out->object);
    if (out->revoker) object_get(&out->revoker->base);
    return OK;
}

status_t handle_get_info(handle_t handle, u32 type_mask, u32 rights, struct handle_info *out) {
    struct handle_table *table = handle_table_current();
    lock_acquire(&table->holder.lock);
    status_t status = slot_info(handle_table_slot(table, handle), type_mask, rights, out);
    lock_release(&table->holder.lock);
    return status;
}

status_t handle_slot_info(struct handle *slot, struct handle_info *out) {
    lock_acquire(&slot->holder->lock);
    status_t status = slot_info(slot, OBJ_MASK_ANY, 0, out);
    lock_release(&slot->holder->lock);
    return status;
}

void handle_info_put(struct handle_info *info) {
    object_put(info->object);
    if (info->revoker) object_put(&info->revoker->base);
}

// ---- making ----

status_t handles_reserve(struct handle_table *table, u32 count, handle_t *values) {
    struct ledger *ledger = table->holder.ledger;
    u32 taken = 0, paid = BREAK(CHARGE, count, 0);
    if (ledger_count_add(ledger, LEDGER_HANDLES, paid) != OK) return ERR_NO_RESOURCES;
    lock_acquire(&table->holder.lock);
    while (taken < count && handle_table_take(table, &values[taken]))
        taken++;
    lock_release(&table->holder.lock);
    if (taken == count) return OK;
    ledger_count_sub(ledger, LEDGER_HANDLES, count - taken);
    handles_unreserve(table, taken, values);
    return ERR_NO_RESOURCES;
}

void handles_unreserve(struct handle_table *table, u32 count, const handle_t *values) {
    lock_acquire(&table->holder.lock);
    for (u32 i = 0; i < count; i++)
        handle_table_release(table, values[i]);
    lock_release(&table->holder.lock);
    ledger_count_sub(table->holder.ledger, LEDGER_HANDLES, count);
}

void handle_fill(struct handle_table *table, handle_t value,
                 struct handle_info *what) NO_THREAD_SAFETY_ANALYSIS // the place is ours
{
    handle_slot_fill(handle_table_place(table, value), &table->holder, what);
    handle_info_put(what);
}

void handle_fill_new(struct handle_table *table, handle_t value, struct object *object) {
    struct handle_info what = {.object = object, .rights = object_rights[object->type]};
    handle_fill(table, value, &what);
}

void handle_slot_fill(struct handle *slot, struct handle_holder *holder,
                      const struct handle_info *what) {
    lock_acquire(&holder->lock);
    slot_fill(slot, holder, what);
    lock_release(&holder->lock);
}

// Also for what the kernel derives: fewer or equal rights (RIGHTS_SAME allowed), the same user and
// revoker; referenced. A revoker is never had through another.
status_t sys_handle_duplicate(const struct handle_info *from, u32 rights, struct handle_info *out) {
    if (from->revoker && from->object->type == OBJ_REVOKER) return ERR_WRONG_TYPE;
    if (rights == CL_RIGHTS_SAME) rights = from->rights;
    if (rights & ~(u32)RIGHT_MASK) return ERR_INVALID_ARGUMENT;
    if (rights & ~from->rights) return ERR_ACCESS_DENIED;
    *out = *from;
    out->rights = rights;
    object_get(out->object);
    if (out->revoker) object_get(&out->revoker->base);
    return OK;
}

// Closes the handle in a slot that is in use.
static void table_close_locked(struct handle_table *table, struct handle *slot, handle_t value)
    RELEASE(&table->holder.lock) {
    struct released released = slot_release(slot, 0);
    handle_table_release(table, value);
    lock_release(&table->holder.lock);
    ledger_count_sub(table->holder.ledger, LEDGER_HANDLES, 1);
    released_finish(&released);
}

status_t sys_handle_close(handle_t handle) {
    struct handle_table *table = handle_table_current();
    lock_acquire(&table->holder.lock);
    struct handle *slot = handle_table_slot(table, handle);
    if (slot) {
        table_close_locked(table, slot, handle);
        return OK;
    }
    lock_release(&table->holder.lock);
    return ERR_BAD_HANDLE;
}

void handle_table_close(struct handle_table *table) {
    for (handle_t value = 1;; sched_preempt_point()) {
        lock_acquire(&table->holder.lock);
        struct handle *slot = handle_table_next(table, &value);
        if (!slot) break;
        table_close_locked(table, slot, value);
    }
    lock_release(&table->holder.lock);
}

// ---- moving ----

static status_t take_check(struct handle_table *table, const handle_t *values, u32 count,
                           const struct object *forbidden) REQUIRES(&table->holder.lock) {
    for (u32 i = 0; i < count; i++) {
        struct handle *slot = handle_table_slot(table, values[i]);
        status_t status = slot_check(slot, ~0u, RIGHT_TRANSFER);
        if (status != OK) return status;
        if (slot->object == forbidden) return ERR_INVALID_ARGUMENT;
        for (u32 j = 0; j < i; j++)
            if (values[j] == values[i]) return ERR_BAD_HANDLE;
    }
    return OK;
}

// Two holders at once, in the order of their addresses.
static void holders_lock(struct handle_holder *a,
                         struct handle_holder *b) NO_THREAD_SAFETY_ANALYSIS {
    lock_acquire(a < b ? &a->lock : &b->lock);
    if (a != b) lock_acquire_same_rank(a < b ? &b->lock : &a->lock);
}

static void holders_unlock(struct handle_holder *a,
                           struct handle_holder *b) NO_THREAD_SAFETY_ANALYSIS {
    if (a != b) lock_release(&b->lock);
    lock_release(&a->lock);
}

status_t handles_take(const handle_t *values, u32 count, struct object *forbidden,
                      struct handle_holder *holder,
                      struct handle *slots) NO_THREAD_SAFETY_ANALYSIS {
    struct handle_table *table = handle_table_current();
    holders_lock(&table->holder, holder);
    status_t status = take_check(table, values, count, forbidden);
    for (u32 i = 0; status == OK && i < count; i++) {
        struct handle *slot = handle_table_slot(table, values[i]);
        slot_move(slot, &slots[i], holder);
        handle_table_release(table, values[i]);
    }
    holders_unlock(&table->holder, holder);
    if (status == OK) ledger_count_sub(table->holder.ledger, LEDGER_HANDLES, count);
    return status;
}

status_t handle_move_to(struct handle_table *table, handle_t place, handle_t value,
                        struct object *forbidden) NO_THREAD_SAFETY_ANALYSIS // the place is ours
{
    return handles_take(&value, 1, forbidden, &table->holder, handle_table_place(table, place));
}

void handles_give(struct handle *slots, u32 count,
                  const handle_t *places) NO_THREAD_SAFETY_ANALYSIS {
    if (count == 0) return;
    struct handle_table *table = handle_table_current();
    struct handle_holder *holder = slots[0].holder;
    holders_lock(&table->holder, holder);
    for (u32 i = 0; i < count; i++)
        slot_move(&slots[i], handle_table_place(table, places[i]), &table->holder);
    holders_unlock(&table->holder, holder);
    ledger_count_sub(holder->ledger, LEDGER_HANDLES, count);
}

void handles_drop(struct handle *slots, u32 count) {
    for (u32 i = 0; i < count; i++)
        if (slots[i].holder) handle_slot_close(&slots[i]);
}
