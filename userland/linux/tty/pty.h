// Pseudo-terminals: terminals whose master is a program that has opened /dev/ptmx.
#pragma once

#include "linux/vfs.h"

// Makes a terminal, locked, and `file` its master side; the last close hangs it up.
int pty_open_master(struct file *file);
