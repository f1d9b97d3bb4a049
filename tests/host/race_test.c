// Processes that make, rename, link, list, write and remove the same few names at the same time. No
// result is expected; nothing may go wrong in the tree, and all of it can be taken away afterwards.
#include "linux_test.h"

#include "linux/kernel_if.h"

enum {
    CHILDREN = 4,
    STEPS = 1500,
    NAMES = 6,
    NR_MOUNT = 165,
    NR_UMOUNT2 = 166,
    NR_MKNOD = 133,
    NR_SETUID = 105,
    OWNER = 1000,
    OWNER_CHANGES = 30000,
};

static i32 wait_status;
static u32 next_seed; // atomic

// Each child's own Linux memory.
static struct {
    char one[128];
    char two[128];
    char bytes[8192];
    struct linux_stat status;
} memories[CHILDREN];

static u32 roll(u32 *state, u32 limit) {
    *state = *state * 1664525 + 1013904223;
    return (*state >> 16) % limit;
}

static void name_roll(u32 *state, char *out) {
    static const char *const directories[] = {"/tmp/r", "/tmp/r/d", "/bin", "/etc", "/tmp/r/m"};
    static const char *const names[NAMES] = {"a", "b", "d", "ls", "passwd", "m"};
    snprintf(out, 128, "%s/%s", directories[roll(state, ARRAY_SIZE(directories))],
             names[roll(state, NAMES)]);
}

static void open_and_use(struct thread *thread, u32 *state, u32 index) {
    char *one = memories[index].one;
    char *bytes = memories[index].bytes;
    i64 fd = CALL3(thread, NR_OPEN, one, O_RDWR | O_CREAT | O_NONBLOCK, 0644);
    if (fd < 0) {
        fd = CALL3(thread, NR_OPEN, one, O_RDONLY | O_NONBLOCK, 0);
        CALL3(thread, NR_GETDENTS64, fd, bytes, 300);
    } else if (roll(state, 3) == 0) {
        CALL2(thread, NR_FTRUNCATE, fd, roll(state, 9000));
    } else {
        CALL4(thread, NR_PWRITE, fd, bytes, roll(state, 5000), roll(state, 9000));
        CALL4(thread, NR_PREAD, fd, bytes, 5000, 0);
    }
    CALL1(thread, NR_CLOSE, fd);
}

static void step(struct thread *thread, u32 *state, u32 index) {
    char *one = memories[index].one;
    char *two = memories[index].two;
    name_roll(state, one);
    name_roll(state, two);
    switch (roll(state, 12)) {
    case 0: CALL2(thread, NR_MKDIR, one, 0755); break;
    case 1: CALL1(thread, NR_RMDIR, one); break;
    case 2: CALL1(thread, NR_UNLINK, one); break;
    case 3: CALL2(thread, NR_RENAME, one, two); break;
    case 4: CALL2(thread, NR_LINK, one, two); break;
    case 5: CALL2(thread, NR_SYMLINK, two, one); break;
    case 6: CALL5(thread, NR_RENAMEAT2, AT_FDCWD, one, AT_FDCWD, two, RENAME_EXCHANGE); break;
    case 7: CALL2(thread, NR_STAT, one, &memories[index].status); break;
    case 8: CALL1(thread, NR_CHDIR, one); break;
    case 9: CALL2(thread, NR_GETCWD, memories[index].bytes, 4096); break;
    default: open_and_use(thread, state, index); break;
    }
}

static void child_races(struct thread *thread) {
    u32 index = __atomic_fetch_add(&next_seed, 1, __ATOMIC_SEQ_CST);
    u32 state = index + 1;
    for (u32 i = 0; i < STEPS; i++) {
        step(thread, &state, index);
    }
    CALL1(thread, NR_EXIT, 0);
}

