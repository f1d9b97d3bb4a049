// Users, groups, modes and capabilities: who may do what to files.
#include "linux_test.h"

enum {
    NR_SETUID = 105,
    NR_GETEUID = 107,
    NR_SETREUID = 113,
    NR_SETGROUPS = 116,
    NR_SETRESUID = 117,
    NR_SETRESGID = 119,
    NR_CAPGET = 125,
    NR_CAPSET = 126,
    NR_UMASK = 95,
    NR_MKNOD = 133,
    NR_PRCTL = 157,
    NR_FACCESSAT2 = 439,
    ALICE = 1000,
    BOB = 1001,
    STAFF = 50,
};

static u32 groups[4];

// The effective user, with root kept as the saved one.
static void become(u32 uid, u32 gid) {
    CHECK_IS(CALL3(first, NR_SETRESUID, -1, 0, -1), 0);
    CHECK_IS(CALL3(first, NR_SETRESGID, -1, gid, -1), 0);
    CHECK_IS(CALL3(first, NR_SETRESUID, -1, uid, 0), 0);
}

static i64 mode_call(const char *name, u32 mode) {
    strcpy(path, name);
    return CALL2(first, NR_CHMOD, path, mode);
}

static i64 owner_call(const char *name, u32 uid, u32 gid) {
    strcpy(path, name);
    return CALL3(first, NR_CHOWN, path, uid, gid);
}

static u32 mode_of(const char *name) {
    CHECK_IS(stat_path(NR_STAT, name), 0);
    return status.mode & 07777;
}

static i64 access_call(const char *name, u32 mode, u32 flags) {
    strcpy(path, name);
    return CALL4(first, NR_FACCESSAT2, AT_FDCWD, path, mode, flags);
}

static void test_classes(void) {
    static const struct {
        u32 mode;
        i64 owner;
        i64 group;
        i64 other;
    } cases[] = {
        {0600, 0, -EACCES, -EACCES},       {0060, -EACCES, 0, -EACCES},
        {0006, -EACCES, -EACCES, 0},       {0666, 0, 0, 0},
        {0440, -EACCES, -EACCES, -EACCES},
    };
    CHECK_IS(make_file("/tmp/f", "f"), 1);
    CHECK_IS(owner_call("/tmp/f", ALICE, STAFF), 0);
    for (usize i = 0; i < ARRAY_SIZE(cases); i++) {
        CHECK_IS(mode_call("/tmp/f", cases[i].mode), 0);
        become(ALICE, ALICE);
        CHECK_IS(access_call("/tmp/f", 6, AT_EACCESS), cases[i].owner);
        become(BOB, STAFF);
        CHECK_IS(access_call("/tmp/f", 6, AT_EACCESS), cases[i].group);
        become(BOB, BOB);
        CHECK_IS(access_call("/tmp/f", 6, AT_EACCESS), cases[i].other);
        CHECK_IS(access_call("/tmp/f", 6, 0), 0); // the real user is root
        i64 fd = open_path("/tmp/f", O_RDWR);
        CHECK_IS(fd < 0 ? fd : 0, cases[i].other);
        close_fd(fd);
        become(0, 0);
        CHECK_IS(access_call("/tmp/f", 6, AT_EACCESS), 0);
    }
    CHECK_IS(access_call("/tmp/f", 1, 0), -EACCES);
    CHECK_IS(mode_call("/tmp/f", 0100), 0);
    CHECK_IS(access_call("/tmp/f", 1, 0), 0);
    groups[0] = 7;
    groups[1] = STAFF;
    groups[2] = 3;
    CHECK_IS(CALL2(first, NR_SETGROUPS, 3, groups), 0);
    CHECK_IS(mode_call("/tmp/f", 0060), 0);
    become(BOB, BOB);
    CHECK_IS(access_call("/tmp/f", 6, AT_EACCESS), 0);
    CHECK_IS(CALL2(first, NR_SETGROUPS, 0, groups), -EPERM);
    become(0, 0);
    CHECK_IS(CALL2(first, NR_SETGROUPS, 0, groups), 0);
    CHECK_IS(path_call(NR_UNLINK, "/tmp/f"), 0);
}

static void test_directories(void) {
    CHECK_IS(path_call(NR_MKDIR, "/tmp/d"), 0);
    CHECK_IS(make_file("/tmp/d/f", "f"), 1);
    CHECK_IS(mode_call("/tmp/d", 0744), 0);
    become(ALICE, ALICE);
    CHECK_IS(stat_path(NR_STAT, "/tmp/d/f"), -EACCES);
    CHECK_IS(stat_path(NR_STAT, "/tmp/d/nothing"), -EACCES);
    CHECK_IS(path_call(NR_CHDIR, "/tmp/d"), -EACCES);
    i64 fd = open_path("/tmp/d", O_RDONLY);
    CHECK_IS(fd >= 0, true);
    close_fd(fd);
    become(0, 0);
    CHECK_IS(mode_call("/tmp/d", 0711), 0);
    become(ALICE, ALICE);
    CHECK_TEXT("/tmp/d/f", "f");
    CHECK_IS(open_path("/tmp/d", O_RDONLY), -EACCES);
    CHECK_IS(make_file("/tmp/d/g", "g"), -EACCES);
    CHECK_IS(path_call(NR_UNLINK, "/tmp/d/f"), -EACCES);
    CHECK_IS(path_call(NR_UNLINK, "/tmp/d/nothing"), -ENOENT);
    CHECK_IS(path_call(NR_MKDIR, "/tmp/d/f"), -EEXIST);
    CHECK_IS(paths_call(NR_RENAME, "/tmp/d/f", "/tmp/f"), -EACCES);
    CHECK_IS(paths_call(NR_SYMLINK, "x", "/tmp/d/l"), -EACCES);
    CHECK_IS(make_file("/etc/passwd", "mine"), -EACCES);
    become(0, 0);
    CHECK_IS(path_call(NR_UNLINK, "/tmp/d/f"), 0);
    CHECK_IS(path_call(NR_RMDIR, "/tmp/d"), 0);
}

