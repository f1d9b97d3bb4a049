// Objects: allocation, references, death, signals.
#include "object/object.h"

#include "object/handle.h"
#include "object/namespace.h"
#include "object/port.h"
#include "object/trace.h"

static u64 koid_new(void) {
    static u64 last;
    return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

void object_init(struct object *object, struct namespace *ns, u32 type) {
    object->refs = 1;
    object->type = (u8)type;
    object->koid = koid_new();
    object->ns = ns;
    lock_init(&object->handles_lock, LOCK_OBJECT_HANDLES);
    lock_init(&object->lock, LOCK_SIGNALS);
    list_init(&object->handles);
    list_init(&object->observers);
    waitq_init(&object->waiters);
    list_init(&object->ns_link);
}

void *object_alloc(struct namespace *ns, u32 type, usize size) {
    if (ns_count_begin(ns, LEDGER_OBJECTS) != OK) return nullptr;
    struct object *object = heap_alloc(&ns->ledger, size);
    if (!object) {
        ledger_count_sub(&ns->ledger, LEDGER_OBJECTS, 1);
        ns_reap_hint(ns);
        return nullptr;
    }
    object_init(object, ns, type);
    return object;
}

void object_publish(struct object *object) {
    struct namespace *ns = object->ns;
    lock_acquire(&ns->objects_lock);
    list_insert_tail(&ns->objects, &object->ns_link);
    lock_release(&ns->objects_lock);
    // Killed meanwhile: the reaper waits for what is counted, and finds it on the list now.
    ns_reap_hint(ns);
}

bool object_tryget(struct object *object) {
    u32 refs = __atomic_load_n(&object->refs, __ATOMIC_RELAXED);
    while (refs != 0)
        if (__atomic_compare_exchange_n(&object->refs, &refs, refs + 1, true, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return true;
    return false;
}

void object_free(struct object *object) {
    const struct object_ops *ops = object_ops[object->type];
    struct namespace *ns = object->ns;
    bool is_dying = !ns_is_alive(ns); // if not yet, the reaper looks again
    // Who told us of a signal (object_signal_put) may not have let go of the lock yet.
    lock_acquire(&object->lock);
    lock_release(&object->lock);
    if (ops->free) ops->free(object);
    list_remove_under(&ns->objects_lock, &object->ns_link);
    heap_free(object);
    ledger_count_sub(&ns->ledger, LEDGER_OBJECTS, 1); // with it the namespace may be gone
    if (is_dying) reaper_wake();
}

void object_close(struct object *object) {
    const struct object_ops *ops = object_ops[object->type];
    port_observers_drop(object);
    if (ops->close) ops->close(object);
}

void object_kill(struct object *object) {
    if (__atomic_exchange_n(&object->dead, 1, __ATOMIC_ACQ_REL)) return;
    trace_event(TRACE_OBJECT_KILL, object->koid, object->type);
    handles_entomb(object);
    port_observers_drop(object);
    lock_acquire(&object->lock);
    waitq_wake_all(&object->waiters, ERR_DEAD);
    lock_release(&object->lock);
    const struct object_ops *ops = object_ops[object->type];
    if (ops->kill)
        ops->kill(object);
    else if (ops->close)
        ops->close(object);
}

static void signal_locked(struct object *object, u32 clear, u32 set) REQUIRES(&object->lock) {
    u32 before = object->signals;
    u32 after = (before & ~clear) | set;
    __atomic_store_n(&object->signals, after, __ATOMIC_RELAXED);
    if (after & ~before) {
        waitq_wake_all(&object->waiters, OK);
        port_observers_notify(object, after);
    }
}

void object_signal(struct object *object, u32 clear, u32 set) {
    lock_acquire(&object->lock);
    signal_locked(object, clear, set);
    lock_release(&object->lock);
}

void object_signal_put(struct object *object, u32 set) {
    // Who is told and drops the last reference waits for the lock, in object_free().
    lock_acquire(&object->lock);
    bool is_last = __atomic_fetch_sub(&object->refs, 1, __ATOMIC_ACQ_REL) == 1;
    if (!is_last) signal_locked(object, 0, set);
    lock_release(&object->lock);
    if (is_last) object_free(object);
}
