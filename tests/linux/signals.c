// Handlers and their frames: what they are told, what they change, what comes back afterwards.
#include "check.h"

static volatile int hits;
static volatile long last_signal, last_code, last_value;

static long signal_self(int signal) {
    long pid = SYS(SYS_getpid);
    return SYS(SYS_kill, pid, signal);
}

static void on_signal(int signal, struct siginfo *info, struct ucontext *context) {
    (void)context;
    hits++;
    last_signal = signal;
    last_code = info->code;
    last_value = info->pid;
    // What the interrupted code must not notice.
    __asm__ volatile("pxor %%xmm0, %%xmm0\n\tpxor %%xmm15, %%xmm15\n\tmov $-1, %%rbx\n"
                     :
                     :
                     : "xmm0", "xmm15", "rbx");
}

static void test_handler(void) {
    static const u64 vector[2] = {7, 8};
    u64 after[2];
    u64 kept = 0x1122334455667788;
    long pid = SYS(SYS_getpid);
    IS(handle(SIGUSR1, (void *)on_signal, 0), 0);
    long result;
    __asm__ volatile("movups %3, %%xmm15\n\tmov %4, %%rbx\n\tsyscall\n\tmovups %%xmm15, %1\n\t"
                     "mov %%rbx, %2"
                     : "=a"(result), "=m"(after), "=r"(kept)
                     : "m"(vector), "r"(kept), "a"(SYS_kill), "D"(pid), "S"(SIGUSR1)
                     : "rcx", "r11", "rbx", "memory", "xmm15");
    IS(result, 0);
    IS(hits, 1);
    IS(last_signal, SIGUSR1);
    IS(last_code, 0);
    IS(last_value, pid);
    IS(is_equal(after, vector, sizeof(vector)), true);
    IS(kept, 0x1122334455667788);
}

static void test_mask(void) {
    u64 mask = 1UL << (SIGUSR1 - 1) | 1UL << 8;
    u64 old = 1;
    hits = 0;
    IS(SYS(SYS_sigprocmask, 0, &mask, &old, 8), 0);
    IS(old, 0);
    IS(signal_self(SIGUSR1), 0);
    IS(signal_self(SIGUSR1), 0);
    IS(hits, 0);
    u64 none = 0;
    IS(SYS(SYS_sigsuspend, &none, 8), -EINTR);
    IS(hits, 1);
    IS(SYS(SYS_sigprocmask, 1, &mask, &old, 8), 0);
    IS(old, 1UL << (SIGUSR1 - 1));
    IS(hits, 1);
    IS(SYS(SYS_sigprocmask, 7, &mask, 0, 8), -EINVAL);
    IS(SYS(SYS_sigprocmask, 0, &mask, 0, 4), -EINVAL);
    IS(SYS(SYS_sigprocmask, 0, 8, 0, 8), -EFAULT);
}

static void on_fault(int signal, struct siginfo *info, struct ucontext *context) {
    hits++;
    last_signal = signal;
    last_code = info->code;
    last_value = (long)info->address;
    context->rip = context->rbx;
    context->rax = 99;
}

// Returns 0, or 99 when the access faulted and the handler continued behind it.
[[gnu::noinline]] static long touch(volatile void *address, bool writes) {
    long result = 0;
    if (writes)
        __asm__ volatile("lea 1f(%%rip), %%rbx\n\tmovb $1, (%1)\n1:"
                         : "+a"(result)
                         : "r"(address)
                         : "rbx", "memory");
    else
        __asm__ volatile("lea 1f(%%rip), %%rbx\n\tcmpb $0, (%1)\n1:"
                         : "+a"(result)
                         : "r"(address)
                         : "rbx", "memory");
    return result;
}

