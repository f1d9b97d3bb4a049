// Revokers: what was given through one can be taken back.
//
// Rules:
// - Handles, mappings and port registrations derived from a revocable copy carry its revoker, by
//   reference, and are on the revoker's lists. A revoker may have a parent: at most 4 in a chain.
// - No handle to a revoker carries a revoker (WRONG_TYPE): the end of one, which closes handles,
//   would be the end of the next, in a recursion as deep as somebody made the chain.
// - A revoker that is revoked, dead or without handles counts as revoked; so do those below it.
// - Revoking sets the flag first (no new call passes), then undoes the dependents one at a time.
#pragma once

#include "object/handle.h"

enum { REVOKER_DEPTH_MAX = 4 };

// What depends on a revoker beside handles: embedded in mappings, port registrations, and revokers.
struct revocable {
    struct revoker *revoker; // with a reference while linked, or nullptr
    struct list link;        // under the revoker's lock
    // Undoes what `owner` knows by `key`, or all in it, that carries `revoker`. Called without locks,
    // `owner` referenced.
    void (*revoke)(struct object *owner, struct revoker *revoker, u64 key);
    struct object *owner; // whose memory this is in (aspace, port)
    u64 key;
};

struct revoker {
    struct object base;
    struct revoker *parent; // constant, with a reference
    u32 depth;              // constant, 1 to 4
    u32 revoked;            // atomic, set once
    struct lock lock;       // rank LOCK_REVOKER
    struct list handles GUARDED_BY(&lock);
    struct list revocables GUARDED_BY(&lock);
    struct list leaving GUARDED_BY(&lock); // revocables whose owners are being freed
    struct revocable by_parent;            // is undone by being revoked
};

// LIMIT when `parent` is at the deepest already; REVOKED, NO_RESOURCES.
status_t revoker_create(struct namespace *ns, struct revoker *parent, struct revoker **out);
// True if this one or one above it is revoked; nullptr is not.
SLOW_PATH bool revoker_is_revoked(const struct revoker *revoker);
// True if the chain that ends with `revoker` has `above` in it; nullptr is in each.
bool revoker_is_below(const struct revoker *revoker, const struct revoker *above);
// Puts a dependent on its revoker's list. REVOKED if that is revoked already (then not linked).
status_t revocable_link(struct revocable *revocable, struct revoker *revoker, struct object *owner,
                        u64 key,
                        void (*revoke)(struct object *owner, struct revoker *revoker, u64 key));
// Harmless when not linked.
void revocable_unlink(struct revocable *revocable);
