// Programs that crash: their state and exit status say it, their namespace goes on. And the table
// of fixups that lets a program survive its own faults.
#include "lib/string.h"
#include "lib/test.h"
#include "lib/threads.h"
#include "lib/twin.h"

enum : uint64_t { END_MS = 20000, STACK_PAGES = 16, STACK_TOP = 0x7fc000000000 };
enum : uint32_t { DIVIDE = 0, BREAKPOINT = 3, INVALID = 6, PROTECTION = 13, PAGE_FAULT = 14 };

// ---- what crashes ----

static void crash_null(void) { *(volatile uint8_t *)8 = 1; }
static void crash_kernel_read(void) { (void)*(volatile uint8_t *)0xffffffff80000000; }
static void crash_kernel_write(void) { *(volatile uint8_t *)0xffff800000100000 = 1; }
static void crash_text_write(void) { *(volatile uint8_t *)(uint64_t)crash_null = 1; }
static void crash_divide(void) {
    asm volatile("xorl %%ecx, %%ecx; divl %%ecx" ::: "eax", "ecx", "edx");
}
static void crash_invalid(void) { asm volatile("ud2"); }
static void crash_breakpoint(void) { asm volatile("int3"); }
static void crash_halt(void) { asm volatile("hlt"); }
static void crash_port(void) { asm volatile("outb %%al, $0x80" ::: "memory"); }
static void crash_gate(void) { asm volatile("int $0x80"); }
static void crash_non_canonical(void) { (void)*(volatile uint8_t *)0x800000000000; }
static void crash_jump(void) { asm volatile("jmp *%0" ::"r"(0x1234567890abcdef)); }
static void crash_jump_kernel(void) { asm volatile("jmp *%0" ::"r"(0xffffffff80001000)); }
static void crash_jump_stack(void) {
    uint8_t code[] = {0xc3};
    asm volatile("call *%0" ::"r"(code) : "memory");
}
static void crash_stack(void) { asm volatile("1: pushq $0; jmp 1b"); }
// A system call with a stack pointer that leads nowhere returns; the next push does not.
static void crash_stack_pointer(void) {
    asm volatile("movq $0x1000, %%rsp; xorl %%eax, %%eax; syscall; pushq $0" ::: "memory");
}
static void crash_stack_non_canonical(void) {
    asm volatile("movabsq $0x9000000000000000, %%rsp; xorl %%eax, %%eax; syscall; pushq $0" :::);
}
// `syscall` in the last bytes below the end of user memory would return to a non-canonical rip: the
// last page can't be mapped.
static void crash_last_page(void) {
    uint64_t mapped;
    test_ok(aspace_map(0, 0, 0, CL_PROCESS_LIMIT - 4096, 4096, CL_MAP_READ | CL_MAP_EXACT, &mapped),
            "the last page but one");
    if (aspace_map(0, 0, 0, CL_PROCESS_LIMIT, 4096, CL_MAP_READ | CL_MAP_EXACT, &mapped) ==
        ERR_OUT_OF_RANGE)
        asm volatile("jmp *%0" ::"r"(CL_PROCESS_LIMIT));
}
static void crash_flags(void) { // alignment check: with AC and CR0.AM, else nothing happens
    asm volatile("pushf; orl $0x40000, (%%rsp); popf; movq $1, %%rax; movq (%%rsp,%%rax), %%rax;"
                 "ud2" ::
                     : "rax", "memory");
}
static void crash_trap_flag(void) {
    asm volatile("pushf; orl $0x100, (%%rsp); popf; nop; nop" :::);
}
// A trap flag set over the system call: it must not fire inside of the kernel.
static void crash_trap_syscall(void) {
    asm volatile("xorl %%eax, %%eax; pushf; orl $0x100, (%%rsp); popf; syscall; nop" ::
                     : "rax", "rcx", "r11", "rdx", "r8", "r9", "r10", "rdi", "rsi", "memory");
}
// Nested task: iret of ours would fault, the kernel's must not.
static void crash_nested_task(void) {
    asm volatile("pushf; orl $0x4000, (%%rsp); popf; xorl %%eax, %%eax; syscall; ud2" ::
                     : "rax", "rcx", "r11", "rdx", "r8", "r9", "r10", "rdi", "rsi", "memory");
}

