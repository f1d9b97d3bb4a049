// File systems in memory that a program mounts: what they cover, their limits, and their end.
#include "linux_test.h"

#include "linux/walk.h"

enum {
    NR_MOUNT = 165,
    NR_UMOUNT2 = 166,
    NR_STATFS = 137,
    NR_FCHDIR = 81,
    NR_MKNOD = 133,
    NR_MMAP = 9,
    NR_MUNMAP = 11,
    NR_OPENAT = 257,
    MS_RDONLY = 1,
    MS_NODEV = 4,
    MS_NOEXEC = 8,
    MS_REMOUNT = 32,
    MNT_DETACH = 2,
};

static char type[64];
static char options[256];
static char source[64];
static struct linux_statfs usage;

static i64 mount_call(const char *target, const char *kind, u64 flags, const char *with) {
    strcpy(path, target);
    strcpy(type, kind);
    strcpy(source, "none");
    strcpy(options, with);
    return CALL5(first, NR_MOUNT, source, path, type, flags, options);
}

static i64 umount_call(const char *target, u32 flags) {
    strcpy(path, target);
    return CALL2(first, NR_UMOUNT2, path, flags);
}

static i64 statfs_path(const char *name) {
    strcpy(path, name);
    return CALL2(first, NR_STATFS, path, &usage);
}

static void test_covering(void) {
    CHECK_IS(path_call(NR_MKDIR, "/m"), 0);
    CHECK_IS(make_file("/m/below", "below"), 5);
    CHECK_IS(umount_call("/m", 0), -EINVAL);
    CHECK_IS(mount_call("/m", "ext4", 0, ""), -ENODEV);
    CHECK_IS(mount_call("/nothing", "tmpfs", 0, ""), -ENOENT);
    CHECK_IS(mount_call("/m/below", "tmpfs", 0, ""), -ENOTDIR);
    CHECK_IS(mount_call("/m", "tmpfs", 0, "size=what"), -EINVAL);
    CHECK_IS(mount_call("/m", "tmpfs", 0, "mode=750,uid=5,gid=6"), 0);
    CHECK_IS(stat_path(NR_STAT, "/m"), 0);
    CHECK_IS(status.mode, MODE_DIRECTORY | 0750);
    CHECK_IS(status.uid * 100 + status.gid, 506);
    CHECK_IS(stat_path(NR_STAT, "/m/below"), -ENOENT);
    CHECK_IS(make_file("/m/above", "above"), 5);
    CHECK_IS(path_call(NR_MKDIR, "/m/d"), 0);
    CHECK_IS(path_call(NR_CHDIR, "/m/d"), 0);
    CHECK_IS(CALL2(first, NR_GETCWD, buffer, 100), 5);
    CHECK_IS(strcmp(buffer, "/m/d"), 0);
    CHECK_IS(stat_path(NR_STAT, "../../etc/passwd"), 0);
    CHECK_IS(umount_call("/m", 0), -EBUSY);
    CHECK_IS(path_call(NR_CHDIR, "/"), 0);
    CHECK_IS(path_call(NR_RMDIR, "/m"), -EBUSY);
    CHECK_IS(paths_call(NR_RENAME, "/m", "/n"), -EBUSY);
    CHECK_IS(paths_call(NR_RENAME, "/m/above", "/above"), -EXDEV);
    i64 fd = open_path("/m/above", O_RDONLY);
    CHECK_IS(umount_call("/m", 0), -EBUSY);
    close_fd(fd);
    CHECK_IS(mount_call("/m/d", "tmpfs", 0, ""), 0);
    CHECK_IS(umount_call("/m", 0), -EBUSY);
    CHECK_IS(umount_call("/m/d", 0), 0);
    CHECK_IS(umount_call("/m", 0), 0);
    CHECK_TEXT("/m/below", "below");
}

