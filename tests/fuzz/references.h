// Every reference to a vnode, counted anew.
#pragma once

#include "linux/thread.h"

// Finds the vnodes of tmpfs and of bound trees that can be reached from the process and the root, and
// who refers to them. Where there are more than a vnode counts, says which and traps. What is mounted
// on the image's own directories is not reached, so more may be counted. No call may be under way.
void references_check(const struct process *process);
