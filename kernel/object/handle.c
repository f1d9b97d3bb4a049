// Handles: making, looking up, ending. The lock of the holder guards which object a handle means.
// From the object's side (entomb) and the revoker's side the handle is found under the list's
// lock, its holder's owner is referenced, and then the holder is locked and the handle looked at
// again: so the order holder → list is kept.
#include "object/handle.h"

#include "object/handle_table.h"
#include "object/namespace.h"
#include "object/process.h"
#include "object/revoker.h"
#include "sched/thread.h"

enum { ENTOMB_BATCH = 32 };

static struct ledger *holder_ledger(const struct handle_holder *holder) {
    return &holder->owner->ns->ledger;
}

// ---- one slot ----

// Makes an empty slot a handle. `object` and `revoker` are borrowed.
static void slot_fill(struct handle *slot, struct handle_holder *holder, struct object *object,
                      u32 rights, u32 user, struct revoker *revoker) REQUIRES(&holder -> lock) {
    slot->rights = rights;
    slot->user = user;
    slot->holder = holder;
    slot->revoker = revoker;
    list_init(&slot->object_link);
    list_init(&slot->revoker_link);
    object_get(object);
    slot->object = object;
    lock_acquire(&object->handles_lock);
    list_insert_tail(&object->handles, &slot->object_link);
    object->handle_count++;
    lock_release(&object->handles_lock);
    if (revoker) {
        object_get(&revoker->base);
        lock_acquire(&revoker->lock);
        list_insert_tail(&revoker->handles, &slot->revoker_link);
        lock_release(&revoker->lock);
    }
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
    if (slot->revoker) {
        lock_acquire(&slot->revoker->lock);
        list_remove(&slot->revoker_link);
        lock_release(&slot->revoker->lock);
    }
    slot->object = nullptr;
    slot->revoker = nullptr;
    slot->rights = mark;
    return released;
}

static void released_finish(const struct released *released) {
    struct object *object = released->object;
    if (object) {
        const struct object_ops *ops = object_ops[object->type];
        if (released->was_last && !object_is_dead(object) && ops->unhandled) ops->unhandled(object);
        object_put(object);
    }
    if (released->revoker) object_put(&released->revoker->base);
}

void handle_slot_close(struct handle *slot) {
    struct handle_holder *holder = slot->holder;
    lock_acquire(&holder->lock);
    struct released released = slot_release(slot, 0);
    slot->holder = nullptr;
    lock_release(&holder->lock);
    ledger_count_sub(holder_ledger(holder), LEDGER_HANDLES, 1);
    released_finish(&released);
}

// ---- tombstones ----

// The first handle on a list, with its holder's owner referenced; the list's lock is held.
// nullptr when the owner is being freed: it closes the handle itself, just now.
static struct handle_holder *holder_get(const struct handle *handle) {
    return object_tryget(handle->holder->owner) ? handle->holder : nullptr;
}

bool handles_entomb_some(struct object *object) {
    for (u32 i = 0; i < ENTOMB_BATCH; i++) {
        lock_acquire(&object->handles_lock);
        struct handle *handle = list_first(&object->handles, struct handle, object_link);
        struct handle_holder *holder = handle ? holder_get(handle) : nullptr;
        lock_release(&object->handles_lock);
        if (!handle) return true;
        if (!holder) return false;
        lock_acquire(&holder->lock);
        // Still on the list under our holder: nobody else can have reused the slot since.
        lock_acquire(&object->handles_lock);
        bool same = list_first(&object->handles, struct handle, object_link) == handle &&
                    handle->holder == holder;
        lock_release(&object->handles_lock);
        struct released released = {};
        if (same) released = slot_release(handle, HANDLE_TOMBSTONE_DEAD);
        lock_release(&holder->lock);
        released.was_last = false;
        released_finish(&released);
        object_put(holder->owner);
    }
    return false;
}

