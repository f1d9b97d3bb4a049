// The TLBs of the CPUs: what is not flushed stays usable, as on a real machine.
#pragma once

#include "arch/arch.h"

void tlb_init(void);
void tlb_flush_own(const struct arch_pmap *pmap, u64 va);
// Forgets all of a pmap that is going.
void tlb_leave(const struct arch_pmap *pmap);
// Whether all that is remembered of a pmap is in its tables. Nobody else runs.
bool tlb_is_right(struct arch_pmap *pmap);