// Mounts, binds, moves and unmounts on names that the others use, and shows what is mounted.
static void mount_meanwhile(void) {
    enum { READ_ONLY = 1, REMOUNT = 32, BIND = 4096, MOVE = 8192, RECURSIVE = 16384 };
    static char type[64] = "tmpfs";
    static char target[64] = "/tmp/r/m";
    static char second[64] = "/tmp/r/d";
    static char all[64] = "/tmp/r";
    for (u32 i = 0; i < 60; i++) {
        CALL2(first, NR_MKDIR, target, 0755);
        CALL2(first, NR_MKDIR, second, 0755);
        CALL5(first, NR_MOUNT, type, target, type, 0, 0);
        CALL5(first, NR_MOUNT, i % 3 ? all : target, second, 0, BIND | (i % 2 ? RECURSIVE : 0), 0);
        CALL5(first, NR_MOUNT, 0, second, 0, REMOUNT | BIND | (i % 5 ? 0 : READ_ONLY), 0);
        text_of("/proc/mounts");
        CALL5(first, NR_MOUNT, target, second, 0, MOVE, 0);
        while (CALL2(first, NR_UMOUNT2, second, 2) == 0) {
        }
        CALL2(first, NR_UMOUNT2, target, i % 2 ? 2 : 0);
    }
    while (CALL2(first, NR_UMOUNT2, target, 2) == 0 || CALL2(first, NR_UMOUNT2, second, 2) == 0) {
    }
}

static void remove_all(const char *directory) {
    char names[64][128];
    u32 count = 0;
    i64 fd = open_path(directory, O_RDONLY | O_DIRECTORY);
    i64 size = CALL3(first, NR_GETDENTS64, fd, buffer, sizeof(buffer));
    for (i64 at = 0; at < size && count < 64;) {
        struct linux_dirent64 *entry = (struct linux_dirent64 *)(buffer + at);
        if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0) {
            snprintf(names[count++], sizeof(names[0]), "%.60s/%.60s", directory, entry->name);
        }
        at += entry->size;
    }
    close_fd(fd);
    for (u32 i = 0; i < count; i++) {
        if (path_call(NR_UNLINK, names[i]) == -EISDIR) {
            remove_all(names[i]);
            CHECK_IS(path_call(NR_RMDIR, names[i]), 0);
        }
    }
}

static char owned[64] = "/tmp/owned";
static u32 owner_is_done; // atomic

static void child_sets_modes(struct thread *thread) {
    CALL1(thread, NR_SETUID, OWNER);
    while (!__atomic_load_n(&owner_is_done, __ATOMIC_SEQ_CST)) {
        CALL2(thread, NR_CHMOD, owned, 06755);
        CALL2(thread, NR_CHMOD, owned, 0755);
    }
    CALL1(thread, NR_EXIT, 0);
}

// A file that was given to root does not set its user, whatever its owner does meanwhile.
static void test_owner(void) {
    u32 kept = 0;
    CHECK_IS(make_file(owned, "x"), 1);
    CHECK_IS(fake_fork(first, child_sets_modes) > 0, true);
    for (u32 i = 0; i < OWNER_CHANGES; i++) {
        CALL3(first, NR_CHOWN, owned, OWNER, OWNER);
        CALL3(first, NR_CHOWN, owned, 0, 0);
        CHECK_IS(stat_path(NR_STAT, owned), 0);
        kept += (status.mode & 06000) != 0;
    }
    __atomic_store_n(&owner_is_done, 1, __ATOMIC_SEQ_CST);
    CHECK_IS(CALL4(first, NR_WAIT4, -1, &wait_status, 0, 0) > 0, true);
    CHECK_IS(kept, 0);
    CHECK_IS(path_call(NR_UNLINK, owned), 0);
}

int main(int argc, char **argv) {
    boot_image(argc, argv);
    CHECK_IS(path_call(NR_MKDIR, "/tmp/r"), 0);
    CHECK_IS(path_call(NR_MKDIR, "/tmp/r/d"), 0);
    for (u32 i = 0; i < CHILDREN; i++) {
        CHECK_IS(fake_fork(first, child_races) > 0, true);
    }
    mount_meanwhile();
    for (u32 i = 0; i < CHILDREN; i++) {
        CHECK_IS(CALL4(first, NR_WAIT4, -1, &wait_status, 0, 0) > 0, true);
        CHECK_IS(wait_status, 0);
    }
    CHECK_IS(path_call(NR_CHDIR, "/"), 0);
    test_owner();
    remove_all("/tmp");
    CHECK_IS(path_call(NR_RMDIR, "/tmp"), 0);
    return failures ? 1 : 0;
}
