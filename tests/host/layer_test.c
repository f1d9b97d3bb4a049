// The layer over the image: what is changed anywhere in the root, and what stays the image's.
#include "linux_test.h"

// Lists a directory through a buffer with this room; returns how often a name comes, or with NULL
// how many names there are.
static u32 count_names(const char *directory, const char *wanted, u32 room) {
    i64 fd = open_path(directory, O_RDONLY | O_DIRECTORY);
    u32 count = 0;
    i64 size;
    while ((size = CALL3(first, NR_GETDENTS64, fd, buffer, room)) > 0) {
        for (i64 at = 0; at < size;) {
            struct linux_dirent64 *entry = (struct linux_dirent64 *)(buffer + at);
            count += !wanted || strcmp(entry->name, wanted) == 0;
            at += entry->size;
        }
    }
    CHECK_IS(size, 0);
    close_fd(fd);
    return count;
}

static u64 ino_of(const char *name) {
    CHECK_IS(stat_path(NR_LSTAT, name), 0);
    return status.ino;
}

static void test_write_anywhere(void) {
    u64 ino = ino_of("/etc/passwd");
    CHECK_IS(make_file("/etc/new", "new"), 3);
    CHECK_TEXT("/etc/new", "new");
    i64 fd = open_path("/etc/passwd", O_WRONLY);
    CHECK_IS(CALL3(first, NR_WRITE, fd, "ROOT", 4), 4);
    close_fd(fd);
    CHECK_TEXT("/etc/passwd", "ROOT:x:0:0:root:/root:/bin/sh\n");
    CHECK_IS(ino_of("/etc/passwd"), ino);
    fd = open_path("/etc/passwd", O_WRONLY | O_APPEND);
    CHECK_IS(CALL3(first, NR_WRITE, fd, "x\n", 2), 2);
    close_fd(fd);
    CHECK_TEXT("/etc/passwd", "ROOT:x:0:0:root:/root:/bin/sh\nx\n");
    CHECK_IS(count_names("/etc", "passwd", 4096), 1);
    CHECK_IS(count_names("/etc", "new", 4096), 1);
    CHECK_IS(path_call(NR_MKDIR, "/bin/deep"), 0);
    CHECK_IS(path_call(NR_MKDIR, "/bin/deep/er"), 0);
    CHECK_IS(stat_path(NR_STAT, "/bin"), 0);
    CHECK_IS(status.nlink, 3);
    CHECK_IS(path_call(NR_RMDIR, "/bin/deep/er"), 0);
    CHECK_IS(path_call(NR_RMDIR, "/bin/deep"), 0);
    CHECK_IS(stat_path(NR_STAT, "/bin"), 0);
    CHECK_IS(status.nlink, 2);
}

// Pages that were not written are the image's; truncating hides them for good.
static void test_pages(void) {
    static u8 image[16384];
    static u8 now[16384];
    i64 fd = open_path("/bin/busybox", O_RDWR);
    CHECK_IS(CALL4(first, NR_PREAD, fd, image, sizeof(image), 0), sizeof(image));
    CHECK_IS(CALL2(first, NR_FSTAT, fd, &status), 0);
    i64 size = status.size;
    i64 blocks = status.blocks;
    CHECK_IS(CALL4(first, NR_PWRITE, fd, "abc", 3, 4094), 3);
    memcpy(image + 4094, "abc", 3);
    CHECK_IS(CALL4(first, NR_PREAD, fd, now, sizeof(now), 0), sizeof(now));
    CHECK_IS(memcmp(now, image, sizeof(now)), 0);
    CHECK_IS(CALL2(first, NR_FSTAT, fd, &status), 0);
    CHECK_IS(status.size, size);
    CHECK_IS(status.blocks, blocks);
    CHECK_IS(CALL2(first, NR_FTRUNCATE, fd, 9000), 0);
    CHECK_IS(CALL2(first, NR_FTRUNCATE, fd, 16384), 0);
    memset(image + 9000, 0, sizeof(image) - 9000);
    CHECK_IS(CALL4(first, NR_PREAD, fd, now, sizeof(now), 0), sizeof(now));
    CHECK_IS(memcmp(now, image, sizeof(now)), 0);
    CHECK_IS(CALL2(first, NR_FSTAT, fd, &status), 0);
    CHECK_IS(status.blocks, 3 * 8);
    CHECK_IS(CALL4(first, NR_PWRITE, fd, "z", 1, 9001), 1);
    image[9001] = 'z';
    CHECK_IS(CALL4(first, NR_PREAD, fd, now, sizeof(now), 0), sizeof(now));
    CHECK_IS(memcmp(now, image, sizeof(now)), 0);
    close_fd(fd);
}

