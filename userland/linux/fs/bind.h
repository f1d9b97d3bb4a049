// A directory that is mounted a second time, elsewhere.
#pragma once

#include "linux/mount.h"

// A mount whose root shows `directory` and what is below it, but not what is mounted there.
int bind_make(struct vnode *directory, const char *source, u32 flags, struct mount **out);

// The vnode behind one of a bound tree; any other is itself. Borrowed.
struct vnode *bind_behind(struct vnode *vnode);
