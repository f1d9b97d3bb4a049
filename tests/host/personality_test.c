// The personality's files, processes and signals, driven by system calls on the host. Expected
// results are Linux's.
#include "check.h"
#include "fake_kernel.h"

#include "linux/abi.h"
#include "linux/events.h"
#include "linux/kernel_if.h"
#include "linux/signal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    READ = 0,
    WRITE = 1,
    OPEN = 2,
    CLOSE = 3,
    STAT = 4,
    LSTAT = 6,
    LSEEK = 8,
    PIPE = 22,
    DUP = 32,
    DUP2 = 33,
    GETPID = 39,
    EXIT = 60,
    WAIT4 = 61,
    KILL = 62,
    FCNTL = 72,
    GETCWD = 79,
    CHDIR = 80,
    RENAME = 82,
    MKDIR = 83,
    RMDIR = 84,
    LINK = 86,
    UNLINK = 87,
    SYMLINK = 88,
    READLINK = 89,
    GETPPID = 110,
    GETDENTS64 = 217,
    POLL = 7,
    NANOSLEEP = 35,
    FTRUNCATE = 77,
    SIGACTION = 13,
    SIGPROCMASK = 14,
    ACCESS = 21,
};

static struct thread *first;

// Linux memory.
static char buffer[70000];
static char path[8192];
static struct linux_stat status;
static i32 fds[2];
static i32 wait_status;

static i64 open_path(const char *text, u32 flags) {
    strcpy(path, text);
    return CALL3(first, OPEN, path, flags, 0644);
}

static i64 path_call(u64 number, const char *text) {
    strcpy(path, text);
    return CALL3(first, number, path, 0755, 0);
}

static i64 paths_call(u64 number, const char *one, const char *two) {
    strcpy(path, one);
    strcpy(path + 4096, two);
    return CALL2(first, number, path, path + 4096);
}

static i64 stat_path(u64 number, const char *text) {
    strcpy(path, text);
    return CALL2(first, number, path, &status);
}

static i64 make_file(const char *text, const char *content) {
    i64 fd = open_path(text, O_CREAT | O_WRONLY | O_TRUNC);
    strcpy(buffer, content);
    i64 count = CALL3(first, WRITE, fd, buffer, strlen(content));
    CALL1(first, CLOSE, fd);
    return count;
}

static void test_image(void) {
    i64 fd = open_path("/etc/passwd", O_RDONLY);
    CHECK_IS(CALL3(first, READ, fd, buffer, sizeof(buffer)) > 10, true);
    CHECK_IS(strncmp(buffer, "root:", 5), 0);
    CHECK_IS(CALL3(first, READ, fd, buffer, 10), 0);
    CHECK_IS(CALL3(first, LSEEK, fd, 2, SEEK_SET), 2);
    CHECK_IS(CALL3(first, READ, fd, buffer, 2), 2);
    CHECK_IS(memcmp(buffer, "ot", 2), 0);
    CHECK_IS(CALL3(first, WRITE, fd, buffer, 2), -EBADF);
    CHECK_IS(CALL1(first, CLOSE, fd), 0);
    CHECK_IS(CALL1(first, CLOSE, fd), -EBADF);
    CHECK_IS(open_path("/etc", O_RDONLY | O_DIRECTORY), fd);
    CHECK_IS(CALL3(first, READ, fd, buffer, 10), -EISDIR);
    CHECK_IS(CALL1(first, CLOSE, fd), 0);
    CHECK_IS(open_path("/etc/passwd", O_RDONLY | O_DIRECTORY), -ENOTDIR);
    CHECK_IS(open_path("/etc/passwd/", O_RDONLY), -ENOTDIR);
    CHECK_IS(open_path("/etc/passwd/x", O_RDONLY), -ENOTDIR);
    CHECK_IS(open_path("/etc/nothing", O_RDONLY), -ENOENT);
    CHECK_IS(open_path("", O_RDONLY), -ENOENT);
    CHECK_IS(path_call(MKDIR, "/etc"), -EEXIST);
    CHECK_IS(path_call(UNLINK, "/etc/nothing"), -ENOENT);
    CHECK_IS(stat_path(STAT, "/etc/../etc/./passwd"), 0);
    CHECK_IS(status.mode & 0170000, 0100000);
    CHECK_IS(stat_path(STAT, "/../../etc"), 0);
    CHECK_IS(CALL3(first, OPEN, 8, 0, 0), -EFAULT);
}

