// /dev/pts: a node for each terminal, by number, and ptmx.
#pragma once

#include "linux/tty/terminal.h"

// Mounts it on a directory named `pts` that it makes in `devices`.
int devpts_mount(struct path devices);
void devpts_node_init(struct terminal *terminal);
// The terminal whose node this is, or NULL.
struct terminal *devpts_terminal(struct vnode *vnode);
