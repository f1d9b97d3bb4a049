// Whether what counts references has as many as there are: of vnodes, open files, tables of descriptors,
// directories of processes, memory.
// Rules:
// - only while no thread makes a call;
// - too many are found, too: what nobody gives up is a leak;
// - of pipes and terminals nothing is said, nor of roots that are mounted no more.
#pragma once

#include "lib/types.h"

// Says on stderr what is wrong.
bool references_check(void);

// Takes away all that was mounted by programs, wherever it is.
void references_mounts_end(void);
