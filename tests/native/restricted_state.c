// The state that restricted_enter loads and stores lies in memory like any other: it may be
// touched for the first time, be read-only, come and go, or change while it is read.
#include "lib/string.h"
#include "lib/test.h"
#include "lib/threads.h"

enum : uint64_t {
    CODE = 0x400000,
    PAGES_AT = 0x7fa000000000, // a page for each thread
    RFLAGS = 0x202,
    RFLAGS_TRAP = 0x100,
    RFLAGS_NESTED = 0x4000,
    RFLAGS_ALIGN = 0x40000,
    NOPS = 4, // where two of them are, before another system call
    MARK = 0x1111111100000000,
};
enum { RACERS = 3, ROUNDS = 100, CHANGES = 1000, GENERAL_COUNT = 15, VECTOR_DEBUG = 1 };
enum { MAP_RW = CL_MAP_READ | CL_MAP_WRITE };

static handle_t aspace;
static uint32_t ended;

static struct cl_restricted_state *page_of(uint64_t number) {
    return (struct cl_restricted_state *)(PAGES_AT + number * CL_PAGE_SIZE);
}

static void page_map(uint64_t number, handle_t memory, uint32_t flags) {
    uint64_t mapped;
    test_ok(aspace_map(0, memory, 0, (uint64_t)page_of(number), CL_PAGE_SIZE, CL_MAP_FIXED | flags,
                       &mapped),
            "map");
}

// Registers that tell one thread's state from another's.
static struct cl_restricted_state state_of(uint64_t number) {
    struct cl_restricted_state state = {.rip = CODE, .rflags = RFLAGS};
    uint64_t *general = &state.rax;
    for (uint64_t i = 0; i < GENERAL_COUNT; i++)
        general[i] = MARK * (number + 1) + i;
    state.rsp = MARK * (number + 1) + 77;
    return state;
}

// After a system call: rcx and r11 are the processor's.
static bool state_is(const struct cl_restricted_state *state, uint64_t number) {
    struct cl_restricted_state wanted = state_of(number);
    wanted.rip = wanted.rcx = CODE + 2;
    wanted.rflags = wanted.r11 = state->rflags;
    return memcmp(state, &wanted, __builtin_offsetof(struct cl_restricted_state, reason)) == 0 &&
           (state->rflags & ~0x8d5ul) == RFLAGS;
}

static void untouched(void) {
    uint32_t reason = ~0u;
    page_map(0, 0, MAP_RW);
    test_check(restricted_enter((uint64_t)page_of(0), &reason) == OK &&
                   reason == CL_RESTRICTED_REASON_PAGE_FAULT && page_of(0)->fault_address == 0,
               "zeros: a program at 0 with nothing there");
    test_pass("a state on a page that nobody has touched");
}

static void read_only(void) {
    uint32_t reason = ~0u;
    *page_of(0) = state_of(0);
    test_ok(aspace_protect(0, (uint64_t)page_of(0), CL_PAGE_SIZE, CL_MAP_READ), "protect");
    for (uint32_t i = 0; i < 3; i++) {
        if (i == 1) { // rcx and r11 as sysret needs them: the other way in
            test_ok(aspace_protect(0, (uint64_t)page_of(0), CL_PAGE_SIZE, MAP_RW), "writable");
            page_of(0)->rcx = page_of(0)->rip;
            page_of(0)->r11 = page_of(0)->rflags;
            test_ok(aspace_protect(0, (uint64_t)page_of(0), CL_PAGE_SIZE, CL_MAP_READ), "protect");
        }
        test_check(restricted_enter((uint64_t)page_of(0), &reason) == ERR_BAD_POINTER,
                   "a state that can't be written");
    }
    test_check(page_of(0)->rip == CODE && page_of(0)->reason == 0, "it is as it was");
    test_pass("a state that can't be written back");
}

// Each entry and exit faults: the page shows its object until it is written, and is thrown away
// every time. Threads on all processors do that at once, each with values of its own.
static void faulting(uint64_t number) {
    handle_t memory = 0;
    struct cl_restricted_state state = state_of(number);
    test_ok(thread_bind_aspace(aspace), "bind");
    test_ok(memobj_create(0, CL_PAGE_SIZE, &memory), "memory");
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t reason = ~0u;
        state.rcx = round % 2 ? state.rip : 1;
        state.r11 = round % 2 ? state.rflags : 2;
        if (round % 50 == 0) {
            test_ok(memobj_write(memory, 0, &state, sizeof(state)), "contents");
            page_map(number, memory, MAP_RW);
        }
        test_ok(aspace_discard(0, (uint64_t)page_of(number), CL_PAGE_SIZE), "discard");
        test_check(restricted_enter((uint64_t)page_of(number), &reason) == OK &&
                       reason == CL_RESTRICTED_REASON_SYSCALL,
                   "entered and left");
        if (!state_is(page_of(number), number)) {
            test_fail("registers of somebody else");
            break;
        }
    }
    test_ok(thread_bind_aspace(0), "unbind");
    handle_close(memory);
    __atomic_fetch_add(&ended, 1, __ATOMIC_RELEASE);
}