static void test_names(void) {
    memset(path, 'a', sizeof(path));
    path[0] = '/';
    path[256] = 0;
    CHECK_IS(CALL3(first, OPEN, path, 0, 0), -ENOENT);
    path[256] = 'a';
    path[257] = 0;
    CHECK_IS(CALL3(first, OPEN, path, 0, 0), -ENAMETOOLONG);
    memset(path, 'a', sizeof(path));
    CHECK_IS(CALL3(first, OPEN, path, 0, 0), -ENAMETOOLONG);
    for (int i = 0; i < 4094; i += 2) {
        memcpy(path + i, "./", 2);
    }
    path[4094] = 0;
    CHECK_IS(CALL2(first, STAT, path, &status), 0);
}

static void test_tmpfs_files(void) {
    CHECK_IS(make_file("/tmp/a", "hello"), 5);
    CHECK_IS(stat_path(STAT, "/tmp/a"), 0);
    CHECK_IS(status.size, 5);
    CHECK_IS(status.mode, 0100644);
    CHECK_IS(open_path("/tmp/a", O_CREAT | O_EXCL | O_WRONLY), -EEXIST);
    i64 fd = open_path("/tmp/a", O_RDWR | O_APPEND);
    CHECK_IS(CALL3(first, WRITE, fd, "XY", 2), 2);
    CHECK_IS(CALL3(first, LSEEK, fd, 0, SEEK_CUR), 7);
    CHECK_IS(CALL3(first, LSEEK, fd, 0, SEEK_SET), 0);
    CHECK_IS(CALL3(first, READ, fd, buffer, 100), 7);
    CHECK_IS(memcmp(buffer, "helloXY", 7), 0);
    CHECK_IS(CALL2(first, FTRUNCATE, fd, 3), 0);
    CHECK_IS(CALL2(first, FTRUNCATE, fd, 9000), 0);
    CHECK_IS(CALL3(first, LSEEK, fd, 0, SEEK_SET), 0);
    CHECK_IS(CALL3(first, READ, fd, buffer, sizeof(buffer)), 9000);
    CHECK_IS(memcmp(buffer, "hel\0\0\0\0", 7), 0);
    CHECK_IS(CALL3(first, LSEEK, fd, -1, SEEK_SET), -EINVAL);
    CHECK_IS(path_call(UNLINK, "/tmp/a"), 0);
    CHECK_IS(CALL3(first, LSEEK, fd, 0, SEEK_SET), 0);
    CHECK_IS(CALL3(first, READ, fd, buffer, 3), 3);
    CHECK_IS(CALL1(first, CLOSE, fd), 0);
    CHECK_IS(stat_path(STAT, "/tmp/a"), -ENOENT);
    CHECK_IS(open_path("/tmp/new/", O_CREAT | O_WRONLY), -EISDIR);
}

