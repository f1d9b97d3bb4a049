// What programs are told of the processor.
#pragma once

#include "lib/types.h"

enum { PROCESSOR_HAS_FSGSBASE = 2 };

// CPUID leaf 1, edx: AT_HWCAP.
u64 processor_features(void);