static void test_whiteouts(void) {
    u64 ino = ino_of("/bin/ls");
    u32 names = count_names("/bin", NULL, 4096);
    CHECK_IS(path_call(NR_UNLINK, "/bin/ls"), 0);
    CHECK_IS(path_call(NR_UNLINK, "/bin/ls"), -ENOENT);
    CHECK_IS(stat_path(NR_LSTAT, "/bin/ls"), -ENOENT);
    CHECK_IS(count_names("/bin", "ls", 4096), 0);
    CHECK_IS(count_names("/bin", NULL, 300), names - 1);
    CHECK_IS(make_file("/bin/ls", "mine"), 4);
    CHECK_IS(count_names("/bin", "ls", 300), 1);
    CHECK_IS(count_names("/bin", NULL, 300), names);
    CHECK_IS(ino_of("/bin/ls") != ino, true);
    CHECK_IS(path_call(NR_UNLINK, "/bin/ls"), 0);
    CHECK_IS(stat_path(NR_LSTAT, "/bin/ls"), -ENOENT);
    CHECK_IS(paths_call(NR_SYMLINK, "busybox", "/bin/ls"), 0);
    CHECK_IS(path_call(NR_RMDIR, "/bin"), -ENOTEMPTY);
    i64 fd = open_path("/bin", O_RDONLY);
    static char list[70000];
    i64 size;
    while ((size = CALL3(first, NR_GETDENTS64, fd, list, sizeof(list))) > 0) {
        for (i64 at = 0; at < size;) {
            struct linux_dirent64 *entry = (struct linux_dirent64 *)(list + at);
            char name[300];
            snprintf(name, sizeof(name), "/bin/%s", entry->name);
            bool is_dots = strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0;
            CHECK_IS(path_call(NR_UNLINK, name), is_dots ? -EISDIR : 0);
            at += entry->size;
        }
    }
    CHECK_IS(count_names("/bin", NULL, 300), 2);
    CHECK_IS(path_call(NR_RMDIR, "/bin"), 0);
    CHECK_IS(stat_path(NR_STAT, "/bin"), -ENOENT);
    CHECK_IS(CALL3(first, NR_GETDENTS64, fd, list, sizeof(list)), 0);
    close_fd(fd);
    CHECK_IS(path_call(NR_MKDIR, "/bin"), 0);
    CHECK_IS(count_names("/bin", NULL, 300), 2);
}

