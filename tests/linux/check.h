// What the Linux-ABI tests share: system calls by hand (no C library, so that a test is small enough
// to be handed to a container on its command line), checks, signal handlers.
#pragma once
#include "../bench/linux.h"

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

#define SYS(number, ...) SYS_PICK(number, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define SYS_PICK(number, a, b, c, d, e, f, ...) \
    linux_call6(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

enum {
    SYS_poll = 7,
    SYS_mprotect = 10,
    SYS_brk = 12,
    SYS_sigaction = 13,
    SYS_sigprocmask = 14,
    SYS_sigreturn = 15,
    SYS_ioctl = 16,
    SYS_writev = 20,
    SYS_mremap = 25,
    SYS_madvise = 28,
    SYS_pause = 34,
    SYS_nanosleep = 35,
    SYS_fcntl = 72,
    SYS_getcwd = 79,
    SYS_chmod = 90,
    SYS_setpgid = 109,
    SYS_sigsuspend = 130,
    SYS_sigaltstack = 131,
    SYS_arch_prctl = 158,
    SYS_gettid = 186,
    SYS_futex = 202,
    SYS_clock_gettime = 228,
    SYS_exit_group = 231,
    SYS_tgkill = 234,
    SYS_getrandom = 318,
};

enum {
    EPERM = 1,
    ESRCH = 3,
    EINTR = 4,
    E2BIG = 7,
    ENOEXEC = 8,
    EBADF = 9,
    ECHILD = 10,
    EAGAIN = 11,
    ENOMEM = 12,
    EACCES = 13,
    EFAULT = 14,
    EINVAL = 22,
    EPIPE = 32,
    ENOSYS = 38,
    EOVERFLOW = 75,
    ETIMEDOUT = 110,
};

enum {
    SIGILL = 4,
    SIGTRAP = 5,
    SIGFPE = 8,
    SIGUSR1 = 10,
    SIGSEGV = 11,
    SIGUSR2 = 12,
    SIGPIPE = 13,
    SIGTERM = 15,
    SIGCHLD = 17,
    SIGCONT = 18,
    SIGSTOP = 19,
};
enum { SA_SIGINFO = 4, SA_RESTORER = 0x04000000, SA_ONSTACK = 0x08000000, SA_RESTART = 0x10000000 };
enum { WNOHANG = 1, WUNTRACED = 2, WCONTINUED = 8 };
enum { PROT_NONE = 0, PROT_EXEC = 4, MAP_SHARED = 1, MAP_FIXED = 16 };

struct sigaction {
    void *handler;
    u64 flags;
    void *restorer;
    u64 mask;
};

struct siginfo {
    int signo, error, code, padding;
    union {
        void *address;
        struct {
            int pid;
            u32 uid;
            int status;
        };
    };
};

struct ucontext {
    u64 flags, link, stack[3];
    u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
};

struct timespec {
    long seconds, nanoseconds;
};

static int failures;

static void print(const char *text) { SYS(SYS_write, STDOUT, text, text_length(text)); }

static void print_number(long value) {
    char text[24];
    char *at = text + sizeof(text);
    u64 rest = value < 0 ? -(u64)value : (u64)value;
    *--at = 0;
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0) *--at = '-';
    print(at);
}

static void check(const char *text, int line, long value, long expected) {
    if (value == expected) return;
    failures++;
    print("line ");
    print_number(line);
    print(": ");
    print(text);
    print(" is ");
    print_number(value);
    print(", not ");
    print_number(expected);
    print("\n");
}

#define IS(value, expected) check(#value, __LINE__, (long)(value), (long)(expected))

[[gnu::naked]] static void restorer(void) { __asm__("mov $15, %eax\n\tsyscall"); }

static long handle(int signal, void *handler, u64 flags) {
    struct sigaction action = {handler, flags | SA_SIGINFO | SA_RESTORER, (void *)restorer, 0};
    return SYS(SYS_sigaction, signal, &action, 0, 8);
}

static int wait_status(long pid) {
    int status = -1;
    IS(SYS(SYS_wait4, pid, &status, 0, 0), pid);
    return status;
}

static bool is_equal(const void *left, const void *right, u64 size) {
    for (u64 i = 0; i < size; i++)
        if (((const u8 *)left)[i] != ((const u8 *)right)[i]) return false;
    return true;
}

// The compiler makes calls of these, with or without a library.
void *memset(void *target, int value, size_t size);
void *memset(void *target, int value, size_t size) {
    void *at = target;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(value) : "memory");
    return target;
}

void *memcpy(void *target, const void *source, size_t size);
void *memcpy(void *target, const void *source, size_t size) {
    void *at = target;
    __asm__ volatile("rep movsb" : "+D"(at), "+S"(source), "+c"(size) : : "memory");
    return target;
}