static void test_limits(void) {
    CHECK_IS(mount_call("/m", "tmpfs", 0, "size=16k,nr_inodes=3"), 0);
    CHECK_IS(statfs_path("/m"), 0);
    CHECK_IS(usage.blocks, 4);
    CHECK_IS(usage.blocks_free, 4);
    CHECK_IS(usage.files, 3);
    CHECK_IS(usage.files_free, 2);
    i64 fd = open_path("/m/f", O_RDWR | O_CREAT);
    CHECK_IS(CALL3(first, NR_WRITE, fd, buffer, 30000), 16384);
    CHECK_IS(CALL3(first, NR_WRITE, fd, buffer, 1), -ENOSPC);
    CHECK_IS(statfs_path("/m"), 0);
    CHECK_IS(usage.blocks_free, 0);
    CHECK_IS(CALL2(first, NR_FTRUNCATE, fd, 4097), 0);
    CHECK_IS(statfs_path("/m"), 0);
    CHECK_IS(usage.blocks_free, 2);
    close_fd(fd);
    CHECK_IS(path_call(NR_MKDIR, "/m/d"), 0);
    CHECK_IS(path_call(NR_MKDIR, "/m/e"), -ENOSPC);
    CHECK_IS(path_call(NR_UNLINK, "/m/f"), 0);
    CHECK_IS(statfs_path("/m"), 0);
    CHECK_IS(usage.blocks_free, 4);
    CHECK_IS(path_call(NR_MKDIR, "/m/e"), 0);
    CHECK_IS(mount_call("/m", "", MS_REMOUNT, "size=32k"), 0);
    CHECK_IS(statfs_path("/m"), 0);
    CHECK_IS(usage.blocks, 8);
    CHECK_IS(umount_call("/m", 0), 0);
}

static const char *mounts_read(void) {
    i64 fd = open_path("/proc/mounts", O_RDONLY);
    i64 size = CALL3(first, NR_READ, fd, buffer, 4000);
    buffer[max(size, 0L)] = 0;
    close_fd(fd);
    return buffer;
}

#define CHECK_MOUNTED(line) CHECK_IS(strstr(mounts_read(), "\n" line) != NULL, true)

// A device is none below a mount without devices; a remount says all flags anew.
static void test_no_devices(void) {
    enum { NULL_DEVICE = 1 << 8 | 3 };
    CHECK_IS(mount_call("/m", "tmpfs", MS_NODEV, ""), 0);
    CHECK_MOUNTED("none /m tmpfs rw,nodev,relatime");
    strcpy(path, "/m/null");
    CHECK_IS(CALL3(first, NR_MKNOD, path, MODE_CHARACTER | 0666, NULL_DEVICE), 0);
    CHECK_IS(open_path("/m/null", O_RDWR), -EACCES);
    CHECK_IS(mount_call("/m", "", MS_REMOUNT, ""), 0);
    CHECK_MOUNTED("none /m tmpfs rw,relatime");
    i64 fd = open_path("/m/null", O_RDWR);
    CHECK_IS(CALL3(first, NR_WRITE, fd, buffer, 10), 10);
    close_fd(fd);
    CHECK_IS(mount_call("/m", "", MS_REMOUNT | MS_NODEV, ""), 0);
    CHECK_IS(open_path("/m/null", O_RDWR), -EACCES);
    CHECK_IS(umount_call("/m", 0), 0);
}

static void test_flags(void) {
    CHECK_IS(mount_call("/m", "tmpfs", 0, ""), 0);
    CHECK_IS(make_file("/m/f", "f"), 1);
    CHECK_IS(mount_call("/m", "", MS_REMOUNT | MS_RDONLY, ""), 0);
    CHECK_IS(make_file("/m/f", "g"), -EROFS);
    CHECK_IS(make_file("/m/g", "g"), -EROFS);
    CHECK_IS(path_call(NR_MKDIR, "/m/d"), -EROFS);
    CHECK_IS(path_call(NR_UNLINK, "/m/f"), -EROFS);
    CHECK_IS(path_call(NR_CHMOD, "/m/f"), -EROFS);
    CHECK_TEXT("/m/f", "f");
    const char *root = "overlay / overlay rw,relatime 0 0\n";
    CHECK_IS(strncmp(mounts_read(), root, strlen(root)), 0);
    CHECK_MOUNTED("none /m tmpfs ro,relatime 0 0\n");
    CHECK_IS(strstr(buffer, " /dev/pts devpts ") != NULL, true);
    CHECK_IS(umount_call("/m", 0), 0);
}

// What is open goes on, without names.
static void test_detaching(void) {
    CHECK_IS(mount_call("/m", "tmpfs", 0, ""), 0);
    CHECK_IS(path_call(NR_MKDIR, "/m/d"), 0);
    CHECK_IS(path_call(NR_MKDIR, "/m/d/e"), 0);
    CHECK_IS(make_file("/m/d/e/f", "content"), 7);
    CHECK_IS(paths_call(NR_LINK, "/m/d/e/f", "/m/g"), 0);
    i64 fd = open_path("/m/d/e/f", O_RDWR);
    CHECK_IS(umount_call("/m", 0), -EBUSY);
    CHECK_IS(umount_call("/m", MNT_DETACH), 0);
    CHECK_IS(stat_path(NR_STAT, "/m/d"), -ENOENT);
    CHECK_IS(CALL3(first, NR_READ, fd, buffer, 100), 7);
    CHECK_IS(CALL3(first, NR_WRITE, fd, buffer, 7), 7);
    close_fd(fd);
    CHECK_IS(mount_call("/m", "proc", 0, ""), 0);
    CHECK_IS(stat_path(NR_STAT, "/m/self/status"), 0);
    CHECK_IS(umount_call("/m", 0), 0);
}

