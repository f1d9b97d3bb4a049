// Files that are mapped: what is written is seen by all who map or read the file, and what lies
// beyond the end is SIGBUS. Holes, running programs, descriptors without access.
#include "check.h"

enum {
    SYS_fstat = 5,
    SYS_pwrite = 18,
    SYS_pread = 17,
    SYS_msync = 26,
    SYS_ftruncate = 77,
    SYS_readlink = 89,
    SYS_fchmod = 91,
    SYS_openat = 257,
    SYS_memfd = 319,
    SIGBUS = 7,
    BUS_ADRERR = 2,
    ETXTBSY = 26,
    ENODEV = 19,
    O_WRONLY = 1,
    O_PATH = 010000000,
    PAGE = 4096,
};

static const char name[] = "/tmp/mapped-file";

// Reads or writes one byte; -1 where that faults.
__asm__(".text\n"
        "probe_read: movzbl (%rdi), %eax\n"
        "    ret\n"
        "probe_write: movb %sil, (%rdi)\n"
        "    xor %eax, %eax\n"
        "    ret\n"
        "probe_failed: mov $-1, %eax\n"
        "    ret\n");
int probe_read(const volatile u8 *at);
int probe_write(volatile u8 *at, int value);
extern char probe_failed[];

static int last_signal;
static int last_code;

static void on_fault(int signal, struct siginfo *info, struct ucontext *context) {
    last_signal = signal;
    last_code = info->code;
    context->rip = (u64)probe_failed;
}

static u8 *map_file(long fd, u64 size, int protection, int flags, long offset) {
    return (u8 *)SYS(SYS_mmap, 0, size, protection, flags, fd, offset);
}

static long open_new(void) {
    SYS(SYS_unlink, name);
    return SYS(SYS_open, name, O_RDWR | O_CREAT, 0644);
}

