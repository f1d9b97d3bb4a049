// Address spaces: a sorted set of mappings.
//
// Rules:
// - A process aspace covers slot 255; a restricted aspace slots 0-254 of one personality process.
// - Each present page-table entry holds a reference to its page. Private pages are nowhere else
//   and are paid by the namespace of the aspace whose write made them. A private mapping's page is
//   writable only while the entry has the sole reference and the aspace's namespace pays for it;
//   else a write makes a copy.
// - Pages of a mapping without any right stay entered, inaccessible.
// - Lock order: aspace → memobj. Two aspaces (fork, clone): the source first, same rank; the
//   target is not yet known to anybody.
// - Unmapped pages are put only after arch_gather_flush(). Objects and revokers are put, and
//   mappings freed, without the lock.
// - Long work goes in steps of bounded length; between them the lock is open, and what was found
//   before is looked up again.
#pragma once

#include "arch/arch.h"
#include "object/mapping.h"
#include "object/memobj.h"

struct process;

struct aspace {
    struct object base;
    u64 low, high; // constant: [low, high)
    // The process whose slot 255 a restricted aspace shares, by its aspace, referenced; nullptr: a
    // process's own. Constant.
    struct aspace *owner;
    struct lock lock; // rank LOCK_ASPACE
    struct arch_pmap pmap GUARDED_BY(&lock);
    struct mapping_set mappings GUARDED_BY(&lock);
    bool is_frozen GUARDED_BY(&lock);
};

// A restricted one of the process whose aspace is `owner`; nullptr: a process's own.
status_t aspace_create(struct namespace *ns, struct aspace *owner, struct aspace **out);

// The system calls aspace_map, unmap, protect, discard and move are all there is to change mappings:
// BAD_STATE for a frozen, DEAD for a killed aspace.

// Unmaps everything. Preemptible.
void aspace_clear(struct aspace *aspace);
// Takes what lies beyond `size` bytes of an object out of its mappings, and marks these as having
// seen this resize; of a dead object, removes the mappings. Preemptible.
void aspace_cut_object(struct aspace *aspace, struct memobj *memobj, u64 size, u32 resizes);

// Copy-on-write twin in the same namespace (fork: no payer), or of a frozen template in another
// (clone: writable private pages are copied and paid at once). Preemptible.
status_t aspace_copy(struct aspace *from, struct namespace *ns, struct ledger *payer,
                     struct aspace **out);
// Makes it immutable: BAD_STATE if it has shared writable mappings.
status_t aspace_freeze(struct aspace *aspace);

// Resolves a fault: `access` is one of CL_MAP_READ, WRITE and EXECUTE. May block. BAD_POINTER: nothing is mapped;
// ACCESS_DENIED; NO_RESOURCES; what memobj_get_page gives.
status_t aspace_fault(struct aspace *aspace, u64 address, u32 access);
