// Times as programs pass them.
#pragma once

#include "linux/copy.h"

struct linux_timespec;
struct thread;

// Longer ones are cut to that: it is for ever, and sums of a few stay below DEADLINE_NEVER.
enum : u64 { TIME_SECONDS_MAX = 1UL << 31 };

// A duration or a point in time. -EFAULT, -EINVAL.
i64 timespec_read(linux_ptr in, u64 *time_ns);
i64 timespec_parse(const struct linux_timespec *time, u64 *time_ns);
i64 timespec_write(linux_ptr out, u64 time_ns);
i64 itimerspec_read(linux_ptr in, u64 *interval_ns, u64 *value_ns);
i64 itimerspec_write(linux_ptr out, u64 interval_ns, u64 value_ns);

// Writes a struct rusage with this processor time, unless `out` is null.
int usage_write(linux_ptr out, u64 cpu_ns);

// What a clock of the caller shows. -EINVAL.
i64 clock_now(struct thread *thread, u32 clock, u64 *now_ns);
// When the monotonic clock shows what is this time on the real one; now, if that is over.
u64 monotonic_of_realtime(u64 time_ns);
