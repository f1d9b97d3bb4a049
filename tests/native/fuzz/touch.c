// Memory that comes and goes: while one thread unmaps it, another writes to it, with a fixup for when
// it is gone. What a CPU's TLB remembers for too long is found as a write to a freed page.
#include "fuzz.h"

enum : uint64_t { CODE = 0x050f050f050f050f }; // of system calls: leaves restricted mode

// Writes and reads; 0: nothing is there.
uint64_t touch_word(uint64_t address, uint64_t value);
extern const char touch_start[], touch_end[], touch_fault[];
__asm__(".text\n"
        "touch_word:\n"
        "touch_start:\n"
        "movq %rsi, (%rdi)\n"
        "movq (%rdi), %rax\n"
        "touch_end:\n"
        "ret\n"
        "touch_fault:\n"
        "xorl %eax, %eax\n"
        "ret\n");

void fuzz_touch_init(void) {
    fixup_register((uint64_t)touch_start, (uint64_t)touch_end, (uint64_t)touch_fault);
}

static uint64_t page_in(struct fuzzer *f, uint64_t base) {
    return base + fuzz_below(f, FUZZ_AREA_PAGES) * CL_PAGE_SIZE;
}

static void map(struct fuzzer *f, uint64_t address, uint64_t size) {
    uint64_t mapped;
    handle_t memobj = fuzz_below(f, 2) ? fuzz_handle(f, OBJ_MASK(OBJ_MEMOBJ)) : 0;
    uint32_t flags = CL_MAP_READ | CL_MAP_WRITE | CL_MAP_FIXED;
    if (memobj && fuzz_below(f, 2)) flags |= CL_MAP_SHARED;
    if (fuzz_below(f, 4) == 0) flags |= CL_MAP_POPULATE;
    aspace_map(0, memobj, 0, address, size, flags, &mapped);
}

static void restricted_run(struct fuzzer *f) {
    struct cl_restricted_state state = {.rip = page_in(f, CL_LINUX_BASE),
                                        .rsp = page_in(f, CL_LINUX_BASE)};
    uint32_t reason;
    restricted_enter((uint64_t)&state, &reason);
}

static void touch_some(struct fuzzer *f, uint64_t base) {
    for (uint32_t i = 0; i < 8; i++)
        touch_word(page_in(f, base) + (fuzz_below(f, CL_PAGE_SIZE) & ~7ul), CODE);
}

void fuzz_touch(struct fuzzer *f) {
    uint64_t first = fuzz_below(f, FUZZ_AREA_PAGES);
    uint64_t size = (1 + fuzz_below(f, FUZZ_AREA_PAGES - first)) * CL_PAGE_SIZE;
    uint64_t address = FUZZ_AREA + first * CL_PAGE_SIZE;
    switch (fuzz_below(f, 12)) {
    case 0:
    case 1: map(f, address, size); break;
    case 2: aspace_unmap(0, address, size); break;
    case 3: aspace_protect(0, address, size, CL_MAP_READ); break;
    case 4: aspace_protect(0, address, size, CL_MAP_READ | CL_MAP_WRITE); break;
    case 5: aspace_discard(0, address, size); break;
    case 6: restricted_run(f); break;
    case 7:
    case 8: touch_some(f, CL_LINUX_BASE); break;
    default: touch_some(f, FUZZ_AREA);
    }
}
