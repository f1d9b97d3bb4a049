// Memory under pressure: clean pages of disks are given back (object/relief.c).
//
// Rules:
// - A charge never gives pages back itself: it is made with locks held. When it leaves little, it
//   sets CPU_WORK_RELIEF, and the thread gives some back at its next preemption point or before it
//   goes on to user mode: who uses memory does the work, in its own time.
// - Who is refused, and holds no lock, asks for more and tries again.
#pragma once

#include "mm/ledger.h"

// CPU_WORK_RELIEF was set: gives some back. No locks; preemptible; thread->is_relieving is set.
void relief_work(void);
// `payer` was refused `pages`: gives back what that takes. False: no page could be: another try is
// useless. No locks; preemptible.
bool relief_for(struct ledger *payer, i64 pages);
// So often is it worth to try again what asks for a few pages: others may take them meanwhile.
enum : u32 { RELIEF_TRIES = 32, RELIEF_PAGES = 16 };
