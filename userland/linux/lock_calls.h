// fcntl's part that is about locks.
#pragma once

#include "linux/copy.h"

struct thread;

// F_GETLK, F_SETLK, F_SETLKW, and the same of open files.
i64 fcntl_lock(struct thread *thread, i32 fd, u32 command, linux_ptr flock);
