// Address spaces: a sorted set of mappings.
//
// Rules:
// - A process aspace covers slot 255; a restricted aspace slots 0-254 of one personality process.
// - Private pages live in the page table itself, with a reference each, and are paid by whoever's
//   write made them. A present page of a private mapping whose frame is not the memory object's
//   is private. A page with more than one reference is never mapped writable privately.
// - Lock order: aspace → memobj. Two aspaces (fork, clone): the source first, same rank; the
//   target is not yet known to anybody.
// - Unmapped pages are put only after arch_gather_flush().
#ifndef OBJECT_ASPACE_H
#define OBJECT_ASPACE_H

#include "arch/arch.h"
#include "object/memobj.h"
#include "object/revoker.h"

struct process;

enum aspace_kind : u32 { ASPACE_PROCESS, ASPACE_RESTRICTED };

struct mapping {
    u64 start, end;        // page-aligned
    u64 offset;            // bytes into the object
    struct memobj *object; // with a reference; nullptr: anonymous private
    u32 flags;             // CL_MAP_READ | WRITE | EXECUTE | SHARED
    u32 allowed;           // rights that protect may give (READ, WRITE, EXECUTE)
    struct aspace *aspace;
    struct mapping *left, *right; // the aspace's tree
    u32 priority;
    struct list order_link;  // in address order, under the aspace's lock
    struct list object_link; // under the object's lock
    struct revocable revocable;
};

struct aspace {
    struct object base;
    enum aspace_kind kind; // constant
    u64 low, high;         // constant: [low, high)
    // The process whose slot 255 a restricted aspace shares, by its aspace, referenced; constant.
    struct aspace *owner;
    struct ledger_page_source source;
    struct lock lock; // rank LOCK_ASPACE
    struct arch_pmap pmap GUARDED_BY(&lock);
    struct mapping *root GUARDED_BY(&lock);
    struct list mappings GUARDED_BY(&lock);
    u64 private_pages GUARDED_BY(&lock);
    bool is_frozen GUARDED_BY(&lock);
};

status_t aspace_create_process(struct namespace *ns, struct aspace **out);
status_t aspace_create_restricted(struct namespace *ns, struct aspace *owner, struct aspace **out);
struct aspace_map_args {
    struct memobj *object; // nullptr: anonymous
    struct revoker *revoker;
    u64 offset, address, size;
    u32 flags;          // CL_MAP_*
    u32 allowed_rights; // of the handle to the object: RIGHT_READ, WRITE, EXECUTE
};
status_t aspace_map(struct aspace *aspace, const struct aspace_map_args *args, u64 *mapped);
status_t aspace_unmap(struct aspace *aspace, u64 address, u64 size);
// Unmaps everything, in bounded steps; false: call again.
bool aspace_clear_some(struct aspace *aspace);
// Copy-on-write twin in the same namespace (fork), or of a frozen template in another (clone:
// writable private pages are reserved from `ns`). Preemptible.
status_t aspace_fork(struct aspace *aspace, struct aspace **out);
status_t aspace_clone(struct aspace *frozen_template, struct namespace *ns, struct aspace **out);
// Makes it immutable: BAD_STATE if it has shared writable mappings.
status_t aspace_freeze(struct aspace *aspace);

#endif
