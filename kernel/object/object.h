// What all objects have in common.
//
// Rules:
// - Every object struct starts with `struct object base`. One reference for each handle and each
//   use by the kernel; the last one frees it (ops->free). Objects are charged to a namespace.
// - A dead object (object_kill) has no handles any more: each became a tombstone that answers
//   DEAD. Its memory goes when the last kernel use ends, which kill hurries.
// - When the last handle is gone (and the object was not killed) ops->close is called: the object
//   closes for its users.
#pragma once

#include "abi/errors.h"
#include "abi/types.h"
#include "lib/list.h"
#include "lib/lock.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/types.h"
#include "mm/heap.h"
#include "mm/ledger.h"
#include "sched/waitq.h"

struct namespace;
struct object;

typedef u32 handle_t;

struct object_ops {
    // The last handle is gone, or the object dies: it closes for its users. May be nullptr. No
    // locks held; may come more than once.
    void (*close)(struct object *object);
    // Dying, where that is more, or other, than closing: undoes what users made of it, preemptibly.
    // Sets nothing free that a running call may use. After it, the kernel's own references fall.
    void (*kill)(struct object *object);
    // The last reference is gone: give back all but the struct itself. May be nullptr.
    void (*free)(struct object *object);
    // detail[4] of object_info. May be nullptr.
    void (*describe)(struct object *object, u64 detail[4]);
};
// By type, generated from the schema: what it does, and what its creator may do with it, which is
// all that some call asks for.
extern const struct object_ops *const object_ops[];
extern const u32 object_rights[];

struct object {
    u32 refs; // atomic
    u8 type;  // OBJ_*
    u8 dead;  // atomic, set once
    u16 reserved;
    u64 koid;
    struct namespace *ns;                          // pays for it
    struct list ns_link;                           // under ns->objects_lock
    struct lock handles_lock;                      // rank LOCK_OBJECT_HANDLES
    struct lock lock;                              // rank LOCK_SIGNALS
    struct list handles GUARDED_BY(&handles_lock); // struct handle
    u32 handle_count GUARDED_BY(&handles_lock);
    u32 signals GUARDED_BY(&lock);           // may be read without, as a hint
    struct list observers GUARDED_BY(&lock); // struct port_registration
    struct waitq waiters GUARDED_BY(&lock);  // object_wait
};

// Allocates from the namespace's heap, zeroed, and initializes `base` with one reference.
// nullptr when the namespace can't pay or is dying.
void *object_alloc(struct namespace *ns, u32 type, usize size);
// Every object, once, when it is complete: from now on the end of its namespace kills it, and
// ns_open_koid finds it. Until then the namespace's end waits for it.
void object_publish(struct object *object);
static inline void object_get(struct object *object) {
    u32 before = __atomic_fetch_add(&object->refs, 1, __ATOMIC_RELAXED);
    DASSERT((i32)before > 0);
}
// False if the last reference is gone already.
bool object_tryget(struct object *object);
// Internal: the last reference is gone.
SLOW_PATH void object_free(struct object *object);
static inline void object_put(struct object *object) {
    u32 before = __atomic_fetch_sub(&object->refs, 1, __ATOMIC_ACQ_REL);
    ASSERT(before != 0);
    if (unlikely(before == 1)) object_free(object);
}
// Makes it dead: tombstones for all handles, then ops->kill or close. Preemptible; no locks.
void object_kill(struct object *object);
// The last handle is gone.
void object_close(struct object *object);
static inline bool object_is_dead(const struct object *object) {
    return __atomic_load_n(&object->dead, __ATOMIC_ACQUIRE) != 0;
}

// What it signals now; a hint, unless only the caller's lock lets it change.
static inline u32 object_signals(const struct object *object) NO_THREAD_SAFETY_ANALYSIS {
    return __atomic_load_n(&object->signals, __ATOMIC_RELAXED);
}
// Changes signals and tells waiters and ports. Takes object->lock; from LOCK_SIGNALS on no lock
// may be held.
void object_signal(struct object *object, u32 clear, u32 set);
// Sets signals and drops a reference: who is told of them does not find that reference any more.
void object_signal_put(struct object *object, u32 set);

// For the root namespace's own object, which nobody pays for (`ns` is nullptr), and object_alloc.
void object_init(struct object *object, struct namespace *ns, u32 type);
// Turns all handles of a dead object into tombstones. Preemptible. In handle.c.
void handles_entomb(struct object *object);
// An object of this namespace is gone: if it is dying, its end may have come. In reaper.c.
void ns_reap_hint(struct namespace *ns);
void reaper_wake(void);