// A directory in two places: the same files, each with its own way up.
static void test_binding(void) {
    enum { MS_BIND = 4096 };
    CHECK_IS(path_call(NR_MKDIR, "/b"), 0);
    CHECK_IS(path_call(NR_MKDIR, "/o"), 0);
    CHECK_IS(path_call(NR_MKDIR, "/o/d"), 0);
    CHECK_IS(make_file("/o/d/f", "one"), 3);
    strcpy(source, "/o/d");
    strcpy(path, "/b");
    CHECK_IS(CALL5(first, NR_MOUNT, source, path, 0, MS_BIND, 0), 0);
    CHECK_TEXT("/b/f", "one");
    CHECK_IS(make_file("/b/g", "two"), 3);
    CHECK_TEXT("/o/d/g", "two");
    CHECK_IS(path_call(NR_MKDIR, "/b/sub"), 0);
    CHECK_IS(path_call(NR_CHDIR, "/b/sub"), 0);
    CHECK_IS(CALL2(first, NR_GETCWD, buffer, 100), 7);
    CHECK_IS(strcmp(buffer, "/b/sub"), 0);
    CHECK_TEXT("../f", "one");
    CHECK_TEXT("../../b/f", "one");
    // What is not found leaves the result as it is: who renames to a new name looks at it.
    struct path bound = fs_context_cwd(first->process->fs);
    struct path found = bound;
    CHECK_IS(path_lookup(bound, (struct name){"no", 2}, &found), -ENOENT);
    CHECK_IS(path_is(found, bound), true);
    path_put(bound);
    CHECK_IS(umount_call("/b", 0), -EBUSY);
    CHECK_IS(path_call(NR_CHDIR, "/"), 0);
    CHECK_IS(paths_call(NR_LINK, "/b/f", "/b/sub/l"), 0);
    CHECK_IS(paths_call(NR_RENAME, "/b/sub", "/b/moved"), 0);
    CHECK_TEXT("/o/d/moved/l", "one");
    CHECK_IS(paths_call(NR_RENAME, "/b/f", "/o/f"), -EXDEV);
    CHECK_IS(paths_call(NR_RENAME, "/b/moved", "/b/moved/x"), -EINVAL);
    CHECK_IS(path_call(NR_RMDIR, "/b/moved"), -ENOTEMPTY);
    CHECK_IS(path_call(NR_UNLINK, "/b/moved/l"), 0);
    CHECK_IS(path_call(NR_RMDIR, "/b/moved"), 0);
    CHECK_IS(path_call(NR_RMDIR, "/b"), -EBUSY);
    CHECK_IS(mount_call("/b", "", MS_REMOUNT | MS_BIND | MS_RDONLY, ""), 0);
    CHECK_IS(make_file("/b/h", "no"), -EROFS);
    CHECK_IS(umount_call("/b", 0), 0);
    CHECK_IS(stat_path(NR_STAT, "/b/f"), -ENOENT);
    CHECK_TEXT("/o/d/f", "one");
}

enum { FD_CALLS_MODE = 0600 };

static i64 map_call(u32 protection, u32 flags, i64 fd) {
    static u64 address = 0x10000000;
    address += 0x10000;
    return fake_call(first, NR_MMAP, address, 4096, protection, flags | MAP_FIXED, (u64)fd, 0);
}

