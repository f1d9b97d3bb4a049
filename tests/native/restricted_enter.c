// Restricted mode, as a personality sees it: registers, reasons, faults, kicks, what is refused.
#include "lib/test.h"
#include "lib/string.h"

enum : uint64_t {
    CODE = 0x400000,
    DATA = 0x500000,
    UNMAPPED = 0x600000,
    STACK_SIZE = 0x1000,
    RFLAGS_TRAP = 1 << 8,
    RFLAGS_INTERRUPT = 1 << 9,
    RFLAGS_IOPL = 3 << 12,
};
enum { FAULT_PRESENT = 1, FAULT_WRITE = 2, FAULT_USER = 4, FAULT_EXECUTE = 16 };
enum { VECTOR_DIVIDE = 0, VECTOR_DEBUG = 1, VECTOR_BREAKPOINT = 3, VECTOR_INVALID = 6 };
enum { VECTOR_PROTECTION = 13 };

static struct cl_restricted_state state;
static uint8_t kicker_stack[STACK_SIZE] __attribute__((aligned(16)));
static handle_t aspace;

#define CODE_BYTES(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((uint8_t[]){__VA_ARGS__})

// Runs `code` with the registers of `state`; returns the reason, ~0 when it could not be entered.
static uint32_t run(const uint8_t *code, uint64_t size) {
    uint32_t reason = ~0u;
    if (code) memcpy((void *)CODE, code, size);
    state.rip = CODE;
    state.rsp = DATA + 0x800;
    test_check(restricted_enter((uint64_t)&state, &reason) == OK, "restricted_enter");
    test_check(state.reason == reason, "the reason is in the state too");
    return reason;
}

// Runs one instruction that must raise an exception, and stay where it is.
static void check_exception(const uint8_t *code, uint64_t size, uint32_t vector, const char *text) {
    uint32_t reason = run(code, size);
    test_check(reason == CL_RESTRICTED_REASON_EXCEPTION && state.error_code >> 32 == vector, text);
}

static void check_fault(const uint8_t *code, uint64_t size, uint64_t address, uint64_t bits,
                        const char *text) {
    uint32_t reason = run(code, size);
    test_check(reason == CL_RESTRICTED_REASON_PAGE_FAULT && state.fault_address == address &&
                   state.error_code == bits,
               text);
}

static void registers_fill(void) {
    uint64_t *registers = &state.rax;
    for (unsigned i = 0; i < 15; i++)
        registers[i] = 0x1111111111111111u * (i + 1);
    state.rflags = RFLAGS_INTERRUPT | 1;
}

static bool registers_kept(void) {
    const uint64_t *registers = &state.rax;
    for (unsigned i = 0; i < 15; i++) {
        if (registers[i] != 0x1111111111111111u * (i + 1)) return false;
    }
    return state.rsp == DATA + 0x800 && (state.rflags & 0xcd5) == 1;
}

static void registers(void) {
    registers_fill();
    check_exception(CODE_BYTES(0xcc), VECTOR_BREAKPOINT, "int3 is reported");
    test_check(registers_kept() && state.rip == CODE + 1, "an exception keeps every register");
    registers_fill();
    test_check(run(CODE_BYTES(0x0f, 0x05)) == CL_RESTRICTED_REASON_SYSCALL, "a system call");
    test_check(state.rip == CODE + 2 && state.rcx == CODE + 2, "rcx is the return address");
    test_check((state.r11 & 0xcd5) == 1 && state.rflags == state.r11, "r11 is the flags");
    state.rcx = 0x1111111111111111u * 3;
    state.r11 = 0x1111111111111111u * 11;
    test_check(registers_kept(), "a system call keeps the others");
    // The quick way back in: rip, rcx and rflags, r11 as the system call left them. `inc rax`.
    registers_fill();
    state.rcx = CODE;
    state.r11 = state.rflags;
    test_check(run(CODE_BYTES(0x48, 0xff, 0xc0, 0x0f, 0x05)) == CL_RESTRICTED_REASON_SYSCALL,
               "a second system call");
    test_check(state.rax == 0x1111111111111112 && state.r15 == 0xffffffffffffffff &&
                   state.rbx == 0x2222222222222222,
               "the quick way in loads the registers");
    test_pass("registers go in and come out whole");
}