static void test_renames(void) {
    u64 etc = ino_of("/etc");
    u64 group = ino_of("/etc/group");
    CHECK_IS(paths_call(NR_RENAME, "/etc/group", "/etc/passwd"), 0);
    CHECK_IS(ino_of("/etc/passwd"), group);
    CHECK_IS(stat_path(NR_STAT, "/etc/group"), -ENOENT);
    CHECK_IS(paths_call(NR_RENAME, "/etc", "/root/sub"), 0);
    CHECK_IS(ino_of("/root/sub"), etc);
    CHECK_IS(ino_of("/root/sub/passwd"), group);
    CHECK_IS(ino_of("/root/sub/.."), ino_of("/root"));
    CHECK_IS(stat_path(NR_STAT, "/etc"), -ENOENT);
    CHECK_IS(count_names("/", "etc", 300), 0);
    CHECK_IS(paths_call(NR_RENAME, "/root", "/root/sub/x"), -EINVAL);
    CHECK_IS(paths_call(NR_RENAME, "/root/sub", "/root"), -ENOTEMPTY);
    CHECK_IS(path_call(NR_CHDIR, "/root/sub"), 0);
    CHECK_IS(CALL2(first, NR_GETCWD, buffer, 100), 10);
    CHECK_IS(strcmp(buffer, "/root/sub"), 0);
    CHECK_IS(path_call(NR_MKDIR, "/etc"), 0);
    CHECK_IS(count_names("/etc", NULL, 300), 2);
    CHECK_IS(paths_call(NR_RENAME, "/root/sub", "/etc"), 0);
    CHECK_IS(CALL2(first, NR_GETCWD, buffer, 100), 5);
    CHECK_IS(path_call(NR_CHDIR, ".."), 0);
    CHECK_IS(ino_of("."), ino_of("/"));
    CHECK_IS(ino_of("/etc/passwd"), group);
    CHECK_IS(paths_call(NR_RENAME, "/dev", "/d"), -EBUSY);
    CHECK_IS(paths_call(NR_RENAME, "/etc/passwd", "/proc"), -EISDIR);
}

static void test_rename_flags(void) {
    CHECK_IS(make_file("/a", "a"), 1);
    CHECK_IS(path_call(NR_MKDIR, "/d"), 0);
    CHECK_IS(make_file("/d/b", "b"), 1);
    CHECK_IS(rename_call("/a", "/etc/passwd", RENAME_NOREPLACE), -EEXIST);
    CHECK_IS(rename_call("/a", "/no", RENAME_EXCHANGE), -ENOENT);
    CHECK_IS(rename_call("/a", "/a", RENAME_NOREPLACE), -EEXIST);
    CHECK_IS(rename_call("/a", "/d", RENAME_EXCHANGE), 0);
    CHECK_TEXT("/d", "a");
    CHECK_TEXT("/a/b", "b");
    CHECK_IS(rename_call("/a", "/a/b", RENAME_EXCHANGE), -EINVAL);
    CHECK_IS(rename_call("/a/b", "/a", RENAME_EXCHANGE), -EINVAL);
    u64 etc = ino_of("/etc");
    CHECK_IS(rename_call("/a/b", "/etc", RENAME_EXCHANGE), 0);
    CHECK_TEXT("/etc", "b");
    CHECK_IS(ino_of("/a/b"), etc);
    CHECK_IS(ino_of("/a/b/.."), ino_of("/a"));
    CHECK_IS(stat_path(NR_STAT, "/a"), 0);
    CHECK_IS(status.nlink, 3);
    CHECK_IS(rename_call("/a/b", "/etc", RENAME_EXCHANGE), 0);
    CHECK_IS(rename_call("/a", "/d", RENAME_NOREPLACE | RENAME_EXCHANGE), -EINVAL);
    CHECK_IS(path_call(NR_UNLINK, "/a/b"), 0);
    CHECK_IS(path_call(NR_RMDIR, "/a"), 0);
    CHECK_IS(path_call(NR_UNLINK, "/d"), 0);
}

