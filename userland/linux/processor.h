// What programs are told of the processor.
#pragma once

#include "lib/types.h"

enum { PROCESSOR_HAS_FSGSBASE = 2 };

// Finds all of it out; once.
void processor_prepare(void);

struct processor_facts {
    char vendor[13];
    char name[49];
    u32 family;
    u32 model;
    u32 stepping;
};

// Asks the processor: slow.
void processor_describe(struct processor_facts *facts);

// CPUID leaf 1, edx: AT_HWCAP.
u64 processor_features(void);