static void test_tmpfs_directories(void) {
    CHECK_IS(path_call(MKDIR, "/tmp/d"), 0);
    CHECK_IS(path_call(MKDIR, "/tmp/d"), -EEXIST);
    CHECK_IS(path_call(MKDIR, "/tmp/d/e/"), 0);
    CHECK_IS(path_call(RMDIR, "/tmp/d"), -ENOTEMPTY);
    CHECK_IS(path_call(UNLINK, "/tmp/d"), -EISDIR);
    CHECK_IS(path_call(RMDIR, "/tmp/d/."), -EINVAL);
    CHECK_IS(path_call(RMDIR, "/tmp/d/.."), -ENOTEMPTY);
    CHECK_IS(make_file("/tmp/d/f", "f"), 1);
    CHECK_IS(path_call(RMDIR, "/tmp/d/f"), -ENOTDIR);
    CHECK_IS(paths_call(RENAME, "/tmp/d", "/tmp/d/e/x"), -EINVAL);
    CHECK_IS(paths_call(RENAME, "/tmp/d/f", "/tmp/d/e"), -EISDIR);
    CHECK_IS(paths_call(RENAME, "/tmp/d/e", "/tmp/d/f"), -ENOTDIR);
    CHECK_IS(paths_call(RENAME, "/tmp/d/f", "/tmp/d/e/g"), 0);
    CHECK_IS(stat_path(STAT, "/tmp/d/e/g"), 0);
    CHECK_IS(paths_call(RENAME, "/tmp/d/e", "/tmp/moved"), 0);
    CHECK_IS(stat_path(STAT, "/tmp/moved/../moved/g"), 0);
    CHECK_IS(paths_call(LINK, "/tmp/moved/g", "/tmp/g2"), 0);
    CHECK_IS(stat_path(STAT, "/tmp/g2"), 0);
    CHECK_IS(status.nlink, 2);
    CHECK_IS(paths_call(RENAME, "/tmp/g2", "/tmp/moved/g"), 0);
    CHECK_IS(stat_path(STAT, "/tmp/g2"), 0);
    CHECK_IS(paths_call(RENAME, "/tmp/g2", "/dev/g"), -EXDEV);
    CHECK_IS(paths_call(LINK, "/etc/passwd", "/dev/pw"), -EXDEV);
    CHECK_IS(path_call(CHDIR, "/tmp/moved"), 0);
    CHECK_IS(CALL2(first, GETCWD, buffer, 100), 11);
    CHECK_IS(strcmp(buffer, "/tmp/moved"), 0);
    CHECK_IS(CALL2(first, GETCWD, buffer, 5), -ERANGE);
    CHECK_IS(path_call(UNLINK, "g"), 0);
    CHECK_IS(path_call(RMDIR, "/tmp/moved"), 0);
    CHECK_IS(CALL2(first, GETCWD, buffer, 100), -ENOENT);
    CHECK_IS(path_call(MKDIR, "x"), -ENOENT);
    CHECK_IS(path_call(CHDIR, "/"), 0);
    CHECK_IS(path_call(UNLINK, "/tmp/g2"), 0);
    CHECK_IS(path_call(RMDIR, "/tmp/d"), 0);
    CHECK_IS(path_call(RMDIR, "/dev"), -EBUSY);
    CHECK_IS(path_call(RMDIR, "/proc"), -EBUSY);
    CHECK_IS(stat_path(STAT, "/tmp"), 0);
    CHECK_IS(status.nlink, 2);
}

static void test_links(void) {
    CHECK_IS(paths_call(SYMLINK, "target", "/tmp/l"), 0);
    CHECK_IS(make_file("/tmp/target", "t"), 1);
    CHECK_IS(open_path("/tmp/l", O_RDONLY | O_NOFOLLOW), -ELOOP);
    CHECK_IS(stat_path(LSTAT, "/tmp/l"), 0);
    CHECK_IS(status.mode & 0170000, 0120000);
    CHECK_IS(status.size, 6);
    CHECK_IS(stat_path(STAT, "/tmp/l"), 0);
    CHECK_IS(status.size, 1);
    strcpy(path, "/tmp/l");
    CHECK_IS(CALL3(first, READLINK, path, buffer, 3), 3);
    CHECK_IS(paths_call(SYMLINK, "loop2", "/tmp/loop1"), 0);
    CHECK_IS(paths_call(SYMLINK, "loop1", "/tmp/loop2"), 0);
    CHECK_IS(stat_path(STAT, "/tmp/loop1"), -ELOOP);
    CHECK_IS(stat_path(STAT, "/tmp/loop1/x"), -ELOOP);
    CHECK_IS(paths_call(SYMLINK, "/etc", "/tmp/e"), 0);
    CHECK_IS(stat_path(STAT, "/tmp/e/passwd"), 0);
    CHECK_IS(stat_path(LSTAT, "/tmp/e/"), 0);
    CHECK_IS(status.mode & 0170000, 0040000);
    CHECK_IS(paths_call(SYMLINK, "made", "/tmp/dangling"), 0);
    CHECK_IS(open_path("/tmp/dangling", O_CREAT | O_EXCL | O_WRONLY), -EEXIST);
    CHECK_IS(make_file("/tmp/dangling", "m"), 1);
    CHECK_IS(stat_path(STAT, "/tmp/made"), 0);
    char name[32];
    for (int i = 0; i < 41; i++) {
        snprintf(name, sizeof(name), "/tmp/chain%d", i + 1);
        char target[32];
        snprintf(target, sizeof(target), i == 0 ? "target" : "chain%d", i);
        CHECK_IS(paths_call(SYMLINK, target, name), 0);
    }
    CHECK_IS(stat_path(STAT, "/tmp/chain40"), 0);
    CHECK_IS(stat_path(STAT, "/tmp/chain41"), -ELOOP);
}

