// The Linux system calls of the bench's programs, made by hand: the programs have no C library, so
// that what is counted is the kernel's work (or the personality's) and nothing of a library's.
#pragma once
#include <stddef.h>

enum {
    SYS_read = 0,
    SYS_write = 1,
    SYS_open = 2,
    SYS_close = 3,
    SYS_stat = 4,
    SYS_lseek = 8,
    SYS_mmap = 9,
    SYS_munmap = 11,
    SYS_pipe = 22,
    SYS_sched_yield = 24,
    SYS_dup2 = 33,
    SYS_getpid = 39,
    SYS_fork = 57,
    SYS_vfork = 58,
    SYS_execve = 59,
    SYS_exit = 60,
    SYS_wait4 = 61,
    SYS_kill = 62,
    SYS_mkdir = 83,
    SYS_unlink = 87,
    SYS_getppid = 110,
    SYS_mount = 165,
    SYS_reboot = 169,
    SYS_getdents64 = 217,
};

enum { STDOUT = 1, STDERR = 2, SIGKILL = 9, ENOENT = 2 };
enum { O_RDWR = 2, O_CREAT = 0100, O_DIRECTORY = 0200000 };
enum { PROT_READ = 1, PROT_WRITE = 2, MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x20 };

// Result as the kernel gives it: negative errno on failure.
static inline long linux_call6(long number, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static inline long linux_call3(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

static inline long linux_call0(long number) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number) : "rcx", "r11", "memory");
    return result;
}

[[noreturn]] static inline void linux_exit(int status) {
    for (;;)
        linux_call3(SYS_exit, status, 0, 0);
}

static inline size_t text_length(const char *text) {
    size_t length = 0;
    while (text[length] != '\0')
        length++;
    return length;
}

static inline bool text_equal(const char *a, const char *b) {
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static inline void text_write(int file, const char *text) {
    linux_call3(SYS_write, file, (long)text, (long)text_length(text));
}

// A bench that can't go on says why in one line and fails.
[[noreturn]] static inline void fail(const char *what) {
    text_write(STDERR, "bench: failed: ");
    text_write(STDERR, what);
    text_write(STDERR, "\n");
    linux_exit(1);
}

static inline long checked(long result, const char *what) {
    if (result < 0) fail(what);
    return result;
}

// The entry of a program: `int program(argc, argv)`'s status is the exit status.
#define LINUX_PROGRAM(PROGRAM)                                     \
    __asm__(".globl _start\n"                                      \
            "_start: xor %ebp, %ebp\n"                             \
            "    mov (%rsp), %rdi\n"                               \
            "    lea 8(%rsp), %rsi\n"                              \
            "    and $-16, %rsp\n"                                 \
            "    call linux_program_start\n");                     \
    [[noreturn]] void linux_program_start(long argc, char **argv); \
    void linux_program_start(long argc, char **argv) { linux_exit(PROGRAM(argc, argv)); }
