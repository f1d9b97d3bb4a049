// What programs are told of the processor.
#pragma once

#include "lib/types.h"

enum { PROCESSOR_HAS_FSGSBASE = 2 };

// Finds all of it out; once.
void processor_prepare(void);

// CPUID leaf 1, edx: AT_HWCAP.
u64 processor_features(void);
