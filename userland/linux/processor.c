// What the processor can do, found once in the template: CPUID is slow on virtual machines.
#include "linux/processor.h"

#include "linux/kernel_if.h"

static struct {
    u32 vector_bytes;
    u64 vector_features;
    u64 features;
} processor;

static void cpuid(u32 leaf, u32 subleaf, u32 out[4]) {
    asm volatile("cpuid"
                 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                 : "a"(leaf), "c"(subleaf));
}

void processor_prepare(void) {
    u32 out[4];
    u32 low;
    u32 high;
    cpuid(1, 0, out);
    processor.features = out[3];
    cpuid(0xd, 0, out);
    processor.vector_bytes = out[1];
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    processor.vector_features = (u64)high << 32 | low;
}

u64 processor_features(void) { return processor.features; }

usize vector_state_size(void) { return processor.vector_bytes; }

u64 vector_features(void) { return processor.vector_features; }

u64 register_fs_base(void) {
    u64 base;
    asm volatile("rdfsbase %0" : "=r"(base));
    return base;
}

u64 register_gs_base(void) {
    u64 base;
    asm volatile("rdgsbase %0" : "=r"(base));
    return base;
}

void register_set_fs_base(u64 base) { asm volatile("wrfsbase %0" : : "r"(base) : "memory"); }

void register_set_gs_base(u64 base) { asm volatile("wrgsbase %0" : : "r"(base) : "memory"); }