static void test_sticky(void) {
    become(ALICE, ALICE);
    CHECK_IS(make_file("/tmp/a", "a"), 1);
    CHECK_IS(path_call(NR_MKDIR, "/tmp/ad"), 0);
    CHECK_IS(paths_call(NR_SYMLINK, "a", "/tmp/al"), 0);
    CHECK_TEXT("/tmp/al", "a");
    become(BOB, BOB);
    CHECK_IS(make_file("/tmp/b", "b"), 1);
    CHECK_IS(path_call(NR_UNLINK, "/tmp/a"), -EPERM);
    CHECK_IS(path_call(NR_RMDIR, "/tmp/ad"), -EPERM);
    CHECK_IS(paths_call(NR_RENAME, "/tmp/a", "/tmp/c"), -EPERM);
    CHECK_IS(paths_call(NR_RENAME, "/tmp/b", "/tmp/a"), -EPERM);
    CHECK_IS(paths_call(NR_RENAME, "/tmp/b", "/tmp/c"), 0);
    CHECK_IS(open_path("/tmp/al", O_RDONLY), -EACCES);
    CHECK_IS(paths_call(NR_LINK, "/tmp/a", "/tmp/bl"), -EPERM);
    CHECK_IS(path_call(NR_UNLINK, "/tmp/c"), 0);
    become(0, 0);
    CHECK_IS(open_path("/tmp/al", O_RDONLY), -EACCES);
    CHECK_IS(path_call(NR_UNLINK, "/tmp/a"), 0);
    CHECK_IS(path_call(NR_UNLINK, "/tmp/al"), 0);
    CHECK_IS(path_call(NR_RMDIR, "/tmp/ad"), 0);
}

static void test_owners(void) {
    become(ALICE, STAFF);
    CHECK_IS(CALL1(first, NR_UMASK, 027), 022);
    CHECK_IS(make_file("/tmp/o", "o"), 1);
    CHECK_IS(mode_of("/tmp/o"), 0640);
    CHECK_IS(status.uid, ALICE);
    CHECK_IS(status.gid, STAFF);
    CHECK_IS(CALL1(first, NR_UMASK, 022), 027);
    CHECK_IS(owner_call("/tmp/o", BOB, -1), -EPERM);
    CHECK_IS(owner_call("/tmp/o", ALICE, STAFF), 0);
    CHECK_IS(owner_call("/tmp/o", -1, BOB), -EPERM);
    CHECK_IS(mode_call("/tmp/o", 06755), 0);
    CHECK_IS(mode_of("/tmp/o"), 06755);
    CHECK_IS(make_file("/tmp/o", "written"), 7);
    CHECK_IS(mode_of("/tmp/o"), 0755);
    CHECK_IS(mode_call("/tmp/o", 06755), 0);
    become(BOB, BOB);
    CHECK_IS(mode_call("/tmp/o", 0777), -EPERM);
    strcpy(path, "/tmp/o");
    CHECK_IS(CALL4(first, NR_UTIMENSAT, AT_FDCWD, path, 0, 0), -EACCES);
    static struct linux_timespec times[2] = {{1, 2}, {3, 4}};
    CHECK_IS(CALL4(first, NR_UTIMENSAT, AT_FDCWD, path, times, 0), -EPERM);
    CHECK_IS(open_path("/tmp/o", O_RDONLY | O_NOATIME), -EPERM);
    become(0, 0);
    CHECK_IS(make_file("/tmp/o", "root"), 4);
    CHECK_IS(mode_of("/tmp/o"), 06755);
    CHECK_IS(owner_call("/tmp/o", BOB, -1), 0);
    CHECK_IS(mode_of("/tmp/o"), 0755);
    CHECK_IS(status.uid, BOB);
    CHECK_IS(status.gid, STAFF);
    CHECK_IS(mode_call("/tmp/o", 02745), 0);
    CHECK_IS(owner_call("/tmp/o", ALICE, -1), 0);
    CHECK_IS(mode_of("/tmp/o"), 02745);
    strcpy(path, "/tmp/o");
    CHECK_IS(CALL4(first, NR_UTIMENSAT, AT_FDCWD, path, times, 0), 0);
    CHECK_IS(stat_path(NR_STAT, "/tmp/o"), 0);
    CHECK_IS(status.mtime.seconds * 1000 + status.mtime.nanoseconds, 3004);
    times[0].nanoseconds = 2000000000;
    CHECK_IS(CALL4(first, NR_UTIMENSAT, AT_FDCWD, path, times, 0), -EINVAL);
    CHECK_IS(path_call(NR_UNLINK, "/tmp/o"), 0);
}

