// Vnodes of files without a name: pipes and streams.
#pragma once

#include "linux/vfs.h"

// The one vnode that all of them share; borrowed.
struct vnode *anonymous_fifo(void);