// Lists a directory through a small buffer; returns how many entries there are.
static u32 count_entries(const char *directory, u32 room) {
    i64 fd = open_path(directory, O_RDONLY | O_DIRECTORY);
    u32 count = 0;
    i64 size;
    while ((size = CALL3(first, GETDENTS64, fd, buffer, room)) > 0) {
        for (i64 at = 0; at < size; count++) {
            at += ((struct linux_dirent64 *)(buffer + at))->size;
        }
    }
    CHECK_IS(size, 0);
    CALL1(first, CLOSE, fd);
    return count;
}

static void test_listing(void) {
    CHECK_IS(path_call(MKDIR, "/tmp/list"), 0);
    char name[32];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "/tmp/list/%d", i);
        CHECK_IS(make_file(name, "x"), 1);
    }
    CHECK_IS(count_entries("/tmp/list", 60), 102);
    CHECK_IS(count_entries("/tmp/list", 60000), 102);
    CHECK_IS(count_entries("/many", 100), 302);
    CHECK_IS(count_entries("/dev", 100), 16);
    // What is removed while listing is not seen twice, and nothing else is missed.
    i64 fd = open_path("/tmp/list", O_RDONLY | O_DIRECTORY);
    u32 count = 0;
    i64 size;
    while ((size = CALL3(first, GETDENTS64, fd, buffer, 64)) > 0) {
        for (i64 at = 0; at < size; count++) {
            struct linux_dirent64 *entry = (struct linux_dirent64 *)(buffer + at);
            at += entry->size;
            if (entry->name[0] != '.') {
                snprintf(name, sizeof(name), "/tmp/list/%s", entry->name);
                CHECK_IS(path_call(UNLINK, name), 0);
            }
        }
    }
    CHECK_IS(count, 102);
    CALL1(first, CLOSE, fd);
    CHECK_IS(path_call(RMDIR, "/tmp/list"), 0);
    fd = open_path("/tmp", O_RDONLY | O_DIRECTORY);
    CHECK_IS(CALL3(first, GETDENTS64, fd, buffer, 10), -EINVAL);
    CALL1(first, CLOSE, fd);
}

static void test_descriptors(void) {
    CHECK_IS(make_file("/tmp/f", "0123456789"), 10);
    i64 fd = open_path("/tmp/f", O_RDONLY);
    i64 copy = CALL1(first, DUP, fd);
    CHECK_IS(copy, fd + 1);
    CHECK_IS(CALL3(first, READ, fd, buffer, 3), 3);
    CHECK_IS(CALL3(first, LSEEK, copy, 0, SEEK_CUR), 3);
    CHECK_IS(CALL2(first, DUP2, fd, 40), 40);
    CHECK_IS(CALL2(first, DUP2, fd, fd), fd);
    CHECK_IS(CALL2(first, DUP2, 77, fd), -EBADF);
    CHECK_IS(CALL2(first, DUP2, fd, 5000), -EBADF);
    CHECK_IS(CALL3(first, FCNTL, 40, F_SETFD, FD_CLOEXEC), 0);
    CHECK_IS(CALL3(first, FCNTL, 40, F_GETFD, 0), FD_CLOEXEC);
    CHECK_IS(CALL3(first, FCNTL, fd, F_GETFD, 0), 0);
    CHECK_IS(CALL3(first, FCNTL, fd, F_DUPFD, 100), 100);
    CHECK_IS(CALL1(first, CLOSE, 100), 0);
    CHECK_IS(CALL1(first, CLOSE, 40), 0);
    CHECK_IS(CALL1(first, CLOSE, copy), 0);
    CHECK_IS(CALL1(first, CLOSE, fd), 0);
    u32 opened = 0;
    while (open_path("/tmp/f", O_RDONLY) >= 0) {
        opened++;
    }
    CHECK_IS(open_path("/tmp/f", O_RDONLY), -EMFILE);
    CHECK_IS(opened, 1024);
    for (u32 i = 0; i < opened; i++) {
        CHECK_IS(CALL1(first, CLOSE, i), 0);
    }
}