// More than its namespace may use.
static void crash_memory(void) {
    uint64_t size = 1ul << 30, mapped = 0;
    test_ok(aspace_map(0, 0, 0, 0, size, CL_MAP_READ | CL_MAP_WRITE, &mapped), "a gigabyte");
    for (uint64_t at = mapped; at < mapped + size; at += 4096)
        *(volatile uint8_t *)at = 1;
}

static const struct {
    const char *text;
    void (*run)(void);
    uint64_t vectors; // one bit each that may be reported
} crashes[] = {
    {"null", crash_null, 1 << PAGE_FAULT},
    {"a read of the kernel", crash_kernel_read, 1 << PAGE_FAULT},
    {"a write to the direct map", crash_kernel_write, 1 << PAGE_FAULT},
    {"a write to text", crash_text_write, 1 << PAGE_FAULT},
    {"division by zero", crash_divide, 1 << DIVIDE},
    {"an invalid opcode", crash_invalid, 1 << INVALID},
    {"a breakpoint", crash_breakpoint, 1 << BREAKPOINT},
    {"hlt", crash_halt, 1 << PROTECTION},
    {"out", crash_port, 1 << PROTECTION},
    {"int 0x80", crash_gate, 1 << PROTECTION},
    {"a non-canonical address", crash_non_canonical, 1 << PROTECTION},
    {"a jump to a non-canonical address", crash_jump, 1 << PROTECTION},
    {"a jump into the kernel", crash_jump_kernel, 1 << PAGE_FAULT},
    {"a call into the stack", crash_jump_stack, 1 << PAGE_FAULT},
    {"a stack that overflows", crash_stack, 1 << PAGE_FAULT},
    {"a stack pointer to nothing", crash_stack_pointer, 1 << PAGE_FAULT},
    {"a non-canonical stack pointer", crash_stack_non_canonical, 1 << 12 | 1 << PROTECTION},
    {"a jump to the last page", crash_last_page, 1 << PAGE_FAULT},
    {"the alignment flag", crash_flags, 1 << INVALID | 1 << 17},
    {"the trap flag", crash_trap_flag, 1 << 1},
    {"the trap flag over a system call", crash_trap_syscall, 1 << 1},
    {"a page that can't be paid", crash_memory, 1ul << CL_CRASH_NO_MEMORY},
    {"the nested-task flag over a system call", crash_nested_task, 1 << INVALID},
};
enum { CRASHES = sizeof(crashes) / sizeof(crashes[0]) };

static void crash_main(handle_t bootstrap, uint64_t argument) {
    (void)bootstrap;
    crashes[argument].run();
    process_exit(77);
}

// ---- watching it ----

static struct cl_object_info end_of(handle_t process) {
    struct cl_object_info info = {};
    uint32_t seen;
    test_check(object_wait(process, SIGNAL_TERMINATED, 0, test_deadline(END_MS), &seen) == OK,
               "end");
    test_check(object_info(process, &info) == OK, "info");
    return info;
}

static void crash_all(handle_t ns) {
    for (uint64_t i = 0; i < CRASHES; i++) {
        handle_t process = 0;
        test_ok(twin_start(ns, crash_main, 0, i, &process), "a process");
        struct cl_object_info info = end_of(process);
        handle_close(process);
        if (info.detail[0] == CL_PROCESS_STATE_CRASHED && info.detail[1] < 64 &&
            crashes[i].vectors & 1ul << info.detail[1])
            continue;
        test_printf("%s: state %lu, status %lu", crashes[i].text, info.detail[0], info.detail[1]);
        test_fail("a crash is reported with its vector");
    }
    test_pass("every way to crash ends the process with its exception");
}

static void exit_main(handle_t bootstrap, uint64_t argument) {
    (void)bootstrap;
    process_exit((int32_t)argument);
}

static void spin_main(handle_t bootstrap, uint64_t argument) {
    (void)bootstrap;
    (void)argument;
    for (;;)
        asm volatile("pause");
}

static void last_thread_main(handle_t bootstrap, uint64_t argument) {
    (void)bootstrap;
    (void)argument;
    thread_exit();
}

