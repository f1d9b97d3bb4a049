// What programs are told of the processor.
#pragma once

#include "lib/types.h"

enum { PROCESSOR_HAS_FSGSBASE = 2 };

// Finds all of it out; once.
void processor_prepare(void);

enum { PROCESSORS_MAX = 64 };

// How many the machine has, as the template was told; 1 until then.
u32 processor_count(void);
void processor_count_set(u32 count);

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