static void test_devices(void) {
    i64 fd = open_path("/dev/zero", O_RDWR);
    memset(buffer, 1, 100);
    CHECK_IS(CALL3(first, READ, fd, buffer, 100), 100);
    CHECK_IS(buffer[99], 0);
    CHECK_IS(CALL1(first, CLOSE, fd), 0);
    fd = open_path("/dev/full", O_RDWR);
    CHECK_IS(CALL3(first, WRITE, fd, buffer, 1), -ENOSPC);
    CHECK_IS(CALL1(first, CLOSE, fd), 0);
    fd = open_path("/dev/null", O_RDWR);
    CHECK_IS(CALL3(first, WRITE, fd, buffer, 10000), 10000);
    CHECK_IS(CALL3(first, READ, fd, buffer, 10), 0);
    CHECK_IS(CALL1(first, CLOSE, fd), 0);
    CHECK_IS(stat_path(STAT, "/dev/null"), 0);
    CHECK_IS(status.rdev, 0x103);
}

// What is shown of an open file follows its renames.
static void test_proc_links(i64 fd, const char *link) {
    CHECK_IS(make_file("/tmp/named", "x"), 1);
    CHECK_IS(open_path("/tmp/named", O_RDONLY), fd);
    CHECK_IS(paths_call(RENAME, "/tmp/named", "/tmp/other"), 0);
    strcpy(path, link);
    CHECK_IS(CALL3(first, READLINK, path, buffer, 100), 10);
    CHECK_IS(memcmp(buffer, "/tmp/other", 10), 0);
    CHECK_IS(CALL1(first, CLOSE, fd), 0);
    CHECK_IS(path_call(UNLINK, "/tmp/other"), 0);
    CHECK_IS(open_path("/etc/passwd", O_RDONLY), fd);
    strcpy(path, link);
    CHECK_IS(CALL3(first, READLINK, path, buffer, 100), 11);
    CHECK_IS(CALL1(first, CLOSE, fd), 0);
}

