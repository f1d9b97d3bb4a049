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

// A child namespace's own name; it was bound without an access list.
void name_unbind_child(struct namespace *parent, struct namespace *child);
// Forgets all names of a namespace that is dying. Preemptible.
void names_drop(struct namespace *ns);
