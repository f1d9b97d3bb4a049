#pragma once

#include "lib/types.h"

// The time, in seconds since 1970 (UTC, as the clock is taken to be set); 0 without a clock.
u64 cmos_seconds(void);