static void test_proc(void) {
    strcpy(path, "/proc/self");
    CHECK_IS(CALL3(first, READLINK, path, buffer, 100), 1);
    CHECK_IS(buffer[0], '1');
    i64 fd = open_path("/proc/self/stat", O_RDONLY);
    CHECK_IS(CALL3(first, READ, fd, buffer, 100) > 20, true);
    CHECK_IS(memcmp(buffer, "1 (", 3), 0);
    char text[32];
    snprintf(text, sizeof(text), "/proc/self/fd/%ld", fd);
    CHECK_IS(stat_path(LSTAT, text), 0);
    CHECK_IS(status.mode & 0170000, 0120000);
    CHECK_IS(CALL1(first, CLOSE, fd), 0);
    CHECK_IS(stat_path(LSTAT, text), -ENOENT);
    CHECK_IS(stat_path(STAT, "/proc/4711"), -ENOENT);
    CHECK_IS(stat_path(STAT, "/proc/01"), -ENOENT);
    CHECK_IS(stat_path(STAT, "/proc/1/fd/../cmdline"), 0);
    CHECK_IS(open_path("/proc/self/mounts", O_RDONLY), fd);
    CHECK_IS(CALL3(first, READ, fd, buffer, 1000) > 20, true);
    CHECK_IS(CALL1(first, CLOSE, fd), 0);
    strcpy(path, "/proc/self/cwd");
    CHECK_IS(CALL3(first, READLINK, path, buffer, 100), 1);
    CHECK_IS(count_entries("/proc", 40) >= 13, true);
    CHECK_IS(open_path("/proc/meminfo", O_WRONLY | O_DIRECTORY), -ENOTDIR);
    CHECK_IS(make_file("/proc/meminfo", "x"), -EIO);
    CHECK_IS(open_path("/proc/1/task/1/../../fd/../stat", O_RDONLY), fd);
    CHECK_IS(CALL1(first, CLOSE, fd), 0);
    CHECK_IS(stat_path(STAT, "/proc/1/task/2"), -ENOENT);
    CHECK_IS(stat_path(STAT, "/proc/sys/kernel/random/uuid"), 0);
    CHECK_IS(count_entries("/proc/1", 100), count_entries("/proc/1/task/1", 64));
    CHECK_IS(make_file("/proc/sys/kernel/hostname", "renamed\nrest"), 12);
    CHECK_IS(open_path("/proc/sys/kernel/hostname", O_RDONLY), fd);
    CHECK_IS(CALL3(first, READ, fd, buffer, 100), 8);
    CHECK_IS(memcmp(buffer, "renamed\n", 8), 0);
    CHECK_IS(CALL1(first, CLOSE, fd), 0);
    test_proc_links(fd, text);
}

static void child_writes(struct thread *thread) {
    static char data[10000];
    memset(data, 'w', sizeof(data));
    for (int i = 0; i < 30; i++) {
        CALL3(thread, WRITE, fds[1], data, sizeof(data));
    }
    CALL1(thread, EXIT, 7);
}

static void test_pipe(void) {
    CHECK_IS(CALL1(first, PIPE, fds), 0);
    CHECK_IS(CALL3(first, WRITE, fds[1], "abc", 3), 3);
    CHECK_IS(CALL3(first, READ, fds[0], buffer, 100), 3);
    i64 pid = fake_fork(first, child_writes);
    CHECK_IS(CALL1(first, CLOSE, fds[1]), 0);
    u64 total = 0;
    i64 count;
    while ((count = CALL3(first, READ, fds[0], buffer, 5000)) > 0) {
        total += (u64)count;
    }
    CHECK_IS(count, 0);
    CHECK_IS(total, 300000);
    CHECK_IS(CALL4(first, WAIT4, pid, &wait_status, 0, 0), pid);
    CHECK_IS(wait_status, 7 << 8);
    CHECK_IS(CALL1(first, CLOSE, fds[0]), 0);
    CHECK_IS(CALL1(first, PIPE, fds), 0);
    CHECK_IS(CALL1(first, CLOSE, fds[0]), 0);
    CHECK_IS(CALL3(first, WRITE, fds[1], "abc", 3), -EPIPE);
    CHECK_IS(CALL1(first, CLOSE, fds[1]), 0);
}

static u32 messages_count;

static void child_writes_messages(struct thread *thread) {
    char *message = malloc(4096);
    memset(message, 'a' + (int)CALL0(thread, GETPID) % 26, 4096);
    for (int i = 0; i < 50; i++) {
        CALL3(thread, WRITE, fds[1], message, 1000);
    }
    free(message);
    CALL1(thread, EXIT, 0);
}

static void test_pipe_atomicity(void) {
    CHECK_IS(CALL1(first, PIPE, fds), 0);
    for (int i = 0; i < 4; i++) {
        CHECK_IS(fake_fork(first, child_writes_messages) > 0, true);
    }
    CHECK_IS(CALL1(first, CLOSE, fds[1]), 0);
    for (;;) {
        usize filled = 0;
        i64 count = 1;
        while (filled < 1000 && count > 0) {
            count = CALL3(first, READ, fds[0], buffer + filled, 1000 - filled);
            filled += count > 0 ? (usize)count : 0;
        }
        if (filled == 0) {
            break;
        }
        CHECK_IS(filled, 1000);
        CHECK_IS(memcmp(buffer, buffer + 1, 999), 0);
        messages_count++;
    }
    CHECK_IS(messages_count, 200);
    for (int i = 0; i < 4; i++) {
        CHECK_IS(CALL4(first, WAIT4, -1, &wait_status, 0, 0) > 0, true);
    }
    CHECK_IS(CALL4(first, WAIT4, -1, &wait_status, 0, 0), -ECHILD);
    CHECK_IS(CALL1(first, CLOSE, fds[0]), 0);
}

