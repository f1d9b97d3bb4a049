// Restricted mode: what ends a run and with which reason, what a run can't reach, what the kernel
// refuses to enter, kicks.
#include "lib/string.h"
#include "test.h"

enum : uint64_t {
    CODE = 0x400000,
    DATA = 0x401000, // and the stack below its end
    NOWHERE = 0x10000000,
    RFLAGS_FIXED = 0x202,
    RFLAGS_FORBIDDEN = 0x1b7000, // IOPL, NT, VM, AC's neighbours VIF and VIP
    WAIT_MS = 10000,
};
enum { GENERAL_COUNT = 15, VECTOR_UNDEFINED = 6, VECTOR_PROTECTION = 13, STACK_SIZE = 16384 };

#define RUN(...) run((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static struct cl_restricted_state state;

static void space_make(void) {
    handle_t aspace;
    uint64_t mapped;
    test_ok(aspace_create(&aspace), "aspace_create");
    test_ok(aspace_map(aspace, 0, 0, CODE, 2 * CL_PAGE_SIZE,
                       CL_MAP_READ | CL_MAP_WRITE | CL_MAP_EXECUTE | CL_MAP_EXACT, &mapped),
            "map");
    test_ok(thread_bind_aspace(aspace), "bind");
    handle_close(aspace);
}

// All registers get values of their own.
static void state_reset(void) {
    uint64_t *general = &state.rax;
    memset(&state, 0, sizeof(state));
    for (uint64_t i = 0; i < GENERAL_COUNT; i++)
        general[i] = 0x0101010101010101 * (i + 1);
    state.rip = CODE;
    state.rsp = DATA + CL_PAGE_SIZE;
    state.rflags = RFLAGS_FIXED;
}

static uint64_t enter(void) {
    uint32_t reason = ~0u;
    status_t status = restricted_enter((uint64_t)&state, &reason);
    test_check(status == OK, "restricted_enter");
    // A kick before the first instruction leaves the state as it is.
    test_check(state.reason == reason || reason == CL_RESTRICTED_REASON_KICKED,
               "the reason in the state is the one returned");
    return reason;
}

static uint64_t run(const uint8_t *code, uint64_t size) {
    memcpy((void *)CODE, code, size);
    return enter();
}

static bool general_are(const struct cl_restricted_state *before, bool with_rcx_r11) {
    struct cl_restricted_state after = state;
    if (!with_rcx_r11) {
        after.rcx = before->rcx;
        after.r11 = before->r11;
    }
    return memcmp(&before->rax, &after.rax, GENERAL_COUNT * sizeof(uint64_t)) == 0 &&
           before->rsp == after.rsp;
}

static void test_reasons(void) {
    state_reset();
    struct cl_restricted_state before = state;
    test_check(RUN(0x0f, 0x05) == CL_RESTRICTED_REASON_SYSCALL, "syscall ends a run");
    test_check(state.rip == CODE + 2 && general_are(&before, false), "syscall: registers");

    state_reset();
    test_check(RUN(0x0f, 0x0b) == CL_RESTRICTED_REASON_EXCEPTION, "ud2 ends a run");
    test_check(state.rip == CODE && state.error_code >> 32 == VECTOR_UNDEFINED, "ud2: vector");
    test_check(general_are(&before, true), "ud2: all registers, rcx and r11 too");

    state_reset();
    state.rax = NOWHERE + 8; // mov (%rax), %rbx
    test_check(RUN(0x48, 0x8b, 0x18) == CL_RESTRICTED_REASON_PAGE_FAULT, "a fault ends a run");
    test_check(state.fault_address == NOWHERE + 8 && state.rip == CODE, "fault: address");

    state_reset();
    state.rip = NOWHERE;
    test_check(enter() == CL_RESTRICTED_REASON_PAGE_FAULT && state.fault_address == NOWHERE,
               "code that is not there faults");
}

// Memory that is not the Linux process's: the personality's, the kernel's.
static void test_reach(void) {
    const uint64_t places[] = {(uint64_t)&state, CL_PROCESS_BASE, CL_PROCESS_LIMIT - 8,
                               0xffff800000000000, 0xffffffff80000000};
    for (uint64_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        state_reset();
        state.rax = places[i];
        test_check(RUN(0x48, 0x8b, 0x18) == CL_RESTRICTED_REASON_PAGE_FAULT, "reading is refused");
        test_check(state.fault_address == places[i], "with the address");
        state_reset();
        state.rax = places[i]; // mov %rbx, (%rax)
        test_check(RUN(0x48, 0x89, 0x18) == CL_RESTRICTED_REASON_PAGE_FAULT, "writing is refused");
    }
    state_reset();
    state.rax = 1ul << 47;
    test_check(RUN(0x48, 0x8b, 0x18) == CL_RESTRICTED_REASON_EXCEPTION &&
                   state.error_code >> 32 == VECTOR_PROTECTION,
               "an address that is none");
}