static void faulting_all(void) {
    handle_t threads[RACERS];
    for (uint64_t i = 0; i < RACERS; i++)
        threads[i] = test_thread(faulting, i);
    for (uint64_t i = 0; i < RACERS; i++)
        test_thread_join(threads[i]);
    test_pass("entries and exits that fault, on all processors");
}

// Somebody else changes rip all the time, and takes the page away.
static void changer(uint64_t number) {
    static const uint64_t rips[] = {
        CODE, CL_PROCESS_BASE, 0x800000000000, 0xffffffff80100000, 0xdeadbeef00000000, CODE};
    for (uint32_t i = 0; __atomic_load_n(&ended, __ATOMIC_ACQUIRE) == 0; i++) {
        if (i % 64 == 0) {
            struct cl_restricted_state state = state_of(number);
            if (i % 128 == 0) test_ok(aspace_unmap(0, PAGES_AT, 4096), "unmap");
            page_map(number, 0, MAP_RW);
            *page_of(number) = state;
        }
        volatile struct cl_restricted_state *state = page_of(number);
        state->rip = rips[i % 6];
        state->rcx = rips[i % 5];
        state->r11 = RFLAGS;
    }
}

static void changing(void) {
    ended = 0;
    page_map(0, 0, MAP_RW);
    handle_t thread = test_thread(changer, 0);
    uint32_t counts[3] = {};
    for (uint32_t round = 0; round < CHANGES; round++) {
        uint32_t reason;
        status_t status = restricted_enter((uint64_t)page_of(0), &reason);
        if (status == OK)
            counts[0]++;
        else if (status == ERR_OUT_OF_RANGE)
            counts[1]++;
        else if (status == ERR_BAD_POINTER)
            counts[2]++;
        else
            test_fail("no other error");
        if (round % 16 == 0) thread_yield();
    }
    __atomic_store_n(&ended, 1, __ATOMIC_RELEASE);
    test_thread_join(thread);
    test_check(counts[0] + counts[1] + counts[2] == CHANGES, "each ends");
    test_pass("a state that changes while it is read is read once");
}

static void flags(void) {
    static const uint64_t odd[] = {RFLAGS_TRAP,  RFLAGS_NESTED,
                                   RFLAGS_ALIGN, RFLAGS_TRAP | RFLAGS_NESTED | RFLAGS_ALIGN,
                                   0x200000,     ~0ul};
    uint32_t reason;
    page_map(0, 0, MAP_RW);
    for (uint32_t i = 0; i < 2 * sizeof(odd) / sizeof(odd[0]); i++) {
        *page_of(0) = state_of(0);
        page_of(0)->rip = CODE + NOPS;
        page_of(0)->rflags = odd[i / 2] | RFLAGS;
        if (i % 2) { // the quick way in
            page_of(0)->rcx = CODE + NOPS;
            page_of(0)->r11 = page_of(0)->rflags;
        }
        test_check(restricted_enter((uint64_t)page_of(0), &reason) == OK, "flags are masked");
        bool is_trap = odd[i / 2] & RFLAGS_TRAP;
        test_check(is_trap ? reason == CL_RESTRICTED_REASON_EXCEPTION &&
                                 page_of(0)->error_code >> 32 == VECTOR_DEBUG
                           : reason == CL_RESTRICTED_REASON_SYSCALL,
                   "a trap flag traps after one instruction, the others do nothing");
        test_check(!(page_of(0)->rflags & (RFLAGS_NESTED | 0x1b3000)),
                   "what is not theirs is gone");
    }
    test_pass("odd flags go in and come out masked");
}

void test_run(void) {
    static const uint8_t code[] = {0x0f, 0x05, 0x0f, 0x0b, 0x90, 0x90, 0x0f, 0x05};
    uint64_t mapped;
    test_ok(aspace_create(&aspace), "an address space");
    test_ok(thread_bind_aspace(aspace), "bound");
    test_ok(aspace_map(aspace, 0, 0, CODE, CL_PAGE_SIZE, MAP_RW | CL_MAP_EXECUTE | CL_MAP_FIXED,
                       &mapped),
            "code");
    memcpy((void *)CODE, code, sizeof(code));
    untouched();
    read_only();
    faulting_all();
    changing();
    flags();
    test_ok(thread_bind_aspace(0), "unbind");
    handle_close(aspace);
}