static void faults(void) {
    state.rflags = RFLAGS_INTERRUPT;
    state.rax = UNMAPPED;
    check_fault(CODE_BYTES(0x48, 0x8b, 0x18), UNMAPPED, FAULT_USER, "a read of nothing");
    test_check(state.rip == CODE, "the instruction can be done again");
    check_fault(CODE_BYTES(0x48, 0x89, 0x18), UNMAPPED, FAULT_USER | FAULT_WRITE, "a write");
    state.rax = (uint64_t)&state;
    check_fault(CODE_BYTES(0x48, 0x8b, 0x18), (uint64_t)&state, FAULT_USER,
                "the personality is not there");
    state.rax = 0xffffffff80100000;
    check_fault(CODE_BYTES(0x48, 0x8b, 0x18), 0xffffffff80100000, FAULT_USER | FAULT_PRESENT,
                "the kernel is out of reach");
    state.rax = DATA;
    check_fault(CODE_BYTES(0xff, 0xe0), DATA, FAULT_USER | FAULT_PRESENT | FAULT_EXECUTE,
                "data is not executed");
    state.rax = 0x800000000000;
    check_exception(CODE_BYTES(0x48, 0x8b, 0x18), VECTOR_PROTECTION, "a non-canonical address");
    check_exception(CODE_BYTES(0xff, 0xe0), VECTOR_PROTECTION, "a non-canonical jump");
    test_pass("faults say where and what");
}

static void exceptions(void) {
    state.rflags = RFLAGS_INTERRUPT;
    state.rcx = 0;
    check_exception(CODE_BYTES(0x48, 0xf7, 0xf1), VECTOR_DIVIDE, "division by zero");
    check_exception(CODE_BYTES(0x0f, 0x0b), VECTOR_INVALID, "ud2");
    check_exception(CODE_BYTES(0xf4), VECTOR_PROTECTION, "hlt");
    check_exception(CODE_BYTES(0xfa), VECTOR_PROTECTION, "cli");
    check_exception(CODE_BYTES(0xe6, 0x80), VECTOR_PROTECTION, "out");
    check_exception(CODE_BYTES(0x0f, 0x20, 0xd8), VECTOR_PROTECTION, "mov rax, cr3");
    check_exception(CODE_BYTES(0x0f, 0x30), VECTOR_PROTECTION, "wrmsr");
    check_exception(CODE_BYTES(0x0f, 0x01, 0xf8), VECTOR_PROTECTION, "swapgs");
    check_exception(CODE_BYTES(0xcd, 0x80), VECTOR_PROTECTION, "int 0x80");
    state.rax = DATA;
    check_exception(CODE_BYTES(0x0f, 0x01, 0x00), VECTOR_PROTECTION, "sgdt (UMIP)");
    state.rflags = RFLAGS_INTERRUPT | RFLAGS_IOPL;
    check_exception(CODE_BYTES(0xfa), VECTOR_PROTECTION, "cli with IOPL in the state");
    state.rflags = RFLAGS_TRAP;
    check_exception(CODE_BYTES(0x90, 0x90), VECTOR_DEBUG, "single step");
    test_check(state.rip == CODE + 1 && (state.rflags & RFLAGS_INTERRUPT), "after one instruction");
    state.rflags = RFLAGS_INTERRUPT;
    test_pass("what is not for programs is an exception of theirs");
}

