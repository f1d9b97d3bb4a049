// Who shares the processors with whom: a tree of groups, one for each namespace, whose leaves are
// threads. What competes below one group gets time by weight; a thread weighs as much as a new
// namespace.
//
// Rules:
// - On each CPU the tree is a node for each group, under that CPU's run queue's lock. A node's
//   entity waits in its parent's heap exactly while something waits in its own.
// - An entity's virtual time is its processor time, slower the more it weighs. Who has least is
//   next. It is charged when a thread leaves the CPU; a thread that hands the CPU over directly
//   keeps a debt of at most DEBT_NS_MAX until it is queued again, or ends.
// - Who was asleep starts at most BONUS_NS behind the others: soon served, never owed a lot. What
//   has not waited for long (calls hand the CPU over) is brought there before it is charged.
// - A new thread goes on from its creator, and not before one of its namespace that has ended.
// - Time in which nobody waits for the CPU is not charged.
// - A cap holds for all that is below a group, on all CPUs, whether somebody waits or not. Who is
//   beyond it sleeps on its way to user mode, never with something of the kernel in hand: one of
//   a group for the time, the others until that one goes on.
// - What a thread does for another group it does in its own turn; it is charged there afterwards, as
//   far as that group is not far behind the others already.
#pragma once

#include "lib/list.h"
#include "lib/lock.h"
#include "lib/skew.h"
#include "sched/waitq.h"

enum : u64 { SCHED_WEIGHT_DEFAULT = 100 };

// What waits for its turn: a thread, or a group on one CPU.
struct sched_entity {
    // Its key: virtual time, in nanoseconds of the default weight; 0: new. Its tag: 1 for a group.
    struct skew_node node;
};

struct sched_group;

// A group on one CPU; under its run queue's lock.
struct sched_node {
    struct sched_entity entity; // in the parent's heap
    struct skew_heap ready;     // entities
    u64 start_ns;               // virtual time at which who comes anew starts; only grows
    struct sched_node *parent;  // constant; nullptr: the CPU's root
    struct sched_group *group;  // constant
    u32 depth;                  // constant; 0: the root
    u32 is_queued;
};

struct sched_group {
    struct sched_node *nodes;   // constant; one for each CPU; nullptr: the root
    struct sched_group *parent; // constant; nullptr: the root
    u64 weight;                 // atomic
    u64 cap_thousandths;        // atomic; of one CPU; 0: none
    u64 capped_from_ns;         // atomic; when it got this cap
    u64 capped_until_ns;        // atomic; what has run is allowed from then on
    u64 run_ns;                 // atomic
    struct list workers;        // struct thread.work_link: who works for it (work.c)
    struct lock cap_lock;
    struct waitq capped GUARDED_BY(&cap_lock); // its threads beyond a cap, but for the first
    bool has_first GUARDED_BY(&cap_lock);      // one sleeps for the time, not in the queue
    u32 sleepers;                              // atomic; how many do, here and below, for its cap
};

// `nodes` has room for one node for each CPU. The parent outlives it.
void sched_group_init(struct sched_group *group, struct sched_group *parent,
                      struct sched_node *nodes);
// A cap in thousandths of one CPU; 0: none.
void sched_group_cap(struct sched_group *group, u64 thousandths);
// It has no threads any more; who works for it goes on for its parent.
void sched_group_end(struct sched_group *group);
// Processor time of its threads until now.
u64 sched_group_run_ns(const struct sched_group *group);
