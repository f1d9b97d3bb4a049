// fork, vfork, exec, wait, exit statuses, process groups, file descriptors across them.
#include "check.h"

static volatile int shared_word = 1;

static long fork_child(int (*body)(void)) {
    long pid = SYS(SYS_fork);
    if (pid == 0) linux_exit(body());
    return pid;
}

static int body_changes_memory(void) {
    shared_word = 2;
    return shared_word == 2 ? 5 : 6;
}

static void test_fork(void) {
    long pid = fork_child(body_changes_memory);
    IS(wait_status(pid), 5 << 8);
    IS(shared_word, 1);
    IS(SYS(SYS_wait4, -1, 0, 0, 0), -ECHILD);
    IS(SYS(SYS_wait4, pid, 0, WNOHANG, 0), -ECHILD);
}

// The child's stack is the parent's, so nothing but the call itself may happen in it.
[[gnu::naked]] static long vfork_then_exit(void) {
    __asm__("pop %rdx\n"
            "mov $58, %eax\n"
            "syscall\n"
            "push %rdx\n"
            "test %rax, %rax\n"
            "jz 1f\n"
            "ret\n"
            "1: movl $77, shared_word(%rip)\n"
            "mov $9, %edi\n"
            "mov $60, %eax\n"
            "syscall\n");
}

static void test_vfork(void) {
    long pid = vfork_then_exit();
    IS(shared_word, 77);
    IS(wait_status(pid), 9 << 8);
}

static int body_stays(void) {
    for (;;)
        SYS(SYS_pause);
}

static void test_kill_and_stop(void) {
    long pid = fork_child(body_stays);
    int status = 0;
    IS(SYS(SYS_kill, pid, SIGSTOP), 0);
    IS(SYS(SYS_wait4, pid, &status, WUNTRACED, 0), pid);
    IS(status, SIGSTOP << 8 | 0x7f);
    IS(SYS(SYS_wait4, pid, &status, WNOHANG, 0), 0);
    IS(SYS(SYS_kill, pid, SIGCONT), 0);
    IS(SYS(SYS_wait4, pid, &status, WCONTINUED, 0), pid);
    IS(status, 0xffff);
    IS(SYS(SYS_kill, pid, SIGTERM), 0);
    IS(wait_status(pid), SIGTERM);
    IS(SYS(SYS_kill, pid, 0), -ESRCH);
}

static void test_groups(void) {
    long one = fork_child(body_stays);
    long two = fork_child(body_stays);
    IS(SYS(SYS_setpgid, one, one), 0);
    IS(SYS(SYS_setpgid, two, one), 0);
    IS(SYS(SYS_setpgid, two, 999999), -EPERM);
    IS(SYS(SYS_kill, -one, SIGTERM), 0);
    IS(wait_status(one), SIGTERM);
    IS(wait_status(two), SIGTERM);
    IS(SYS(SYS_kill, -one, SIGTERM), -ESRCH);
}

static int body_segfaults(void) {
    *(volatile int *)8 = 1;
    return 0;
}

static int body_illegal(void) {
    __asm__ volatile("ud2");
    return 0;
}

static int body_divides(void) {
    __asm__ volatile("xor %%ecx, %%ecx\n\tdiv %%ecx" : : : "eax", "ecx", "edx");
    return 0;
}

static int body_privileged(void) {
    __asm__ volatile("hlt");
    return 0;
}

static int body_jumps_high(void) {
    ((void (*)(void))0x7fffffffe000)();
    return 0;
}

static int body_jumps_noncanonical(void) {
    ((void (*)(void))0x800000000000)();
    return 0;
}

static int body_breaks(void) {
    __asm__ volatile("int3");
    return 0;
}

static void test_faults(void) {
    IS(wait_status(fork_child(body_segfaults)) & 0x7f, SIGSEGV);
    IS(wait_status(fork_child(body_illegal)) & 0x7f, SIGILL);
    IS(wait_status(fork_child(body_divides)) & 0x7f, SIGFPE);
    IS(wait_status(fork_child(body_privileged)) & 0x7f, SIGSEGV);
    IS(wait_status(fork_child(body_jumps_high)) & 0x7f, SIGSEGV);
    IS(wait_status(fork_child(body_jumps_noncanonical)) & 0x7f, SIGSEGV);
    IS(wait_status(fork_child(body_breaks)) & 0x7f, SIGTRAP);
}

static void write_file(const char *path, const char *content, int mode) {
    long fd = SYS(SYS_open, path, 0x241, 0644);
    IS(fd >= 0, true);
    SYS(SYS_write, fd, content, text_length(content));
    SYS(SYS_close, fd);
    SYS(SYS_chmod, path, mode);
}

static const char *exec_path;

static int body_execs(void) {
    const char *argv[] = {"name", "two", 0};
    const char *envp[] = {"K=V", 0};
    return (int)-SYS(SYS_execve, exec_path, argv, envp);
}

static int exec_status(const char *path) {
    exec_path = path;
    return wait_status(fork_child(body_execs));
}