static void test_shared(void) {
    long fd = open_new();
    u8 bytes[16];
    IS(SYS(SYS_pwrite, fd, "0123456789", 10, 0), 10);
    u8 *one = map_file(fd, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
    u8 *two = map_file(fd, PAGE, PROT_READ, MAP_SHARED, 0);
    IS(one[3], '3');
    IS(one[10], 0);
    one[3] = 'x';
    IS(two[3], 'x');
    IS(SYS(SYS_pread, fd, bytes, 16, 0), 10);
    IS(bytes[3], 'x');
    IS(SYS(SYS_pwrite, fd, "y", 1, 4), 1);
    IS(two[4], 'y');
    long pid = SYS(SYS_fork);
    if (pid == 0) {
        one[5] = 'z';
        SYS(SYS_exit_group, two[3] == 'x' ? 0 : 1);
    }
    IS(wait_status(pid), 0);
    IS(two[5], 'z');
    IS(SYS(SYS_msync, one, PAGE, 4), 0);
    IS(SYS(SYS_munmap, one, PAGE), 0);
    IS(SYS(SYS_close, fd), 0);
    fd = SYS(SYS_open, name, 0, 0);
    IS(SYS(SYS_pread, fd, bytes, 16, 0), 10);
    IS(bytes[5], 'z');
    IS(SYS(SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), -EACCES);
    SYS(SYS_close, fd);
    SYS(SYS_munmap, two, PAGE);
}

static void test_private(void) {
    long fd = open_new();
    u8 byte;
    IS(SYS(SYS_pwrite, fd, "abc", 3, 0), 3);
    u8 *own = map_file(fd, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
    own[0] = 'X';
    IS(SYS(SYS_pread, fd, &byte, 1, 0), 1);
    IS(byte, 'a');
    IS(own[1], 'b');
    SYS(SYS_munmap, own, PAGE);
    SYS(SYS_close, fd);
}

static void test_beyond_the_end(void) {
    long fd = open_new();
    IS(SYS(SYS_ftruncate, fd, PAGE + 1), 0);
    u8 *area = map_file(fd, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
    IS(probe_write(area + PAGE + 100, 1), 0);
    IS(probe_read(area + 2 * PAGE), -1);
    IS(last_signal, SIGBUS);
    IS(last_code, BUS_ADRERR);
    IS(probe_write(area + 3 * PAGE, 1), -1);
    IS(last_signal, SIGBUS);
    // It grows, and shrinks.
    IS(SYS(SYS_ftruncate, fd, 3 * PAGE), 0);
    IS(probe_write(area + 2 * PAGE, 7), 0);
    u8 byte = 0;
    IS(SYS(SYS_pread, fd, &byte, 1, 2 * PAGE), 1);
    IS(byte, 7);
    IS(SYS(SYS_pread, fd, &byte, 1, PAGE + 100), 1);
    IS(byte, 0); // beyond the end when it was written
    IS(SYS(SYS_ftruncate, fd, PAGE), 0);
    IS(probe_read(area), 0);
    IS(probe_read(area + PAGE), -1);
    IS(last_signal, SIGBUS);
    IS(probe_read(area + 2 * PAGE), -1);
    u8 *own = map_file(fd, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
    IS(probe_write(own, 1), 0);
    IS(probe_write(own + PAGE, 1), -1);
    IS(last_signal, SIGBUS);
    u8 *readable = map_file(fd, PAGE, PROT_READ, MAP_SHARED, 0);
    IS(probe_write(readable, 1), -1);
    IS(last_signal, SIGSEGV);
    SYS(SYS_munmap, area, 4 * PAGE);
    SYS(SYS_munmap, own, 2 * PAGE);
    SYS(SYS_close, fd);
    fd = SYS(SYS_open, "/tmp", 0, 0);
    IS(SYS(SYS_mmap, 0, PAGE, PROT_READ, MAP_SHARED, fd, 0), -ENODEV);
    SYS(SYS_close, fd);
}

static void test_running_programs(void) {
    static const char copy[] = "/tmp/copy-of-self";
    static u8 bytes[1 << 16];
    long self = SYS(SYS_open, "/proc/self/exe", 0, 0);
    long size = SYS(SYS_read, self, bytes, sizeof(bytes));
    SYS(SYS_unlink, copy);
    long fd = SYS(SYS_open, copy, O_WRONLY | O_CREAT, 0755);
    IS(SYS(SYS_write, fd, bytes, size), size);
    char *argv[] = {(char *)copy, "run", NULL};
    IS(SYS(SYS_execve, copy, argv, argv + 2), -ETXTBSY);
    SYS(SYS_close, fd);
    long pid = SYS(SYS_fork);
    if (pid == 0) {
        SYS(SYS_execve, copy, argv, argv + 2);
        SYS(SYS_exit_group, 9);
    }
    IS(wait_status(pid), 7 << 8);
    SYS(SYS_unlink, copy);
    SYS(SYS_close, self);
}

// What a program does that finds itself run by the test above.
static int run_by_test(const char *path) {
    bool is_busy = SYS(SYS_open, path, O_WRONLY, 0) == -ETXTBSY;
    return is_busy ? 7 : 8;
}

static void test_paths_only(void) {
    u8 byte;
    long fd = SYS(SYS_open, name, O_PATH, 0);
    IS(SYS(SYS_read, fd, &byte, 1), -EBADF);
    IS(SYS(SYS_write, fd, &byte, 1), -EBADF);
    IS(SYS(SYS_pread, fd, &byte, 1, 0), -EBADF);
    IS(SYS(SYS_lseek, fd, 0, 0), -EBADF);
    IS(SYS(SYS_fchmod, fd, 0600), -EBADF);
    IS(SYS(SYS_ftruncate, fd, 0), -EBADF);
    IS(SYS(SYS_ioctl, fd, 0x541b, &byte), -EBADF);
    IS(SYS(SYS_mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), -EBADF);
    u8 status[144];
    IS(SYS(SYS_fstat, fd, status), 0);
    SYS(SYS_close, fd);
    long directory = SYS(SYS_open, "/tmp", O_PATH | O_DIRECTORY, 0);
    IS(SYS(SYS_getdents64, directory, status, sizeof(status)), -EBADF);
    fd = SYS(SYS_openat, directory, "mapped-file", 0, 0);
    IS(fd >= 0, true);
    SYS(SYS_close, fd);
    SYS(SYS_close, directory);
}

static void test_memory_files(void) {
    char link[64];
    long fd = SYS(SYS_memfd, "some", 1);
    IS(fd >= 0, true);
    IS(SYS(SYS_write, fd, "memory", 6), 6);
    u8 *bytes = map_file(fd, PAGE, PROT_READ, MAP_SHARED, 0);
    IS(is_equal(bytes, "memory", 7), true);
    char path[] = "/proc/self/fd/0";
    path[sizeof(path) - 2] = (char)('0' + fd);
    IS(SYS(SYS_readlink, path, link, sizeof(link)), 21);
    IS(is_equal(link, "/memfd:some (deleted)", 21), true);
    SYS(SYS_munmap, bytes, PAGE);
    SYS(SYS_close, fd);
    IS(SYS(SYS_memfd, "x", 64), -EINVAL);
}

static int files(long argc, char **argv) {
    if (argc == 2 && text_equal(argv[1], "run")) return run_by_test(argv[0]);
    handle(SIGBUS, on_fault, 0);
    handle(SIGSEGV, on_fault, 0);
    test_shared();
    test_private();
    test_beyond_the_end();
    test_running_programs();
    test_paths_only();
    test_memory_files();
    SYS(SYS_unlink, name);
    print(failures ? "files: failed\n" : "files: ok\n");
    return failures != 0;
}

LINUX_PROGRAM(files)
