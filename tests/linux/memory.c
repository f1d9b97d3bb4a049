// Mappings, the break, futexes, and pointers that lead nowhere.
#include "check.h"

enum {
    SYS_msync = 26,
    SYS_mincore = 27,
    SYS_mlock = 149,
    SYS_munlock = 150,
    SYS_mlockall = 151,
    SYS_setrlimit = 160,
};

static u8 *map(u64 size, int flags) {
    return (u8 *)SYS(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
}

static void test_anonymous(void) {
    u8 *area = map(1 << 20, MAP_PRIVATE);
    IS(area[12345], 0);
    area[0] = 1, area[4096] = 2, area[(1 << 20) - 1] = 3;
    IS(SYS(SYS_madvise, area + 4096, 4096, 4), 0);
    IS(area[4096], 0);
    IS(area[0], 1);
    u8 *fixed = (u8 *)SYS(SYS_mmap, area + 8192, 4096, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    IS(fixed, area + 8192);
    u8 *moved = (u8 *)SYS(SYS_mremap, area, 1 << 20, 2 << 20, 1, 0);
    IS((long)moved > 0, true);
    IS(moved[0], 1);
    IS(moved[(1 << 20) - 1], 3);
    moved[(2 << 20) - 1] = 9;
    IS(SYS(SYS_mremap, moved, 2 << 20, 4096, 0, 0), moved);
    IS(moved[0], 1);
    IS(SYS(SYS_munmap, moved, 4096), 0);
    IS(SYS(SYS_munmap, moved + 1, 4096), -EINVAL);
    IS(SYS(SYS_mmap, 0, 0, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), -EINVAL);
    IS(SYS(SYS_mmap, 0, 4096, 3, MAP_PRIVATE, 77, 0), -EBADF);
    IS(SYS(SYS_mprotect, 0x10000000000, 4096, PROT_READ), -ENOMEM);
}

// Holes, growing in place, and what a call says of memory that is not there.
static void test_ranges(void) {
    u8 *area = map(16 * 4096, MAP_PRIVATE);
    u8 vector[16];
    area[4 * 4096] = 7;
    IS(SYS(SYS_munmap, area + 8 * 4096, 4096), 0);
    IS(SYS(SYS_mprotect, area, 16 * 4096, PROT_READ), -ENOMEM);
    IS(SYS(SYS_mprotect, area + 9 * 4096, 4096, PROT_READ | PROT_WRITE), 0);
    IS(SYS(SYS_madvise, area, 16 * 4096, 4), -ENOMEM);
    IS(area[4 * 4096], 0);
    IS(SYS(SYS_madvise, area, 4096, 77), -EINVAL);
    IS(SYS(SYS_madvise, area + 1, 4096, 4), -EINVAL);
    IS(SYS(SYS_mincore, area, 8 * 4096, vector), 0);
    IS(SYS(SYS_mincore, area, 9 * 4096, vector), -ENOMEM);
    IS(SYS(SYS_mincore, area + 1, 4096, vector), -EINVAL);
    IS(SYS(SYS_mincore, area, 4096, 8), -EFAULT);
    IS(SYS(SYS_mlock, area + 5, 4096), 0);
    IS(SYS(SYS_mlock, area, 9 * 4096), -ENOMEM);
    IS(SYS(SYS_munlock, area, 8 * 4096), 0);
    IS(SYS(SYS_mlockall, 0), -EINVAL);
    IS(SYS(SYS_msync, area, 4096, 4), 0);
    IS(SYS(SYS_msync, area, 9 * 4096, 4), -ENOMEM);
    IS(SYS(SYS_msync, area, 4096, 5), -EINVAL);
    SYS(SYS_mprotect, area, 8 * 4096, PROT_READ | PROT_WRITE);
    area[7 * 4096] = 9;
    IS(SYS(SYS_mremap, area, 8 * 4096, 9 * 4096, 0, 0), area);
    area[8 * 4096] = 1;
    IS(area[7 * 4096], 9);
    IS(SYS(SYS_mprotect, area, 16 * 4096, PROT_READ | PROT_WRITE), 0);
    IS(SYS(SYS_mremap, area, 4096, 2 * 4096, 0, 0), -ENOMEM);
    IS(SYS(SYS_mremap, area, 4096, 0, 1, 0), -EINVAL);
    IS(SYS(SYS_mremap, area, 4096, 4096, 8, 0), -EINVAL);
    IS(SYS(SYS_mremap, area, 4096, 4096, 2, area + 8192), -EINVAL);
    IS(SYS(SYS_mremap, area, 8192, 8192, 3, area + 4096), -EINVAL);
    IS(SYS(SYS_mremap, area, 17 * 4096, 18 * 4096, 1, 0), -EFAULT);
    IS(SYS(SYS_mremap, 0x10000000000, 4096, 8192, 1, 0), -EFAULT);
    u8 *other = map(4 * 4096, MAP_PRIVATE);
    area[0] = 5;
    IS(SYS(SYS_mremap, area, 2 * 4096, 4096, 3, other + 4096), other + 4096);
    IS(other[4096], 5);
    IS(other[0], 0);
    SYS(SYS_munmap, other, 4 * 4096);
    SYS(SYS_munmap, area, 16 * 4096);
}

static int limited(u32 resource, u64 bytes) {
    u64 limit[2] = {bytes, bytes};
    SYS(SYS_setrlimit, resource, limit);
    long first = SYS(SYS_mmap, 0, 1 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long second = SYS(SYS_mmap, 0, 64 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return first > 0 && second == -ENOMEM ? 0 : 1;
}

static void test_limits(void) {
    static const u32 limits[] = {2, 9}; // data, address space
    for (u32 i = 0; i < 2; i++) {
        long pid = SYS(SYS_fork);
        if (pid == 0) linux_exit(limited(limits[i], 32 << 20));
        IS(wait_status(pid), 0);
    }
}

static void test_shared(void) {
    volatile u8 *area = map(8192, MAP_SHARED);
    area[0] = 1;
    long pid = SYS(SYS_fork);
    if (pid == 0) {
        area[4096] = area[0] + 1;
        linux_exit(0);
    }
    IS(wait_status(pid), 0);
    IS(area[4096], 2);
    IS(SYS(SYS_munmap, area, 8192), 0);
}

static u8 piece[8192];

static void test_file(void) {
    long fd = SYS(SYS_open, "/bin/sh", 0, 0); // there on any Linux, and in the image
    IS(fd >= 0, true);
    IS(SYS(SYS_read, fd, piece, sizeof(piece)), sizeof(piece));
    u8 *file = (u8 *)SYS(SYS_mmap, 0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    IS(is_equal(file, piece, sizeof(piece)), true);
    file[0] = 0;
    u8 *second = (u8 *)SYS(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, fd, 4096);
    IS(is_equal(second, piece + 4096, 4096), true);
    IS(SYS(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, fd, 100), -EINVAL);
    IS(SYS(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), -EACCES);
    // Beyond what a file can have.
    IS(SYS(SYS_mmap, 0, 8192, PROT_READ, MAP_PRIVATE, fd, 0xfffffffffffff000), -EOVERFLOW);
    IS(SYS(SYS_mmap, 0, 8192, PROT_READ, MAP_PRIVATE, fd, 0x7ffffffffffff000), -EOVERFLOW);
    u8 *shared = (u8 *)SYS(SYS_mmap, 0, 4096, PROT_READ, MAP_SHARED, fd, 0);
    IS(SYS(SYS_mprotect, shared, 4096, PROT_READ | PROT_WRITE), -EACCES);
    IS(SYS(SYS_close, fd), 0);
    IS(file[1], 'E');
    fd = SYS(SYS_open, "/tmp/mapped", 0x242, 0644);
    IS(SYS(SYS_write, fd, "content", 7), 7);
    file = (u8 *)SYS(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    IS(is_equal(file, "content", 8), true);
    SYS(SYS_close, fd);
    SYS(SYS_unlink, "/tmp/mapped");
}

static void test_break(void) {
    u8 *start = (u8 *)SYS(SYS_brk, 0);
    IS(SYS(SYS_brk, start + 100000), start + 100000);
    start[99999] = 1;
    IS(SYS(SYS_brk, start + 10), start + 10);
    IS(SYS(SYS_brk, start + 100000), start + 100000);
    IS(start[99999], 0);
    IS(SYS(SYS_brk, 8), start + 100000);
    IS(SYS(SYS_brk, start), start);
}

static void test_pointers(void) {
    static const u64 bad[] = {8,
                              0x7f8000400000,
                              0x7ffffffff000,
                              0x7fffffffffff,
                              0x800000000000,
                              0xffff800000000000,
                              0xffffffffffffffff};
    for (u64 i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        IS(SYS(SYS_write, 1, bad[i], 1), -EFAULT);
        IS(SYS(SYS_open, bad[i], 0, 0), -EFAULT);
        IS(SYS(SYS_pipe, bad[i]), -EFAULT);
        IS(SYS(SYS_clock_gettime, 1, bad[i]), -EFAULT);
        IS(SYS(SYS_getrandom, bad[i], 16, 0), -EFAULT);
        IS(SYS(SYS_poll, bad[i], 1, 0), -EFAULT);
    }
    // A string that ends with its mapping is no fault; one that does not end is.
    u8 *area = map(8192, MAP_PRIVATE);
    SYS(SYS_munmap, area + 4096, 4096);
    area[4095] = 0, area[4094] = '/';
    long fd = SYS(SYS_open, area + 4094, 0, 0);
    IS(fd >= 0, true);
    SYS(SYS_close, fd);
    area[4095] = 'x';
    IS(SYS(SYS_open, area + 4094, 0, 0), -EFAULT);
    // Only a part can be read into: what comes before the fault arrives.
    fd = SYS(SYS_open, "/dev/zero", 0, 0);
    IS(SYS(SYS_read, fd, area + 4096, 10), -EFAULT);
    SYS(SYS_close, fd);
    SYS(SYS_mprotect, area, 4096, PROT_READ);
    IS(SYS(SYS_clock_gettime, 1, area), -EFAULT);
    SYS(SYS_munmap, area, 4096);
}

static void test_futex(void) {
    volatile u32 *word = (u32 *)map(4096, MAP_SHARED);
    struct timespec short_time = {0, 20000000};
    IS(SYS(SYS_futex, word, 0, 1, 0), -EAGAIN);
    IS(SYS(SYS_futex, word, 0, 0, &short_time), -ETIMEDOUT);
    IS(SYS(SYS_futex, word, 1, 1), 0);
    IS(SYS(SYS_futex, (u64)word + 1, 0, 0, 0), -EINVAL);
    IS(SYS(SYS_futex, 8, 0, 0, 0), -EFAULT);
}

static void test_unknown(void) {
    IS(SYS(9999), -ENOSYS);
    IS(SYS(-1), -ENOSYS);
    IS(SYS(SYS_ioctl, 99, 0, 0), -EBADF);
}

static int program(long argc, char **argv) {
    (void)argc, (void)argv;
    test_anonymous();
    test_ranges();
    test_limits();
    test_shared();
    test_file();
    test_break();
    test_pointers();
    test_futex();
    test_unknown();
    print(failures ? "memory: failed\n" : "memory: ok\n");
    return failures ? 1 : 0;
}

LINUX_PROGRAM(program)