// Who may write to a program of somebody else's does not get to cut it and keep its user.
static void test_cut(void) {
    CHECK_IS(make_file("/tmp/cut", "program"), 7);
    CHECK_IS(mode_call("/tmp/cut", 06777), 0);
    become(BOB, BOB);
    strcpy(path, "/tmp/cut");
    CHECK_IS(CALL2(first, NR_TRUNCATE, path, 3), 0);
    CHECK_IS(mode_of("/tmp/cut"), 0777);
    become(0, 0);
    CHECK_IS(mode_call("/tmp/cut", 06777), 0);
    become(BOB, BOB);
    close_fd(open_path("/tmp/cut", O_WRONLY | O_TRUNC));
    CHECK_IS(mode_of("/tmp/cut"), 0777);
    become(0, 0);
    CHECK_IS(mode_call("/tmp/cut", 06777), 0);
    strcpy(path, "/tmp/cut");
    CHECK_IS(CALL2(first, NR_TRUNCATE, path, 0), 0);
    CHECK_IS(mode_of("/tmp/cut"), 06777);
}

static void test_set_group_directories(void) {
    CHECK_IS(path_call(NR_MKDIR, "/tmp/s"), 0);
    CHECK_IS(owner_call("/tmp/s", ALICE, STAFF), 0);
    CHECK_IS(mode_call("/tmp/s", 02777), 0);
    become(BOB, BOB);
    CHECK_IS(make_file("/tmp/s/f", "f"), 1);
    CHECK_IS(mode_of("/tmp/s/f"), 0644);
    CHECK_IS(status.gid, STAFF);
    CHECK_IS(path_call(NR_MKDIR, "/tmp/s/d"), 0);
    CHECK_IS(mode_of("/tmp/s/d"), 02755);
    CHECK_IS(status.gid, STAFF);
    strcpy(path, "/tmp/s/n");
    CHECK_IS(CALL3(first, NR_MKNOD, path, MODE_CHARACTER | 0666, 0x103), -EPERM);
    CHECK_IS(CALL3(first, NR_MKNOD, path, MODE_FIFO | 0666, 0), 0);
    become(0, 0);
    strcpy(path, "/tmp/s/c");
    CHECK_IS(CALL3(first, NR_MKNOD, path, MODE_CHARACTER | 0666, 0x103), 0);
}

static void test_ids(void) {
    enum { CAP_VERSION = 0x20080522, PR_GET_KEEPCAPS = 7, PR_SET_KEEPCAPS = 8 };
    static struct {
        u32 version;
        i32 pid;
    } header = {CAP_VERSION, 0};
    static u32 sets[6];
    CHECK_IS(CALL2(first, NR_CAPGET, &header, sets), 0);
    CHECK_IS(sets[0], ~0U);
    CHECK_IS(sets[3], 0x1ff);
    become(ALICE, ALICE);
    CHECK_IS(CALL0(first, NR_GETEUID), ALICE);
    CHECK_IS(CALL2(first, NR_CAPGET, &header, sets), 0);
    CHECK_IS(sets[0], 0);
    CHECK_IS(sets[1], ~0U);
    CHECK_IS(CALL1(first, NR_SETUID, BOB), -EPERM);
    CHECK_IS(CALL2(first, NR_SETREUID, BOB, -1), -EPERM);
    become(0, 0);
    // Without CAP_CHOWN, root is nobody special to chown.
    sets[0] = sets[1] = ~1U;
    sets[2] = 0;
    sets[3] = sets[4] = 0x1ff;
    sets[5] = 0;
    CHECK_IS(make_file("/tmp/x", "x"), 1);
    CHECK_IS(CALL2(first, NR_CAPSET, &header, sets), 0);
    CHECK_IS(owner_call("/tmp/x", ALICE, -1), -EPERM);
    sets[0] = sets[1] = ~0U;
    CHECK_IS(CALL2(first, NR_CAPSET, &header, sets), -EPERM);
    CHECK_IS(CALL2(first, NR_PRCTL, PR_SET_KEEPCAPS, 1), 0);
    CHECK_IS(CALL1(first, NR_SETUID, ALICE), 0);
    CHECK_IS(CALL2(first, NR_CAPGET, &header, sets), 0);
    CHECK_IS(sets[0], 0);
    CHECK_IS(sets[1], ~1U);
    CHECK_IS(CALL1(first, NR_SETUID, 0), -EPERM);
    CHECK_IS(path_call(NR_UNLINK, "/tmp/x"), -EPERM);
}

int main(int argc, char **argv) {
    boot_image(argc, argv);
    test_classes();
    test_directories();
    test_sticky();
    test_owners();
    test_cut();
    test_set_group_directories();
    test_ids();
    return failures ? 1 : 0;
}