bool handles_revoke_some(struct revoker *revoker) {
    for (u32 i = 0; i < ENTOMB_BATCH; i++) {
        lock_acquire(&revoker->lock);
        struct handle *handle = list_first(&revoker->handles, struct handle, revoker_link);
        struct handle_holder *holder = handle ? holder_get(handle) : nullptr;
        lock_release(&revoker->lock);
        if (!handle) return true;
        if (!holder) return false;
        lock_acquire(&holder->lock);
        lock_acquire(&revoker->lock);
        bool same = list_first(&revoker->handles, struct handle, revoker_link) == handle &&
                    handle->holder == holder;
        lock_release(&revoker->lock);
        struct released released = {};
        if (same) released = slot_release(handle, HANDLE_TOMBSTONE_REVOKED);
        lock_release(&holder->lock);
        released_finish(&released);
        object_put(holder->owner);
    }
    return false;
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
static inline status_t slot_check(const struct handle *slot, u32 type_mask, u32 rights) {
    const struct object *object = slot ? slot->object : nullptr;
    if (likely(object && !slot->revoker && !object_is_dead(object) &&
               (type_mask >> object->type & 1) && (slot->rights & rights) == rights))
        return OK;
    return slot_refuse(slot, type_mask, rights);
}

status_t handle_get(handle_t handle, u32 type_mask, u32 rights, struct object **out) {
    struct handle_table *table = &process_current()->handles;
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

status_t handle_get_info(handle_t handle, u32 type_mask, u32 rights, struct handle_info *out) {
    struct handle_table *table = &process_current()->handles;
    lock_acquire(&table->holder.lock);
    struct handle *slot = handle_table_slot(table, handle);
    status_t status = slot_check(slot, type_mask, rights);
    if (status == OK) {
        *out = (struct handle_info){slot->object, slot->rights, slot->user, slot->revoker};
        object_get(out->object);
        if (out->revoker) object_get(&out->revoker->base);
    }
    lock_release(&table->holder.lock);
    return status;
}

void handle_info_put(struct handle_info *info) {
    object_put(info->object);
    if (info->revoker) object_put(&info->revoker->base);
}

// ---- making ----

static status_t create_in(struct handle_table *table, struct object *object, u32 rights, u32 user,
                          struct revoker *revoker, handle_t *out) {
    struct ledger *ledger = holder_ledger(&table->holder);
    if (ledger_count_add(ledger, LEDGER_HANDLES, 1) != OK) return ERR_NO_RESOURCES;
    lock_acquire(&table->holder.lock);
    struct handle *slot = handle_table_take(table, out);
    if (slot) slot_fill(slot, &table->holder, object, rights, user, revoker);
    lock_release(&table->holder.lock);
    if (slot) return OK;
    ledger_count_sub(ledger, LEDGER_HANDLES, 1);
    return ERR_NO_RESOURCES;
}

status_t handle_create(struct object *object, u32 rights, u32 user, struct revoker *revoker,
                       handle_t *out) {
    return create_in(&process_current()->handles, object, rights, user, revoker, out);
}

status_t handle_create_in(struct process *process, struct object *object, u32 rights,
                          handle_t *out) {
    return create_in(&process->handles, object, rights, CL_USER_ROOT, nullptr, out);
}

status_t handle_slot_make(struct handle *slot, struct handle_holder *holder, struct object *object,
                          u32 rights) {
    if (ledger_count_add(holder_ledger(holder), LEDGER_HANDLES, 1) != OK) return ERR_NO_RESOURCES;
    lock_acquire(&holder->lock);
    slot_fill(slot, holder, object, rights, CL_USER_ROOT, nullptr);
    lock_release(&holder->lock);
    return OK;
}

status_t handle_rights_narrow(const struct handle_info *from, u32 *rights) {
    if (*rights == CL_RIGHTS_SAME) *rights = from->rights;
    if (*rights & ~(u32)RIGHT_MASK) return ERR_INVALID_ARGUMENT;
    return *rights & ~from->rights ? ERR_ACCESS_DENIED : OK;
}

status_t handle_derive(const struct handle_info *from, u32 rights, struct revoker *revoker,
                       handle_t *out) {
    status_t status = handle_rights_narrow(from, &rights);
    if (status != OK) return status;
    return handle_create(from->object, rights, from->user, revoker ? revoker : from->revoker, out);
}

status_t handle_close(handle_t handle) {
    struct handle_table *table = &process_current()->handles;
    struct released released;
    lock_acquire(&table->holder.lock);
    struct handle *slot = handle_table_slot(table, handle);
    if (!slot) {
        lock_release(&table->holder.lock);
        return ERR_BAD_HANDLE;
    }
    released = slot_release(slot, 0);
    handle_table_release(table, slot, handle);
    lock_release(&table->holder.lock);
    ledger_count_sub(holder_ledger(&table->holder), LEDGER_HANDLES, 1);
    released_finish(&released);
    return OK;
}

bool handle_table_close_some(struct handle_table *table) {
    for (u32 i = 0; i < ENTOMB_BATCH; i++) {
        lock_acquire(&table->holder.lock);
        handle_t value = table->close_next + 1;
        struct handle *slot = handle_table_next(table, &value);
        if (!slot) {
            lock_release(&table->holder.lock);
            return true;
        }
        table->close_next = value - 1;
        struct released released = slot_release(slot, 0);
        handle_table_release(table, slot, value);
        lock_release(&table->holder.lock);
        ledger_count_sub(holder_ledger(&table->holder), LEDGER_HANDLES, 1);
        released_finish(&released);
    }
    return false;
}

// ---- moving ----

static status_t take_check(struct handle_table *table, const handle_t *values, u32 count,
                           const struct object *forbidden) REQUIRES(&table -> holder.lock) {
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

static void transit_count(struct object *object, i32 change) {
    lock_acquire(&object->handles_lock);
    object->handle_count += (u32)change;
    lock_release(&object->handles_lock);
}

// A slot's meaning moves to another place. On the way it counts as a handle, so that closing the
// object's others meanwhile does not close the object for its users.
static void slot_lift(struct handle *slot, struct handle_info *info) {
    *info = (struct handle_info){slot->object, slot->rights, slot->user, slot->revoker};
    if (!slot->object) return;
    object_get(slot->object);
    transit_count(slot->object, 1);
    if (slot->revoker) object_get(&slot->revoker->base);
}

static void slot_drop(struct handle *slot, struct handle_holder *holder,
                      const struct handle_info *info) REQUIRES(&holder -> lock) {
    if (info->object && !object_is_dead(info->object) &&
        !(info->revoker && revoker_is_revoked(info->revoker))) {
        slot_fill(slot, holder, info->object, info->rights, info->user, info->revoker);
        return;
    }
    u32 mark = info->object ? (object_is_dead(info->object) ? HANDLE_TOMBSTONE_DEAD
                                                            : HANDLE_TOMBSTONE_REVOKED)
                            : info->rights;
    *slot = (struct handle){.rights = mark, .holder = holder};
    list_init(&slot->object_link);
    list_init(&slot->revoker_link);
}

static void info_finish(struct handle_info *info, const struct released *released) {
    released_finish(released);
    if (!info->object) return;
    lock_acquire(&info->object->handles_lock);
    bool was_last = --info->object->handle_count == 0;
    lock_release(&info->object->handles_lock);
    struct released transit = {info->object, info->revoker, was_last};
    released_finish(&transit);
}

status_t handles_take_counted(const handle_t *values, u32 count, struct object *forbidden,
                              struct handle_holder *holder, struct handle *slots) {
    struct handle_table *table = &process_current()->handles;
    struct ledger *from = holder_ledger(&table->holder);
    // The two holders' locks are never held together: first everything is checked and marked as
    // leaving under the table's lock, by taking it out; the references bridge the gap.
    struct handle_info infos[CL_MESSAGE_HANDLES_MAX];
    struct released released[CL_MESSAGE_HANDLES_MAX];
    lock_acquire(&table->holder.lock);
    status_t status = take_check(table, values, count, forbidden);
    for (u32 i = 0; status == OK && i < count; i++) {
        struct handle *slot = handle_table_slot(table, values[i]);
        slot_lift(slot, &infos[i]);
        released[i] = slot_release(slot, 0);
        handle_table_release(table, slot, values[i]);
    }
    lock_release(&table->holder.lock);
    if (status != OK) return status;
    lock_acquire(&holder->lock);
    for (u32 i = 0; i < count; i++)
        slot_drop(&slots[i], holder, &infos[i]);
    lock_release(&holder->lock);
    for (u32 i = 0; i < count; i++)
        info_finish(&infos[i], &released[i]);
    ledger_count_sub(from, LEDGER_HANDLES, count);
    return OK;
}

status_t handles_take(const handle_t *values, u32 count, struct object *forbidden,
                      struct handle_holder *holder, struct handle *slots) {
    struct ledger *to = holder_ledger(holder);
    if (ledger_count_add(to, LEDGER_HANDLES, count) != OK) return ERR_NO_RESOURCES;
    status_t status = handles_take_counted(values, count, forbidden, holder, slots);
    if (status != OK) ledger_count_sub(to, LEDGER_HANDLES, count);
    return status;
}

static status_t reserve_in(struct handle_table *table, u32 count) {
    struct ledger *to = holder_ledger(&table->holder);
    if (ledger_count_add(to, LEDGER_HANDLES, count) != OK) return ERR_NO_RESOURCES;
    lock_acquire(&table->holder.lock);
    bool has_room = handle_table_reserve(table, count);
    lock_release(&table->holder.lock);
    if (has_room) return OK;
    ledger_count_sub(to, LEDGER_HANDLES, count);
    return ERR_NO_RESOURCES;
}

static void give_in(struct handle_table *table, struct handle *slots, u32 count, handle_t *values) {
    for (u32 i = 0; i < count; i++) {
        struct handle_holder *holder = slots[i].holder;
        struct ledger *from = holder_ledger(holder);
        struct handle_info info;
        lock_acquire(&holder->lock);
        slot_lift(&slots[i], &info);
        struct released released = slot_release(&slots[i], 0);
        slots[i].holder = nullptr;
        lock_release(&holder->lock);
        lock_acquire(&table->holder.lock);
        struct handle *slot = handle_table_take_reserved(table, &values[i]);
        slot_drop(slot, &table->holder, &info);
        lock_release(&table->holder.lock);
        info_finish(&info, &released);
        ledger_count_sub(from, LEDGER_HANDLES, 1);
    }
}

status_t handles_reserve(u32 count) { return reserve_in(&process_current()->handles, count); }

void handles_unreserve(u32 count) {
    struct handle_table *table = &process_current()->handles;
    lock_acquire(&table->holder.lock);
    handle_table_unreserve(table, count);
    lock_release(&table->holder.lock);
    ledger_count_sub(holder_ledger(&table->holder), LEDGER_HANDLES, count);
}

void handles_give_reserved(struct handle *slots, u32 count, handle_t *values) {
    give_in(&process_current()->handles, slots, count, values);
}

status_t handles_give(struct handle *slots, u32 count, handle_t *values) {
    status_t status = handles_reserve(count);
    if (status == OK) handles_give_reserved(slots, count, values);
    return status;
}

status_t handle_give_to(struct process *process, struct handle *slot, handle_t *value) {
    *value = CL_HANDLE_INVALID;
    status_t status = slot ? reserve_in(&process->handles, 1) : OK;
    if (slot && status == OK) give_in(&process->handles, slot, 1, value);
    return status;
}

void handles_drop(struct handle *slots, u32 count) {
    for (u32 i = 0; i < count; i++)
        if (slots[i].holder) handle_slot_close(&slots[i]);
}