static void ends(handle_t ns) {
    static const int32_t statuses[] = {0, 1, -1, 255, INT32_MIN, INT32_MAX};
    handle_t process = 0;
    for (uint32_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        test_ok(twin_start(ns, exit_main, 0, (uint64_t)(int64_t)statuses[i], &process),
                "a process");
        struct cl_object_info info = end_of(process);
        test_check(info.detail[0] == CL_PROCESS_STATE_EXITED &&
                       (int64_t)info.detail[1] == statuses[i],
                   "an exit status comes through");
        test_check(process_kill(process) == OK, "the dead can be killed");
        info = end_of(process);
        test_check(info.detail[0] == CL_PROCESS_STATE_EXITED, "and stay what they were");
        handle_close(process);
    }
    test_ok(twin_start(ns, last_thread_main, 0, 0, &process), "a process");
    test_check(end_of(process).detail[0] == CL_PROCESS_STATE_EXITED, "the last thread ends it");
    handle_close(process);
    test_ok(twin_start(ns, spin_main, 0, 0, &process), "a process");
    test_check(process_kill(process) == OK && process_kill(process) == OK, "kill");
    test_check(end_of(process).detail[0] == CL_PROCESS_STATE_KILLED, "killed while it computes");
    test_check(process_start(process, (uint64_t)exit_main, STACK_TOP - 8, 0, 0) == ERR_BAD_STATE,
               "and can't be started again");
    handle_close(process);
    test_pass("exited, killed: it can be told");
}

// ---- fixups ----

// Reads a byte at `address`; ~0 when it can't be read. 1: and 2: are the range, 3: the handler.
extern char fixup_from[], fixup_to[], fixup_target[];
static __attribute__((noinline)) uint64_t read_safely(uint64_t address) {
    uint64_t value;
    asm volatile(".globl fixup_from, fixup_to, fixup_target\n"
                 "fixup_from: movzbl (%1), %k0\n"
                 "fixup_to: jmp 1f\n"
                 "fixup_target: movq $-1, %0\n"
                 "1:"
                 : "=&r"(value)
                 : "r"(address)
                 : "memory");
    return value;
}

static void fixup_main(handle_t bootstrap, uint64_t argument) {
    (void)bootstrap;
    uint64_t from = (uint64_t)fixup_from, to = (uint64_t)fixup_to, target = (uint64_t)fixup_target;
    uint8_t byte = 5;
    if (fixup_register(to, from, target) != ERR_INVALID_ARGUMENT) process_exit(2);
    if (fixup_register(from, from, target) != ERR_INVALID_ARGUMENT) process_exit(3);
    if (fixup_register(from, to, target) != OK) process_exit(4);
    if (fixup_register(from, to, target) != ERR_BAD_STATE) process_exit(5);
    if (read_safely(0) != UINT64_MAX || read_safely(0x10000000) != UINT64_MAX) process_exit(6);
    if (read_safely((uint64_t)&byte) != 5) process_exit(7);
    if (argument) (void)*(volatile uint8_t *)8; // outside of the range: it crashes
    process_exit(8);
}

static void fixups(handle_t ns) {
    handle_t process = 0;
    test_ok(twin_start(ns, fixup_main, 0, 0, &process), "a process");
    struct cl_object_info info = end_of(process);
    test_check(info.detail[0] == CL_PROCESS_STATE_EXITED && info.detail[1] == 8,
               "a fault in the range goes on at the handler");
    if (info.detail[1] != 8) test_printf("status %lu", info.detail[1]);
    handle_close(process);
    test_ok(twin_start(ns, fixup_main, 0, 1, &process), "a process");
    info = end_of(process);
    test_check(info.detail[0] == CL_PROCESS_STATE_CRASHED, "a fault elsewhere does not");
    handle_close(process);
    test_pass("a registered range of instructions may fault");
}

void test_run(void) {
    struct cl_ns_info before = {}, after = {};
    handle_t ns = test_child_namespace("crash");
    crash_all(ns);
    ends(ns);
    fixups(ns);
    ns_info(ns, &after);
    uint64_t limit = test_deadline(1000);
    while (after.objects + after.memory_used_pages != 0 && test_deadline(0) < limit) {
        thread_yield();
        ns_info(ns, &after);
    }
    test_check(after.objects == before.objects && after.handles == before.handles &&
                   after.threads == before.threads && after.memory_used_pages == 0,
               "nothing of them is left");
    test_check(test_namespace_end(ns) == OK, "their namespace ends");
    test_pass("the namespace of those who crash is unharmed");
}
