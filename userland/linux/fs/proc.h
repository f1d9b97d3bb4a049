// /proc: what programs look up about themselves, others and the system.
#pragma once

#include "linux/vfs.h"

int proc_mount(struct file_system *system);