// What an open file or a directory's descriptor may do is what its mount allows.
static void test_bound_descriptors(void) {
    enum { MS_BIND = 4096, NR_FCHMOD = 91, NR_FCHOWN = 93, NR_UTIMENSAT = 280, NR_FSETXATTR = 190 };
    enum { NR_MKDIRAT = 258, NR_UNLINKAT = 263, NR_FCHMODAT = 268, NR_TRUNCATE = 76 };
    strcpy(source, "/o/d");
    strcpy(path, "/b");
    CHECK_IS(CALL5(first, NR_MOUNT, source, path, 0, MS_BIND, 0), 0);
    i64 writer = open_path("/b/f", O_RDWR);
    CHECK_IS(mount_call("/b", "", MS_REMOUNT | MS_BIND | MS_RDONLY, ""), -EBUSY);
    // A shared mapping writes, too, when its file is closed.
    i64 mapped = map_call(PROT_READ | PROT_WRITE, MAP_SHARED, writer);
    CHECK_IS(mapped > 0, true);
    close_fd(writer);
    CHECK_IS(mount_call("/b", "", MS_REMOUNT | MS_BIND | MS_RDONLY, ""), -EBUSY);
    CHECK_IS(CALL2(first, NR_MUNMAP, mapped, 4096), 0);
    CHECK_IS(mount_call("/b", "", MS_REMOUNT | MS_BIND | MS_RDONLY, ""), 0);
    i64 fd = open_path("/b/f", O_RDONLY);
    CHECK_IS(CALL2(first, NR_FCHMOD, fd, FD_CALLS_MODE), -EROFS);
    CHECK_IS(CALL3(first, NR_FCHOWN, fd, 1, 1), -EROFS);
    CHECK_IS(CALL4(first, NR_UTIMENSAT, fd, 0, 0, 0), -EROFS);
    strcpy(path, "user.x");
    CHECK_IS(CALL5(first, NR_FSETXATTR, fd, path, path, 1, 0), -EROFS);
    close_fd(fd);
    i64 directory = open_path("/b", O_RDONLY | O_DIRECTORY);
    strcpy(path, "f");
    CHECK_IS(CALL4(first, NR_OPENAT, directory, path, O_WRONLY, 0), -EROFS);
    CHECK_IS(CALL3(first, NR_FCHMODAT, directory, path, FD_CALLS_MODE), -EROFS);
    CHECK_IS(CALL3(first, NR_UNLINKAT, directory, path, 0), -EROFS);
    strcpy(path, "new");
    CHECK_IS(CALL3(first, NR_MKDIRAT, directory, path, 0755), -EROFS);
    CHECK_IS(CALL4(first, NR_OPENAT, directory, path, O_WRONLY | O_CREAT, 0644), -EROFS);
    strcpy(path, ".");
    CHECK_IS(CALL4(first, NR_OPENAT, directory, path, O_TMPFILE | O_DIRECTORY | O_RDWR, 0600),
             -EROFS);
    close_fd(directory);
    CHECK_IS(mount_call("/b", "", MS_REMOUNT | MS_BIND, ""), 0);
    CHECK_IS(umount_call("/b", 0), 0);
}

// Nothing of a mount without programs becomes one, and nothing that was opened for reading is written.
static void test_protection(void) {
    enum { NR_MPROTECT = 10, PAGE = 4096 };
    CHECK_IS(mount_call("/m", "tmpfs", MS_NOEXEC, ""), 0);
    CHECK_IS(make_file("/m/f", "code"), 4);
    i64 fd = open_path("/m/f", O_RDONLY);
    CHECK_IS(map_call(PROT_READ | PROT_EXEC, MAP_PRIVATE, fd), -EPERM);
    i64 mapped = map_call(PROT_READ, MAP_PRIVATE, fd);
    CHECK_IS(mapped > 0, true);
    CHECK_IS(CALL3(first, NR_MPROTECT, mapped, PAGE, PROT_READ | PROT_EXEC), -EACCES);
    CHECK_IS(CALL3(first, NR_MPROTECT, mapped, PAGE, PROT_READ | PROT_WRITE), 0);
    i64 shared = map_call(PROT_READ, MAP_SHARED, fd);
    CHECK_IS(CALL3(first, NR_MPROTECT, shared, PAGE, PROT_READ | PROT_WRITE), -EACCES);
    CHECK_IS(CALL2(first, NR_MUNMAP, mapped, PAGE), 0);
    CHECK_IS(CALL2(first, NR_MUNMAP, shared, PAGE), 0);
    close_fd(fd);
    CHECK_IS(umount_call("/m", 0), 0);
    fd = open_path("/o/d/f", O_RDONLY);
    mapped = map_call(PROT_READ, MAP_PRIVATE, fd);
    CHECK_IS(CALL3(first, NR_MPROTECT, mapped, PAGE, PROT_READ | PROT_EXEC), 0);
    CHECK_IS(CALL2(first, NR_MUNMAP, mapped, PAGE), 0);
    close_fd(fd);
}

int main(int argc, char **argv) {
    boot_image(argc, argv);
    test_covering();
    test_limits();
    test_no_devices();
    test_flags();
    test_detaching();
    test_binding();
    test_bound_descriptors();
    test_protection();
    return failures ? 1 : 0;
}