static struct linux_timespec long_time = {100, 0};

static void child_sleeps(struct thread *thread) {
    i64 result = CALL2(thread, NANOSLEEP, &long_time, 0);
    CALL1(thread, EXIT, result == -ERESTART_RESTARTBLOCK ? 3 : 4);
}

static struct linux_sigaction action;

static void test_signals(void) {
    static u64 mask;
    // An interrupted sleep: the test has no delivery, so the child ends by itself.
    i64 pid = fake_fork(first, child_sleeps);
    CHECK_IS(CALL2(first, KILL, pid, SIGTERM), 0);
    CHECK_IS(CALL4(first, WAIT4, pid, &wait_status, 0, 0), pid);
    CHECK_IS(wait_status == 3 << 8 || wait_status == SIGTERM, true);
    CHECK_IS(CALL2(first, KILL, pid, 0), -ESRCH);
    CHECK_IS(CALL2(first, KILL, 1, 99), -EINVAL);
    CHECK_IS(CALL4(first, SIGACTION, SIGKILL, &action, 0, 8), -EINVAL);
    action.handler = 0x1000;
    CHECK_IS(CALL4(first, SIGACTION, SIGUSR1, &action, 0, 8), 0);
    mask = signal_bit(SIGUSR1) | signal_bit(SIGKILL);
    CHECK_IS(CALL4(first, SIGPROCMASK, SIG_BLOCK, &mask, 0, 8), 0);
    CHECK_IS(first->blocked, signal_bit(SIGUSR1));
    CHECK_IS(CALL2(first, KILL, 1, SIGUSR1), 0);
    CHECK_IS(signal_is_pending(first), false);
    mask = 0;
    CHECK_IS(CALL4(first, SIGPROCMASK, SIG_SETMASK, &mask, 0, 8), 0);
    CHECK_IS(signal_is_pending(first), true);
    first->process->pending = 0;
}

static void child_exits(struct thread *thread) { CALL1(thread, EXIT, 1); }

static void child_with_orphan(struct thread *thread) {
    fake_fork(thread, child_exits);
    CALL1(thread, EXIT, 2);
}

static void test_orphans(void) {
    i64 pid = fake_fork(first, child_with_orphan);
    CHECK_IS(pid > 1, true);
    i64 other = CALL4(first, WAIT4, -1, &wait_status, 0, 0);
    i64 third = CALL4(first, WAIT4, -1, &wait_status, 0, 0);
    CHECK_IS(other > 1 && third > 1 && other != third, true);
    CHECK_IS(CALL4(first, WAIT4, -1, &wait_status, WNOHANG, 0), -ECHILD);
    pid = fake_fork(first, child_sleeps);
    CHECK_IS(CALL4(first, WAIT4, pid, &wait_status, WNOHANG, 0), 0);
    CHECK_IS(CALL2(first, KILL, pid, SIGKILL), 0);
    CHECK_IS(CALL4(first, WAIT4, pid, &wait_status, 0, 0), pid);
    CHECK_IS(CALL0(first, GETPPID), 0);
}