static void test_exec(void) {
    write_file("/tmp/script", "#!/bin/sh\n[ $0 = /tmp/script ] && [ $1 = two ] && exit 33\n", 0755);
    write_file("/tmp/deep", "#!/tmp/script\n", 0755);
    write_file("/tmp/text", "just text\n", 0755);
    write_file("/tmp/plain", "#!/bin/sh\n", 0644);
    write_file("/tmp/empty", "", 0755);
    write_file("/tmp/missing", "#!/nowhere\n", 0755);
    IS(exec_status("/tmp/script"), 33 << 8);
    IS(exec_status("/tmp/text"), ENOEXEC << 8);
    IS(exec_status("/tmp/empty"), ENOEXEC << 8);
    IS(exec_status("/tmp/plain"), EACCES << 8);
    IS(exec_status("/tmp"), EACCES << 8);
    IS(exec_status("/tmp/missing"), ENOENT << 8);
    IS(exec_status("/tmp/nothing"), ENOENT << 8);
    IS(SYS(SYS_execve, "/tmp/script", 8, 0), -EFAULT);
    IS(SYS(SYS_execve, 8, 0, 0), -EFAULT);
    for (const char *const *path =
             (const char *const[]){"/tmp/script", "/tmp/deep", "/tmp/text", "/tmp/plain",
                                   "/tmp/empty", "/tmp/missing", 0};
         *path; path++)
        IS(SYS(SYS_unlink, *path), 0);
}

static int pipe_ends[2];

static int body_writes_closed(void) {
    SYS(SYS_close, pipe_ends[0]);
    SYS(SYS_write, pipe_ends[1], "x", 1);
    return 1;
}

static void test_pipe_signal(void) {
    IS(SYS(SYS_pipe, pipe_ends), 0);
    SYS(SYS_close, pipe_ends[0]);
    IS(wait_status(fork_child(body_writes_closed)), SIGPIPE);
    IS(handle(SIGPIPE, (void *)1, 0), 0);
    IS(SYS(SYS_write, pipe_ends[1], "x", 1), -EPIPE);
    IS(handle(SIGPIPE, (void *)0, 0), 0);
    SYS(SYS_close, pipe_ends[1]);
}

static u64 tls_word = 0x1234;

static int body_checks_registers(void) {
    u64 from_fs;
    u64 vector[2];
    __asm__ volatile("mov %%fs:0, %0" : "=r"(from_fs));
    __asm__ volatile("movups %%xmm7, %0" : "=m"(vector));
    return from_fs == 0x1234 && vector[0] == 42 && vector[1] == 43 ? 0 : 1;
}

static void test_registers_across_fork(void) {
    static const u64 vector[2] = {42, 43};
    IS(SYS(SYS_arch_prctl, 0x1002, &tls_word), 0);
    IS(SYS(SYS_arch_prctl, 0x1002, 0x800000000000), -EPERM);
    long pid;
    __asm__ volatile("movups %1, %%xmm7\n\tsyscall"
                     : "=a"(pid)
                     : "m"(vector), "a"(57)
                     : "rcx", "r11", "memory");
    if (pid == 0) linux_exit(body_checks_registers());
    IS(wait_status(pid), 0);
    IS(body_checks_registers(), 0);
}

enum { SYS_setuid = 105, SYS_readlink = 89, SYS_prctl = 157, USER = 1000 };
enum { PR_GET_DUMPABLE = 3, PR_SET_DUMPABLE = 4 };

static u32 owner_of(const char *path) {
    struct {
        u64 device, inode, links;
        u32 mode, uid;
        u64 rest[14];
    } found = {};
    IS(SYS(SYS_stat, path, &found), 0);
    return found.uid;
}

static const char *parent_exe(void) {
    static char path[32] = "/proc/";
    char *at = path + 6;
    long pid = SYS(SYS_getppid);
    long unit = 1;
    while (unit * 10 <= pid)
        unit *= 10;
    for (; unit > 0; unit /= 10)
        *at++ = (char)('0' + pid / unit % 10);
    for (const char *from = "/exe"; *from; from++)
        *at++ = *from;
    return path;
}

// What another process of the same user finds of this one's program.
static long exe_by_child(void) {
    char text[256];
    long child = SYS(SYS_fork);
    if (child == 0) linux_exit(SYS(SYS_readlink, parent_exe(), text, sizeof(text)) > 0 ? 0 : 1);
    return wait_status(child);
}

// One that changes who it is, or says so, is hidden from others of its user.
static int hides(void) {
    char text[256];
    IS(SYS(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0), 1);
    IS(SYS(SYS_setuid, USER), 0);
    IS(SYS(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0), 0);
    IS(owner_of("/proc/self/status"), 0);
    IS(owner_of("/proc/self"), USER);
    IS(SYS(SYS_readlink, "/proc/self/exe", text, sizeof(text)) > 0, true);
    IS(SYS(SYS_open, "/proc/self/fd", 0, 0) >= 0, true);
    IS(SYS(SYS_open, "/proc/self/environ", 0, 0), -EACCES);
    IS(exe_by_child(), 1 << 8);
    IS(SYS(SYS_prctl, PR_SET_DUMPABLE, 2, 0, 0), -EINVAL);
    IS(SYS(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0), 0);
    IS(owner_of("/proc/self/status"), USER);
    IS(exe_by_child(), 0);
    IS(SYS(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0), 0);
    IS(exe_by_child(), 1 << 8);
    return failures;
}

static void test_hidden(void) {
    long child = SYS(SYS_fork);
    if (child == 0) linux_exit(hides());
    IS(wait_status(child), 0);
}

static int program(long argc, char **argv) {
    (void)argc, (void)argv;
    test_fork();
    test_vfork();
    test_kill_and_stop();
    test_groups();
    test_faults();
    test_exec();
    test_pipe_signal();
    test_registers_across_fork();
    test_hidden();
    print(failures ? "processes: failed\n" : "processes: ok\n");
    return failures ? 1 : 0;
}

LINUX_PROGRAM(program)
