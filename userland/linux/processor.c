// What the processor can do, found once in the template: CPUID is slow on virtual machines.
#include "linux/processor.h"

#include "lib/string.h"
#include "linux/kernel_if.h"

static struct {
    u32 count;
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

void processor_describe(struct processor_facts *facts) {
    enum : u32 { LEAF_NAME = 0x80000002, LEAF_NAME_LAST = 0x80000004 };
    u32 out[4];
    *facts = (struct processor_facts){};
    cpuid(0, 0, out);
    memcpy(facts->vendor, &out[1], 4);
    memcpy(facts->vendor + 4, &out[3], 4);
    memcpy(facts->vendor + 8, &out[2], 4);
    cpuid(1, 0, out);
    u32 family = out[0] >> 8 & 15;
    facts->family = family == 15 ? family + (out[0] >> 20 & 255) : family;
    facts->model = (out[0] >> 4 & 15) | (out[0] >> 12 & 0xf0);
    facts->stepping = out[0] & 15;
    for (u32 leaf = LEAF_NAME; leaf <= LEAF_NAME_LAST; leaf++) {
        cpuid(leaf, 0, out);
        memcpy(facts->name + (leaf - LEAF_NAME) * sizeof(out), out, sizeof(out));
    }
}

u32 processor_count(void) { return max(processor.count, 1U); }

void processor_count_set(u32 count) { processor.count = min(count, (u32)PROCESSORS_MAX); }

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