static void test_faults(void) {
    IS(handle(SIGSEGV, (void *)on_fault, 0), 0);
    u8 *page =
        (u8 *)SYS(SYS_mmap, 0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    IS(touch(page, true), 0);
    IS(SYS(SYS_mprotect, page, 4096, PROT_READ), 0);
    hits = 0;
    IS(touch(page + 5, true), 99);
    IS(hits, 1);
    IS(last_code, 2);
    IS(last_value, page + 5);
    IS(touch(page + 5, false), 0);
    IS(SYS(SYS_munmap, page, 4096), 0);
    IS(touch(page + 7, false), 99);
    IS(last_code, 1);
    IS(last_value, page + 7);
    IS(touch(page + 4096, true), 0);
    IS(SYS(SYS_mprotect, page + 4096, 4096, PROT_NONE), 0);
    IS(touch(page + 4096, false), 99);
    IS(SYS(SYS_munmap, page + 4096, 4096), 0);
    IS(touch((void *)0xffff800000000000, false), 99);
    IS(touch((void *)0x7fffffffe000, false), 99);
    IS(handle(SIGSEGV, 0, 0), 0);
}

static u8 alternate[16384];
static volatile u64 handler_stack;

static void on_alternate(int signal, struct siginfo *info, struct ucontext *context) {
    (void)signal, (void)info, (void)context;
    handler_stack = (u64)__builtin_frame_address(0);
}

static void test_alternate_stack(void) {
    struct {
        void *pointer;
        int flags, padding;
        u64 size;
    } stack = {alternate, 0, 0, sizeof(alternate)}, old;
    IS(SYS(SYS_sigaltstack, &stack, &old), 0);
    IS(old.flags, 2);
    long pid = SYS(SYS_getpid);
    long tid = SYS(SYS_gettid);
    IS(handle(SIGUSR2, (void *)on_alternate, SA_ONSTACK), 0);
    IS(SYS(SYS_tgkill, pid, tid, SIGUSR2), 0);
    IS(handler_stack - (u64)alternate < sizeof(alternate), true);
    IS(handle(SIGUSR2, (void *)on_alternate, 0), 0);
    IS(signal_self(SIGUSR2), 0);
    IS(handler_stack - (u64)alternate < sizeof(alternate), false);
}

static int pipe_ends[2];

// A child that signals after a moment, then writes.
static long disturb(void) {
    long parent = SYS(SYS_getpid);
    long pid = SYS(SYS_fork);
    struct timespec moment = {0, 50000000};
    if (pid == 0) {
        SYS(SYS_nanosleep, &moment, 0);
        SYS(SYS_kill, parent, SIGUSR1);
        SYS(SYS_nanosleep, &moment, 0);
        SYS(SYS_write, pipe_ends[1], "x", 1);
        linux_exit(0);
    }
    return pid;
}

static void test_restart(void) {
    u8 byte;
    IS(SYS(SYS_pipe, pipe_ends), 0);
    hits = 0;
    IS(handle(SIGUSR1, (void *)on_signal, 0), 0);
    long pid = disturb();
    IS(SYS(SYS_read, pipe_ends[0], &byte, 1), -EINTR);
    IS(SYS(SYS_read, pipe_ends[0], &byte, 1), 1);
    wait_status(pid);
    IS(handle(SIGUSR1, (void *)on_signal, SA_RESTART), 0);
    pid = disturb();
    IS(SYS(SYS_read, pipe_ends[0], &byte, 1), 1);
    IS(byte, 'x');
    wait_status(pid);
    IS(hits, 2);
    struct timespec time = {10, 0}, left = {};
    pid = disturb();
    IS(SYS(SYS_nanosleep, &time, &left), -EINTR);
    IS(left.seconds >= 5 && left.seconds < 10, true); // 9 where nothing else runs
    wait_status(pid);
    struct {
        int fd;
        short events, revents;
    } polled = {pipe_ends[0], 1, 0};
    IS(SYS(SYS_poll, &polled, 1, 1000), 1);
    IS(SYS(SYS_read, pipe_ends[0], &byte, 1), 1);
    IS(SYS(SYS_poll, &polled, 1, 20), 0);
    pid = disturb();
    IS(SYS(SYS_poll, &polled, 1, -1), -EINTR);
    wait_status(pid);
    SYS(SYS_close, pipe_ends[0]);
    SYS(SYS_close, pipe_ends[1]);
}

static void on_child(int signal, struct siginfo *info, struct ucontext *context) {
    (void)context;
    last_signal = signal;
    last_code = info->code;
    last_value = info->status;
}

static void test_child_signal(void) {
    IS(handle(SIGCHLD, (void *)on_child, SA_RESTART), 0);
    long pid = SYS(SYS_fork);
    if (pid == 0) linux_exit(6);
    IS(wait_status(pid), 6 << 8);
    IS(last_signal, SIGCHLD);
    IS(last_code, 1);
    IS(last_value, 6);
    IS(handle(SIGCHLD, (void *)1, 0), 0);
    pid = SYS(SYS_fork);
    if (pid == 0) linux_exit(6);
    IS(SYS(SYS_wait4, pid, 0, 0, 0), -ECHILD);
    IS(handle(SIGCHLD, 0, 0), 0);
}

// A frame that a program has spoilt kills it, and nothing else.
static void test_bad_frame(void) {
    long pid = SYS(SYS_fork);
    if (pid == 0) {
        __asm__ volatile("xor %%esp, %%esp\n\tmov $15, %%eax\n\tsyscall" : : : "memory", "rax");
        linux_exit(0);
    }
    IS(wait_status(pid) & 0x7f, SIGSEGV);
    IS(handle(9, (void *)on_signal, 0), -EINVAL);
    IS(handle(65, (void *)on_signal, 0), -EINVAL);
    IS(SYS(SYS_sigaction, SIGUSR1, 8, 0, 8), -EFAULT);
}

static int program(long argc, char **argv) {
    (void)argc, (void)argv;
    test_handler();
    test_mask();
    test_faults();
    test_alternate_stack();
    test_restart();
    test_child_signal();
    test_bad_frame();
    print(failures ? "signals: failed\n" : "signals: ok\n");
    return failures ? 1 : 0;
}

LINUX_PROGRAM(program)