static void test_links(void) {
    CHECK_IS(paths_call(NR_LINK, "/etc/passwd", "/hard"), 0);
    CHECK_IS(ino_of("/hard"), ino_of("/etc/passwd"));
    CHECK_IS(status.nlink, 2);
    CHECK_IS(paths_call(NR_RENAME, "/hard", "/etc/passwd"), 0);
    CHECK_IS(stat_path(NR_STAT, "/hard"), 0);
    CHECK_IS(make_file("/hard", "both"), 4);
    CHECK_TEXT("/etc/passwd", "both");
    i64 fd = open_path("/etc/passwd", O_RDWR);
    CHECK_IS(path_call(NR_UNLINK, "/etc/passwd"), 0);
    CHECK_IS(path_call(NR_UNLINK, "/hard"), 0);
    CHECK_IS(CALL3(first, NR_WRITE, fd, "gone", 4), 4);
    CHECK_IS(CALL2(first, NR_FSTAT, fd, &status), 0);
    CHECK_IS(status.nlink, 0);
    close_fd(fd);
    CHECK_IS(stat_path(NR_STAT, "/etc/passwd"), -ENOENT);
}

// More names than a list holds well, made and removed while they are listed.
static void test_many_names(void) {
    char name[32];
    CHECK_IS(path_call(NR_MKDIR, "/many"), 0);
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "/many/name-%d", i);
        CHECK_IS(make_file(name, "x"), 1);
    }
    CHECK_IS(count_names("/many", NULL, 200), 502);
    i64 fd = open_path("/many", O_RDONLY);
    static char list[300];
    u32 count = 0;
    i64 size;
    while ((size = CALL3(first, NR_GETDENTS64, fd, list, sizeof(list))) > 0) {
        for (i64 at = 0; at < size; count++) {
            struct linux_dirent64 *entry = (struct linux_dirent64 *)(list + at);
            snprintf(name, sizeof(name), "/many/%s", entry->name);
            if (entry->name[0] == 'n') {
                CHECK_IS(count % 2 ? path_call(NR_UNLINK, name) : make_file(name, "y"),
                         count % 2 ? 0 : 1);
                snprintf(name, sizeof(name), "/many/more-%u", count);
                CHECK_IS(make_file(name, "z"), 1);
            }
            at += entry->size;
        }
    }
    CHECK_IS(count, 502);
    close_fd(fd);
    CHECK_IS(count_names("/many", "more-77", 4096), 1);
}

static void test_large_files(void) {
    const i64 far = 5L << 30;
    i64 fd = open_path("/large", O_RDWR | O_CREAT);
    CHECK_IS(CALL4(first, NR_PWRITE, fd, "end", 3, far), 3);
    CHECK_IS(CALL4(first, NR_PWRITE, fd, "start", 5, 0), 5);
    CHECK_IS(CALL2(first, NR_FSTAT, fd, &status), 0);
    CHECK_IS(status.size, far + 3);
    CHECK_IS(status.blocks, 16);
    memset(buffer, 1, 100);
    CHECK_IS(CALL4(first, NR_PREAD, fd, buffer, 10, far - 5), 8);
    CHECK_IS(memcmp(buffer, "\0\0\0\0\0end", 8), 0);
    CHECK_IS(CALL4(first, NR_PREAD, fd, buffer, 10, 0), 10);
    CHECK_IS(memcmp(buffer, "start\0\0\0\0\0", 10), 0);
    CHECK_IS(CALL2(first, NR_FTRUNCATE, fd, 3), 0);
    CHECK_IS(CALL2(first, NR_FTRUNCATE, fd, far), 0);
    CHECK_IS(CALL4(first, NR_PREAD, fd, buffer, 10, 0), 10);
    CHECK_IS(memcmp(buffer, "sta\0\0\0\0\0\0\0", 10), 0);
    CHECK_IS(CALL2(first, NR_FSTAT, fd, &status), 0);
    CHECK_IS(status.blocks, 8);
    CHECK_IS(CALL4(first, NR_PWRITE, fd, "x", 1, (1UL << 63) - 1), -EINVAL);
    close_fd(fd);
    CHECK_IS(path_call(NR_UNLINK, "/large"), 0);
}

int main(int argc, char **argv) {
    boot_image(argc, argv);
    test_write_anywhere();
    test_pages();
    test_renames();
    test_rename_flags();
    test_links();
    test_whiteouts();
    test_many_names();
    test_large_files();
    return failures ? 1 : 0;
}