static void test_poll(void) {
    static struct linux_pollfd polled[2];
    CHECK_IS(CALL1(first, PIPE, fds), 0);
    polled[0] = (struct linux_pollfd){fds[0], POLLIN, 0};
    polled[1] = (struct linux_pollfd){fds[1], POLLOUT, 0};
    CHECK_IS(CALL3(first, POLL, polled, 2, 0), 1);
    CHECK_IS(polled[1].revents, POLLOUT);
    CHECK_IS(CALL3(first, POLL, polled, 1, 20), 0);
    CHECK_IS(CALL3(first, WRITE, fds[1], "x", 1), 1);
    CHECK_IS(CALL3(first, POLL, polled, 1, -1), 1);
    CHECK_IS(polled[0].revents, POLLIN);
    CALL1(first, CLOSE, fds[1]);
    CHECK_IS(CALL3(first, POLL, polled, 1, -1), 1);
    CHECK_IS(polled[0].revents, POLLIN | POLLHUP);
    CALL1(first, CLOSE, fds[0]);
    CHECK_IS(CALL3(first, POLL, polled, 1, -1), 1);
    CHECK_IS(polled[0].revents, POLLNVAL);
}

// Timers fire in the order of their deadlines; a cancelled one does not.
static struct {
    struct event_timer timers[4];
    u32 order[8];
    u32 fired; // atomic
} timing;

static void timer_fired(struct event_timer *timer) {
    u32 place = __atomic_load_n(&timing.fired, __ATOMIC_SEQ_CST);
    u32 which = (u32)(timer - timing.timers);
    timing.order[place % ARRAY_SIZE(timing.order)] = which;
    // The first one goes on by itself, twice.
    if (which == 0 && place < 4) event_timer_set(timer, kernel_monotonic_ns() + 40000000);
    __atomic_store_n(&timing.fired, place + 1, __ATOMIC_SEQ_CST);
}

static void test_timers(void) {
    static const u64 after_ms[] = {30, 10, 20, 15};
    static const u32 order[] = {1, 2, 0, 0, 0};
    u64 now_ns = kernel_monotonic_ns();
    for (u32 i = 0; i < ARRAY_SIZE(timing.timers); i++) {
        event_timer_init(&timing.timers[i], timer_fired);
        CHECK_IS(event_timer_set(&timing.timers[i], now_ns + after_ms[i] * 1000000), 0);
    }
    event_timer_cancel(&timing.timers[3]);
    while (__atomic_load_n(&timing.fired, __ATOMIC_SEQ_CST) < ARRAY_SIZE(order))
        kernel_yield();
    for (u32 i = 0; i < ARRAY_SIZE(order); i++)
        CHECK_IS(timing.order[i], order[i]);
    CHECK_IS(kernel_monotonic_ns() >= now_ns + 110000000, 1);
    CHECK_IS(event_timer_set(&timing.timers[0], kernel_monotonic_ns()), 0);
    event_timer_cancel(&timing.timers[0]); // whether it has fired or not
    u32 fired = __atomic_load_n(&timing.fired, __ATOMIC_SEQ_CST);
    kernel_futex_wait(&fired, fired, WAIT_PLAIN, kernel_monotonic_ns() + 5000000);
    CHECK_IS(timing.fired, fired);
}

static u32 watches_ready; // atomic

static void watch_ready(struct event_watch *watch, u32 observed) {
    u32 count = __atomic_add_fetch(&watches_ready, 1, __ATOMIC_SEQ_CST);
    if (count < 3) event_watch_arm(watch, 1, observed);
}

static void test_watches(void) {
    static struct event_watch watch;
    event_watch_init(&watch, watch_ready);
    CHECK_IS(event_watch_arm(&watch, 1, SIGNAL_READABLE), 0);
    while (__atomic_load_n(&watches_ready, __ATOMIC_SEQ_CST) < 3)
        kernel_yield();
    event_unwatch(&watch);
    CHECK_IS(__atomic_load_n(&watches_ready, __ATOMIC_SEQ_CST), 3);
}

int main(int argc, char **argv) {
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file) {
        return 2;
    }
    u8 *image = malloc(16 << 20);
    u64 size = fread(image, 1, 16 << 20, file);
    fclose(file);
    first = fake_boot(image, size);
    test_image();
    test_names();
    test_tmpfs_files();
    test_tmpfs_directories();
    test_links();
    test_listing();
    test_descriptors();
    test_devices();
    test_proc();
    test_pipe();
    test_pipe_atomicity();
    test_signals();
    test_orphans();
    test_poll();
    test_timers();
    test_watches();
    free(image);
    return failures ? 1 : 0;
}
