// The container is out of memory: a page that a program needs can't be paid.
#pragma once

#include "linux/copy.h"

struct thread;

// Kills the process with the most memory of its own, the caller's or another, and waits until that
// is gone. Called without a lock; afterwards what failed is tried again, unless the caller is to die.
void oom_relieve(struct thread *thread);

// Whether a copy to or from Linux memory may have failed for want of memory, and is worth another
// try. *tries counts them, from 0.
bool oom_explains(linux_ptr pointer, usize size, u32 *tries);
