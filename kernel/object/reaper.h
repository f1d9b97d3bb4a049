// The end of namespaces.
//
// Rules:
// - ns_kill marks a namespace as dying at once (nothing new can be charged), and leaves the work to
//   the reaper: one kernel thread that goes round the dying namespaces, preemptibly. Those below are
//   objects charged to it, which it kills like all others.
// - A namespace is gone when no object is charged to it any more and every page is back.
#pragma once

#include "object/namespace.h"

// Starts the reaper's thread.
void reaper_init(void);
void ns_kill(struct namespace *ns);
