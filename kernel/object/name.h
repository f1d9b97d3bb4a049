// Names in a namespace: how one resolves to an object.
//
// Rules:
// - A name binds (object, ceiling, access list); it keeps a reference, and counts as a handle does
//   not: an object that dies leaves a name that answers DEAD until it is unbound.
// - Resolution is relative and goes down only: the longest child namespace first, then a name of
//   the rest. Child namespaces are entered with OWNER only.
#pragma once

#include "kernel/handlers.h"
#include "object/namespace.h"

struct name {
    struct list link;
    u64 position;       // order of creation, for ns_list
    u64 koid;           // of what was bound, also when it is gone
    struct handle slot; // what was bound; its rights are the ceiling
    u32 object_type;
    u32 ceiling;
    bool is_child;
    struct cl_acl access;
    u32 size;
    char text[];
};

// A child namespace's own name; it was bound without an access list.
void name_unbind_child(struct namespace *parent, struct namespace *child);
// Forgets all names of a namespace that is dying. Preemptible.
void names_drop(struct namespace *ns);
