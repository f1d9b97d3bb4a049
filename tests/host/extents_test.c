// Files without names, names of open files, holes, and limits.
#include "linux_test.h"

#include "linux/limits.h"
#include "linux/signal.h"

enum {
    NR_SIGPENDING = 127,
    NR_SIGPROCMASK = 14,
    NR_LINKAT = 265,
    NR_FALLOCATE = 285,
    NR_SETXATTR = 188,
    NR_LISTXATTR = 194,
    KEEP_SIZE = 1,
    PUNCH_HOLE = 2,
};

// What /proc says that a descriptor is.
static const char *name_of(i64 fd) {
    snprintf(path, sizeof(path), "/proc/self/fd/%ld", fd);
    i64 size = CALL3(first, NR_READLINK, path, buffer, 1000);
    buffer[max(size, 0L)] = 0;
    return buffer;
}

#define CHECK_NAME(fd, expected) CHECK_IS(strcmp(name_of(fd), expected), 0)

static void test_names(void) {
    CHECK_IS(path_call(NR_MKDIR, "/n"), 0);
    CHECK_IS(make_file("/n/one", "1"), 1);
    i64 fd = open_path("/n/one", O_RDONLY);
    i64 lower = open_path("/etc/passwd", O_RDONLY);
    i64 directory = open_path("/n", O_RDONLY);
    i64 null = open_path("/dev/null", O_RDONLY);
    CHECK_NAME(fd, "/n/one");
    CHECK_NAME(lower, "/etc/passwd");
    CHECK_NAME(directory, "/n");
    CHECK_NAME(null, "/dev/null");
    CHECK_IS(paths_call(NR_RENAME, "/n/one", "/n/two"), 0);
    CHECK_NAME(fd, "/n/two");
    CHECK_IS(paths_call(NR_RENAME, "/n", "/m"), 0);
    CHECK_NAME(fd, "/m/two");
    CHECK_IS(paths_call(NR_RENAME, "/etc/passwd", "/m/two"), 0);
    CHECK_NAME(fd, "/m/two (deleted)");
    CHECK_NAME(lower, "/m/two");
    CHECK_IS(paths_call(NR_RENAME, "/m/two", "/etc/passwd"), 0);
    CHECK_IS(path_call(NR_UNLINK, "/etc/passwd"), 0);
    CHECK_NAME(lower, "/etc/passwd (deleted)");
    CHECK_IS(path_call(NR_RMDIR, "/m"), 0);
    CHECK_NAME(directory, "/m (deleted)");
    char magic[64];
    snprintf(magic, sizeof(magic), "/proc/self/fd/%ld", fd);
    CHECK_TEXT(magic, "1");
    close_fd(fd);
    close_fd(lower);
    close_fd(directory);
    close_fd(null);
}

static void test_unnamed(void) {
    char name[64];
    CHECK_IS(open_path("/tmp", O_TMPFILE | O_DIRECTORY | O_RDONLY), -EINVAL);
    CHECK_IS(open_path("/etc/group", O_TMPFILE | O_DIRECTORY | O_RDWR), -ENOTDIR);
    i64 fd = open_path("/tmp", O_TMPFILE | O_DIRECTORY | O_RDWR);
    CHECK_IS(CALL3(first, NR_WRITE, fd, "unnamed", 7), 7);
    CHECK_IS(CALL2(first, NR_FSTAT, fd, &status), 0);
    CHECK_IS(status.nlink, 0);
    snprintf(name, sizeof(name), "/tmp/#%lu (deleted)", status.ino);
    CHECK_NAME(fd, name);
    snprintf(path, sizeof(path), "/proc/self/fd/%ld", fd);
    strcpy(path + 4096, "/tmp/named");
    CHECK_IS(CALL5(first, NR_LINKAT, AT_FDCWD, path, AT_FDCWD, path + 4096, AT_SYMLINK_FOLLOW), 0);
    CHECK_TEXT("/tmp/named", "unnamed");
    CHECK_NAME(fd, "/tmp/named");
    close_fd(fd);
    fd = open_path("/tmp", O_TMPFILE | O_DIRECTORY | O_RDWR | O_EXCL);
    snprintf(path, sizeof(path), "/proc/self/fd/%ld", fd);
    strcpy(path + 4096, "/tmp/never");
    CHECK_IS(CALL5(first, NR_LINKAT, AT_FDCWD, path, AT_FDCWD, path + 4096, AT_SYMLINK_FOLLOW),
             -ENOENT);
    close_fd(fd);
}

