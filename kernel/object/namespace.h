// Namespaces: names, a ledger, processes, children.
//
// Rules:
// - Parents are locked before children. A namespace keeps a reference to its parent.
// - Whatever is charged to a namespace is on its list of objects; killing it walks that list.
// - States: alive → dying (ns_kill; nothing can be charged for new objects) → gone (unlinked from
//   the parent, TERMINATED signalled, when the last page is back).
// - Other objects may keep a reference to a gone namespace; its struct is charged to its parent.
#pragma once

#include "device/turns.h"
#include "object/handle.h"
#include "sched/thread.h"

struct name; // object/name.c

enum ns_state : u32 { NS_ALIVE, NS_DYING, NS_GONE };

struct namespace {
    struct object base; // charged to the parent
    struct ledger ledger;
    struct sched_group group;
    struct namespace *parent; // constant; nullptr for the root
    u32 state;                // atomic

    struct lock objects_lock; // rank LOCK_OBJECT_LIST
    struct list objects GUARDED_BY(&objects_lock);

    struct handle_holder holder;         // of the handles in its names
    struct lock lock;                    // rank LOCK_NAMESPACE
    struct list names GUARDED_BY(&lock); // struct name, in order of creation
    u64 name_position_next GUARDED_BY(&lock);
    struct list *listed GUARDED_BY(&lock); // in names: the last that was listed, or the head
    struct list dying_link;                // the reaper's

    // Log rate, under lock:
    u64 log_second GUARDED_BY(&lock);
    u64 log_used GUARDED_BY(&lock);
    u64 log_limit GUARDED_BY(&lock);
    struct turns turns[TURN_KINDS]; // under lock

    struct sched_node sched_nodes[]; // one for each CPU; the root has none
};

extern struct namespace *ns_root;

// Boot: the root namespace, statically allocated, and the reaper.
void ns_init_root(void);
// The current process's namespace (borrowed).
struct namespace *ns_current(void);
static inline bool ns_is_alive(const struct namespace *ns) {
    return __atomic_load_n(&ns->state, __ATOMIC_ACQUIRE) == NS_ALIVE;
}
static inline bool ns_is_gone(const struct namespace *ns) {
    return __atomic_load_n(&ns->state, __ATOMIC_ACQUIRE) == NS_GONE;
}
// Counts one thing more before it is allocated. NO_RESOURCES, or DEAD for a namespace that is
// dying: then nothing may be charged to it. A namespace does not end while something is counted.
status_t ns_count_begin(struct namespace *ns, enum ledger_count what);
static inline u64 ns_counted(const struct namespace *ns, enum ledger_count what) {
    return (u64)__atomic_load_n(&ns->ledger.counters[what].used, __ATOMIC_SEQ_CST);
}
// The next child, not gone, after `last` (nullptr: the first), referenced; drops `last`. Preemptible.
struct namespace *ns_child_after(struct namespace *ns, struct namespace *last);
