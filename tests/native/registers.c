// What a system call does to registers: the ones that C preserves are preserved, arguments come
// back as zero or as out values, flags are as before; vector registers survive other threads.
#include "lib/string.h"
#include "test.h"

enum { RFLAGS_DIRECTION = 1 << 10, RFLAGS_INTERRUPT = 1 << 9, YIELDS = 200, STACK_SIZE = 16384 };

// In the order in which registers_call() loads and stores them.
struct registers {
    uint64_t rax, rdi, rsi, rdx, r10, r8, r9, rbx, rbp, r12, r13, r14, r15, rcx, r11, rflags;
};

// Loads everything but rcx and r11 from `in`, makes the system call, stores everything to `out`.
void registers_call(const struct registers *in, struct registers *out);
__asm__(".text\n"
        "registers_call:\n"
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rsi\n"
        "mov %rdi, %rcx\n"
        "pushq 15*8(%rcx); popfq\n"
        "mov 0(%rcx), %rax; mov 1*8(%rcx), %rdi; mov 2*8(%rcx), %rsi; mov 3*8(%rcx), %rdx\n"
        "mov 4*8(%rcx), %r10; mov 5*8(%rcx), %r8; mov 6*8(%rcx), %r9; mov 7*8(%rcx), %rbx\n"
        "mov 8*8(%rcx), %rbp; mov 9*8(%rcx), %r12; mov 10*8(%rcx), %r13\n"
        "mov 11*8(%rcx), %r14; mov 12*8(%rcx), %r15\n"
        "syscall\n"
        "pushfq; push %rcx; mov 16(%rsp), %rcx\n"
        "mov %rax, 0(%rcx); mov %rdi, 1*8(%rcx); mov %rsi, 2*8(%rcx); mov %rdx, 3*8(%rcx)\n"
        "mov %r10, 4*8(%rcx); mov %r8, 5*8(%rcx); mov %r9, 6*8(%rcx); mov %rbx, 7*8(%rcx)\n"
        "mov %rbp, 8*8(%rcx); mov %r12, 9*8(%rcx); mov %r13, 10*8(%rcx)\n"
        "mov %r14, 11*8(%rcx); mov %r15, 12*8(%rcx); mov %r11, 14*8(%rcx)\n"
        "popq 13*8(%rcx); popq 15*8(%rcx); cld\n"
        "pop %rsi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "ret\n");

static struct registers pattern(uint64_t number, uint64_t argument) {
    struct registers in;
    uint64_t *words = (uint64_t *)&in;
    for (uint64_t i = 0; i < sizeof(in) / sizeof(*words); i++)
        words[i] = 0x1111111111111111 * (i + 1);
    in.rax = number;
    in.rdi = argument;
    in.rflags = RFLAGS_INTERRUPT | 2;
    return in;
}

static void preserved_check(const struct registers *in, const struct registers *out) {
    test_check(in->rbx == out->rbx && in->rbp == out->rbp && in->r12 == out->r12 &&
                   in->r13 == out->r13 && in->r14 == out->r14 && in->r15 == out->r15,
               "a register that C preserves changed");
    test_check(out->rdi == 0 && out->rsi == 0 && out->r10 == 0, "an argument did not come back 0");
    test_check(out->rcx >= CL_PROCESS_BASE && out->rcx < CL_PROCESS_LIMIT, "rcx is no own address");
    test_check(in->rflags == out->rflags, "flags changed");
}

static void calls_check(void) {
    struct registers in = pattern(SYSCALL_NULL, 1), out;
    registers_call(&in, &out);
    preserved_check(&in, &out);
    test_check(out.rax == OK && !out.rdx && !out.r8 && !out.r9, "null gave something back");

    in = pattern(SYSCALL_CLOCK_GET, CL_CLOCK_MONOTONIC);
    registers_call(&in, &out);
    preserved_check(&in, &out);
    test_check(out.rax == OK && out.rdx != 0 && !out.r8 && !out.r9, "one out value, and no more");

    in = pattern(SYSCALL_CLOCK_GET, 1000);
    registers_call(&in, &out);
    preserved_check(&in, &out);
    test_check((status_t)out.rax == ERR_INVALID_ARGUMENT && !out.rdx, "no out value with an error");

    in = pattern(SYSCALL_COUNT + 7, 1);
    registers_call(&in, &out);
    preserved_check(&in, &out);
    test_check((status_t)out.rax == ERR_BAD_SYSCALL && !out.rdx && !out.r8 && !out.r9, "no call");
}

// The kernel must not copy backwards because its caller liked it so.
static void direction_check(void) {
    static uint8_t room[64];
    struct registers in = pattern(SYSCALL_RANDOM_GET, (uint64_t)(room + 16)), out;
    in.rsi = 32;
    in.rflags |= RFLAGS_DIRECTION;
    registers_call(&in, &out);
    test_check(out.rax == OK && out.rflags == in.rflags, "the direction flag stays the caller's");
    for (int i = 0; i < 16; i++)
        test_check(room[i] == 0 && room[48 + i] == 0, "nothing is written beside the buffer");
}

static void vectors_load(uint64_t value) {
    __asm__ volatile("movq %0, %%xmm0; movq %0, %%xmm7; movq %0, %%xmm15" ::"r"(value));
}

static bool vectors_are(uint64_t value) {
    uint64_t first, middle, last;
    __asm__ volatile("movq %%xmm0, %0; movq %%xmm7, %1; movq %%xmm15, %2"
                     : "=r"(first), "=r"(middle), "=r"(last));
    return first == value && middle == value && last == value;
}

static bool yields_keep(uint64_t value) {
    vectors_load(value);
    for (int i = 0; i < YIELDS; i++) {
        thread_yield();
        if (!vectors_are(value)) return false;
    }
    return true;
}

static uint32_t others_result;

static void other_run(void) {
    others_result = yields_keep(0x2222222222222222) ? 1 : 2;
    thread_exit();
}

static void vectors_check(void) {
    static uint8_t stack[STACK_SIZE] __attribute__((aligned(16)));
    handle_t thread;
    uint32_t observed;
    test_ok(thread_create((uint64_t)other_run, (uint64_t)stack + STACK_SIZE - 8, 0, &thread),
            "thread_create");
    test_check(yields_keep(0x3333333333333333), "vector registers are this thread's");
    test_ok(object_wait(thread, SIGNAL_TERMINATED, 0, test_deadline(10000), &observed), "its end");
    test_check(others_result == 1, "vector registers are the other thread's");
    handle_close(thread);
}

void test_run(void) {
    calls_check();
    direction_check();
    vectors_check();
    test_pass("a system call changes no register that it should not");
}