static void test_holes(void) {
    i64 fd = open_path("/holes", O_RDWR | O_CREAT);
    CHECK_IS(CALL3(first, NR_LSEEK, fd, 0, SEEK_DATA), -ENXIO);
    CHECK_IS(CALL4(first, NR_PWRITE, fd, "a", 1, 0), 1);
    CHECK_IS(CALL4(first, NR_PWRITE, fd, "b", 1, 100 * 4096), 1);
    CHECK_IS(CALL3(first, NR_LSEEK, fd, 0, SEEK_DATA), 0);
    CHECK_IS(CALL3(first, NR_LSEEK, fd, 0, SEEK_HOLE), 4096);
    CHECK_IS(CALL3(first, NR_LSEEK, fd, 5000, SEEK_HOLE), 5000);
    CHECK_IS(CALL3(first, NR_LSEEK, fd, 5000, SEEK_DATA), 100 * 4096);
    CHECK_IS(CALL3(first, NR_LSEEK, fd, 100 * 4096, SEEK_HOLE), 100 * 4096 + 1);
    CHECK_IS(CALL3(first, NR_LSEEK, fd, 100 * 4096 + 1, SEEK_HOLE), -ENXIO);
    CHECK_IS(CALL4(first, NR_FALLOCATE, fd, 0, 4096, 8192), 0);
    CHECK_IS(CALL2(first, NR_FSTAT, fd, &status), 0);
    CHECK_IS(status.blocks, 4 * 8);
    CHECK_IS(CALL4(first, NR_PWRITE, fd, "0123456789", 10, 4096), 10);
    CHECK_IS(CALL4(first, NR_FALLOCATE, fd, PUNCH_HOLE, 0, 4096), -EOPNOTSUPP);
    CHECK_IS(CALL4(first, NR_FALLOCATE, fd, PUNCH_HOLE | KEEP_SIZE, 4098, 3), 0);
    CHECK_IS(CALL4(first, NR_PREAD, fd, buffer, 10, 4096), 10);
    CHECK_IS(memcmp(buffer,
                    "01\0\0\0"
                    "56789",
                    10),
             0);
    CHECK_IS(CALL4(first, NR_FALLOCATE, fd, PUNCH_HOLE | KEEP_SIZE, 0, 50 * 4096), 0);
    CHECK_IS(CALL3(first, NR_LSEEK, fd, 0, SEEK_DATA), 100 * 4096);
    CHECK_IS(CALL2(first, NR_FSTAT, fd, &status), 0);
    CHECK_IS(status.blocks, 8);
    CHECK_IS(CALL4(first, NR_FALLOCATE, fd, KEEP_SIZE, 200 * 4096, 4096), 0);
    CHECK_IS(CALL2(first, NR_FSTAT, fd, &status), 0);
    CHECK_IS(status.size, 100 * 4096 + 1);
    CHECK_IS(CALL4(first, NR_FALLOCATE, fd, 0, 300 * 4096, 10), 0);
    CHECK_IS(CALL2(first, NR_FSTAT, fd, &status), 0);
    CHECK_IS(status.size, 300 * 4096 + 10);
    CHECK_IS(CALL4(first, NR_FALLOCATE, fd, 0, -1, 10), -EINVAL);
    close_fd(fd);
    // Of the image's bytes: hidden, not given back.
    fd = open_path("/bin/busybox", O_RDWR);
    CHECK_IS(CALL2(first, NR_FSTAT, fd, &status), 0);
    i64 size = status.size;
    CHECK_IS(CALL4(first, NR_FALLOCATE, fd, PUNCH_HOLE | KEEP_SIZE, 0, 8192), 0);
    CHECK_IS(CALL4(first, NR_PREAD, fd, buffer, 8200, 0), 8200);
    buffer[8192] = 0;
    CHECK_IS(buffer[0] == 0 && memcmp(buffer, buffer + 1, 8191) == 0, true);
    CHECK_IS(CALL3(first, NR_LSEEK, fd, 0, SEEK_HOLE), size);
    close_fd(fd);
}

