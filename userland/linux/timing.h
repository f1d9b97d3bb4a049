// Times as programs pass them.
#pragma once

#include "linux/copy.h"

// Reads a struct timespec that is a duration or a point in time; at most DEADLINE_NEVER / 4.
// -EFAULT, -EINVAL.
// Writes a struct rusage with this processor time, unless `out` is null.
int usage_write(linux_ptr out, u64 cpu_ns);
i64 timespec_read(linux_ptr in, u64 *time_ns);