// Instructions for the kernel only, even when flags were asked for that would allow them.
static void test_privilege(void) {
    static const uint8_t codes[][4] = {
        {0xf4},             // hlt
        {0xfa},             // cli
        {0xec},             // in %dx, %al
        {0xcd, 0x80},       // int $0x80
        {0x0f, 0x30},       // wrmsr
        {0x0f, 0x20, 0xd8}, // mov %cr3, %rax
        {0x0f, 0x01, 0xf8}, // swapgs
    };
    for (uint64_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        state_reset();
        state.rflags |= RFLAGS_FORBIDDEN;
        test_check(run(codes[i], sizeof(codes[i])) == CL_RESTRICTED_REASON_EXCEPTION &&
                       state.rip == CODE,
                   "an instruction for the kernel only");
    }
    state_reset();
    state.rflags = RFLAGS_FORBIDDEN; // without the interrupt flag; pushf; pop %rax; syscall
    test_check(RUN(0x9c, 0x58, 0x0f, 0x05) == CL_RESTRICTED_REASON_SYSCALL, "pushf");
    test_check((state.rax & (RFLAGS_FORBIDDEN | RFLAGS_FIXED)) == RFLAGS_FIXED, "flags are masked");
}

static void entry_refused(uint64_t address, status_t error, const char *text) {
    uint32_t reason = 77;
    test_check(restricted_enter(address, &reason) == error && reason == 77, text);
}

static void test_arguments(void) {
    static const uint64_t outside[] = {0,
                                       CODE,
                                       CL_LINUX_LIMIT - 8,
                                       CL_PROCESS_LIMIT,
                                       CL_PROCESS_LIMIT - 8,
                                       1ul << 47,
                                       0xffff800000000000,
                                       0xffffffff80000000,
                                       ~7ul};
    static const uint64_t rips[] = {CL_LINUX_LIMIT, CL_PROCESS_BASE + 4096, 1ul << 47,
                                    0xffff800000000000, ~0ul};
    static const struct cl_restricted_state read_only = {.rip = NOWHERE};
    for (uint64_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
        entry_refused(outside[i], ERR_BAD_POINTER, "a state that is not there");
    entry_refused((uint64_t)&state + 1, ERR_INVALID_ARGUMENT, "a state that is not aligned");
    entry_refused((uint64_t)&read_only, ERR_BAD_POINTER, "a state that can't be written");
    for (uint64_t i = 0; i < sizeof(rips) / sizeof(rips[0]); i++) {
        state_reset();
        state.rip = rips[i];
        entry_refused((uint64_t)&state, ERR_OUT_OF_RANGE, "an instruction pointer above the split");
    }
}

static void test_kicks(void) {
    handle_t self;
    test_ok(thread_self(&self), "thread_self");
    state_reset();
    test_ok(thread_kick(self), "kick");
    test_ok(thread_kick(self), "kicks coalesce");
    test_check(RUN(0x0f, 0x05) == CL_RESTRICTED_REASON_KICKED && state.rip == CODE,
               "a kick ends the next run before its first instruction");
    test_check(enter() == CL_RESTRICTED_REASON_SYSCALL, "and is consumed by that");
    handle_close(self);
}

static void kicker_run(uint64_t target) {
    uint64_t started_ns = 0, now_ns = 0;
    clock_get(CL_CLOCK_MONOTONIC, &started_ns);
    while (now_ns < started_ns + 5000000) {
        thread_yield();
        clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    }
    thread_kick((handle_t)target);
    thread_exit();
}

static void test_kick_of_a_loop(void) {
    static uint8_t stack[STACK_SIZE] __attribute__((aligned(16)));
    handle_t self, kicker;
    uint32_t observed;
    test_ok(thread_self(&self), "thread_self");
    state_reset();
    test_ok(thread_create((uint64_t)kicker_run, (uint64_t)stack + STACK_SIZE - 8, self, &kicker),
            "thread_create");
    test_check(RUN(0xeb, 0xfe) == CL_RESTRICTED_REASON_KICKED && state.rip == CODE,
               "a kick ends a loop");
    test_ok(object_wait(kicker, SIGNAL_TERMINATED, 0, test_deadline(WAIT_MS), &observed), "end");
    handle_close(kicker);
    handle_close(self);
}

void test_run(void) {
    state_reset();
    entry_refused((uint64_t)&state, ERR_BAD_STATE, "no address space is bound");
    space_make();
    test_reasons();
    test_reach();
    test_privilege();
    test_arguments();
    test_kicks();
    test_kick_of_a_loop();
    test_ok(thread_bind_aspace(0), "unbind");
    test_pass("runs end for each reason, and reach nothing but their own");
}