// A file that is mapped keeps its contents, and does what others do, in a memory object.
static void test_mapped(void) {
    enum { NR_MMAP = 9, SHARED = 1, WRITABLE = 3 };
    i64 fd = open_path("/mapped", O_RDWR | O_CREAT);
    CHECK_IS(CALL4(first, NR_PWRITE, fd, "start", 5, 0), 5);
    CHECK_IS(CALL4(first, NR_PWRITE, fd, "middle", 6, 3 * 4096 + 1), 6);
    CHECK_IS(fake_call(first, NR_MMAP, 0, 8192, WRITABLE, SHARED, (u64)fd, 0) >= 0, true);
    CHECK_IS(CALL4(first, NR_PREAD, fd, buffer, 20000, 0), 3 * 4096 + 7);
    CHECK_IS(memcmp(buffer, "start\0", 6), 0);
    CHECK_IS(memcmp(buffer + 3 * 4096, "\0middle", 7), 0);
    CHECK_IS(CALL2(first, NR_FTRUNCATE, fd, 3), 0);
    CHECK_IS(CALL4(first, NR_PWRITE, fd, "end", 3, 10), 3);
    CHECK_IS(CALL4(first, NR_PREAD, fd, buffer, 100, 0), 13);
    CHECK_IS(memcmp(buffer, "sta\0\0\0\0\0\0\0end", 13), 0);
    CHECK_IS(CALL4(first, NR_PWRITE, fd, "far", 3, 10000), 3);
    CHECK_IS(CALL4(first, NR_FALLOCATE, fd, PUNCH_HOLE | KEEP_SIZE, 0, 12), 0);
    CHECK_IS(CALL4(first, NR_PREAD, fd, buffer, 13, 0), 13);
    CHECK_IS(memcmp(buffer, "\0\0\0\0\0\0\0\0\0\0\0\0d", 13), 0);
    CHECK_IS(CALL2(first, NR_FTRUNCATE, fd, 0), 0);
    CHECK_IS(CALL4(first, NR_PREAD, fd, buffer, 13, 0), 0);
    CHECK_IS(CALL2(first, NR_FTRUNCATE, fd, 5), 0);
    CHECK_IS(CALL4(first, NR_PREAD, fd, buffer, 13, 0), 5);
    CHECK_IS(memcmp(buffer, "\0\0\0\0\0", 5), 0);
    CHECK_IS(path_call(NR_UNLINK, "/mapped"), 0);
    close_fd(fd);
}

static void test_attributes(void) {
    static char name[100] = "user.x";
    strcpy(path, "/etc/group");
    CHECK_IS(CALL5(first, NR_SETXATTR, path, name, name, 3, 0), -EOPNOTSUPP);
    CHECK_IS(CALL3(first, NR_LISTXATTR, path, buffer, 100), 0);
    strcpy(path, "/nothing");
    CHECK_IS(CALL3(first, NR_LISTXATTR, path, buffer, 100), -ENOENT);
}

static void test_size_limit(void) {
    static u64 mask = ~0UL;
    CHECK_IS(CALL4(first, NR_SIGPROCMASK, SIG_BLOCK, &mask, 0, 8), 0);
    first->process->limits[RLIMIT_FSIZE].current = 10;
    i64 fd = open_path("/limited", O_RDWR | O_CREAT);
    CHECK_IS(CALL3(first, NR_WRITE, fd, "0123456789ab", 12), 10);
    CHECK_IS(CALL3(first, NR_WRITE, fd, "c", 1), -EFBIG);
    CHECK_IS(CALL2(first, NR_SIGPENDING, buffer, 8), 0);
    CHECK_IS(buffer[(SIGXFSZ - 1) / 8] >> (SIGXFSZ - 1) % 8 & 1, 1);
    CHECK_IS(CALL2(first, NR_FTRUNCATE, fd, 11), -EFBIG);
    CHECK_IS(CALL2(first, NR_FTRUNCATE, fd, 9), 0);
    CHECK_IS(CALL4(first, NR_FALLOCATE, fd, 0, 0, 20), -EFBIG);
    close_fd(fd);
    first->process->limits[RLIMIT_FSIZE].current = ~0UL;
}

int main(int argc, char **argv) {
    boot_image(argc, argv);
    test_names();
    test_unnamed();
    test_holes();
    test_mapped();
    test_attributes();
    test_size_limit();
    return failures ? 1 : 0;
}