static void refusals(void) {
    uint32_t reason = 0;
    state.rip = CL_PROCESS_BASE;
    test_check(restricted_enter((uint64_t)&state, &reason) == ERR_OUT_OF_RANGE, "rip at the split");
    state.rip = 0x800000000000;
    test_check(restricted_enter((uint64_t)&state, &reason) == ERR_OUT_OF_RANGE, "rip beyond");
    state.rip = 0xffffffff80100000;
    state.rcx = state.rip;
    test_check(restricted_enter((uint64_t)&state, &reason) == ERR_OUT_OF_RANGE,
               "rip in the kernel");
    test_check(restricted_enter(CL_PROCESS_LIMIT - 4096, &reason) == ERR_BAD_POINTER, "no state");
    uint64_t stack = 0;
    test_ok(aspace_map(0, 0, 0, 0, 4096, CL_MAP_READ | CL_MAP_WRITE, &stack), "a page");
    struct cl_restricted_state *crossing = (void *)(stack + 4096 - 64);
    crossing->rip = CODE;
    test_check(restricted_enter((uint64_t)crossing, &reason) == ERR_BAD_POINTER, "half a state");
    test_ok(aspace_unmap(0, stack, 4096), "unmap");
    test_ok(thread_bind_aspace(0), "unbind");
    state.rip = CODE;
    test_check(restricted_enter((uint64_t)&state, &reason) == ERR_BAD_STATE, "nothing bound");
    test_ok(thread_bind_aspace(aspace), "bind again");
    test_pass("bad states are refused");
}

static void pause_ms(uint64_t milliseconds) {
    static const uint32_t word = 0;
    futex_wait((uint64_t)&word, word, 0, test_deadline(milliseconds));
}

static void kicker(uint64_t target) {
    pause_ms(30);
    thread_kick((handle_t)target);
    thread_exit();
}

static void kicks(void) {
    handle_t self = 0, other = 0;
    uint32_t reason = 0;
    test_ok(thread_self(&self), "a handle of this thread");
    registers_fill();
    state.rip = CODE;
    test_check(thread_kick(self) == OK && thread_kick(self) == OK, "two kicks");
    test_check(restricted_enter((uint64_t)&state, &reason) == OK &&
                   reason == CL_RESTRICTED_REASON_KICKED && state.rip == CODE,
               "a kick ends the next run before its first instruction");
    test_check(run(CODE_BYTES(0x0f, 0x05)) == CL_RESTRICTED_REASON_SYSCALL, "kicks coalesce");
    test_ok(thread_create((uint64_t)kicker, (uint64_t)kicker_stack + STACK_SIZE - 8, self, &other),
            "a second thread");
    registers_fill();
    test_check(run(CODE_BYTES(0xeb, 0xfe)) == CL_RESTRICTED_REASON_KICKED, "a kick ends a loop");
    test_check(registers_kept() && state.rip == CODE, "with its registers");
    uint32_t seen = 0;
    test_check(object_wait(other, SIGNAL_TERMINATED, 0, test_deadline(5000), &seen) == OK, "end");
    handle_close(other);
    handle_close(self);
    test_pass("kicks are sticky, coalesce and end a run");
}

// `wrfsbase rax; mov rbx, fs:[0]`, while other threads run in between.
static void bases(void) {
    *(uint64_t *)(DATA + 64) = 0x1234567890abcdef;
    state.rflags = RFLAGS_INTERRUPT;
    state.rax = DATA + 64;
    run(CODE_BYTES(0xf3, 0x48, 0x0f, 0xae, 0xd0, 0x0f, 0x05));
    pause_ms(5);
    run(CODE_BYTES(0x64, 0x48, 0x8b, 0x1c, 0x25, 0, 0, 0, 0, 0x0f, 0x05));
    test_check(state.rbx == 0x1234567890abcdef, "the FS base stays");
    test_pass("FS and GS bases belong to the thread");
}

void test_run(void) {
    uint64_t mapped = 0;
    test_ok(aspace_create(&aspace), "an address space");
    test_ok(thread_bind_aspace(aspace), "it can be bound");
    test_ok(aspace_map(aspace, 0, 0, CODE, 4096,
                       CL_MAP_READ | CL_MAP_WRITE | CL_MAP_EXECUTE | CL_MAP_FIXED, &mapped),
            "a page for code");
    test_ok(
        aspace_map(aspace, 0, 0, DATA, 4096, CL_MAP_READ | CL_MAP_WRITE | CL_MAP_FIXED, &mapped),
        "a page for data");
    *(volatile uint64_t *)DATA = 0;
    registers();
    faults();
    exceptions();
    refusals();
    kicks();
    bases();
    test_ok(thread_bind_aspace(0), "unbind");
    handle_close(aspace);
}
