// Advisory locks between processes, and moving bytes between files and pipes.
#include "linux_test.h"

enum {
    NR_PIPE = 22,
    NR_SENDFILE = 40,
    NR_KILL = 62,
    NR_SPLICE = 275,
    NR_TEE = 276,
    NR_COPY_FILE_RANGE = 326,
    LOCK_SH = 1,
    LOCK_EX = 2,
    LOCK_NB = 4,
    LOCK_UN = 8,
    F_RDLCK = 0,
    F_WRLCK = 1,
    F_UNLCK = 2,
};

static i32 wait_status;
static struct linux_flock range;
static struct linux_flock child_range;
static i64 child_fd;
static u32 child_command;
static u32 child_step; // atomic

static i64 range_call(u32 command, i64 fd, i16 type, i64 start, i64 length) {
    range = (struct linux_flock){.type = type, .start = start, .length = length};
    return CALL3(first, NR_FCNTL, fd, command, &range);
}

static void child_fcntl(struct thread *thread) {
    i64 result = CALL3(thread, NR_FCNTL, child_fd, child_command, &child_range);
    CALL1(thread, NR_EXIT, -result);
}

// What a child gets for the range: 0 or the error's number.
static i64 child_gets(u32 command, i16 type, i64 start, i64 length) {
    child_command = command;
    child_range = (struct linux_flock){.type = type, .start = start, .length = length};
    i64 pid = fake_fork(first, child_fcntl);
    CHECK_IS(CALL4(first, NR_WAIT4, pid, &wait_status, 0, 0), pid);
    return wait_status >> 8;
}

static void test_ranges(void) {
    child_fd = open_path("/tmp/l", O_RDWR | O_CREAT);
    CHECK_IS(range_call(F_SETLK, child_fd, F_WRLCK, 10, 10), 0);
    CHECK_IS(child_gets(F_SETLK, F_RDLCK, 0, 10), 0);
    CHECK_IS(child_gets(F_SETLK, F_RDLCK, 0, 11), EAGAIN);
    CHECK_IS(child_gets(F_SETLK, F_RDLCK, 20, 0), 0);
    CHECK_IS(child_gets(F_SETLK, F_RDLCK, 19, 0), EAGAIN);
    CHECK_IS(child_gets(F_GETLK, F_WRLCK, 0, 0), 0);
    CHECK_IS(child_range.type, F_WRLCK);
    CHECK_IS(child_range.start, 10);
    CHECK_IS(child_range.length, 10);
    CHECK_IS(child_range.pid, first->process->pid);
    // The middle is given back, then made readable.
    CHECK_IS(range_call(F_SETLK, child_fd, F_UNLCK, 13, 2), 0);
    CHECK_IS(child_gets(F_SETLK, F_WRLCK, 13, 2), 0);
    CHECK_IS(child_gets(F_SETLK, F_WRLCK, 12, 2), EAGAIN);
    CHECK_IS(child_gets(F_SETLK, F_WRLCK, 15, 1), EAGAIN);
    CHECK_IS(range_call(F_SETLK, child_fd, F_RDLCK, 0, 0), 0);
    CHECK_IS(child_gets(F_SETLK, F_RDLCK, 5, 100), 0);
    CHECK_IS(child_gets(F_SETLK, F_WRLCK, 1000, 1), EAGAIN);
    // Another descriptor of the process is closed: all is given back.
    i64 other = open_path("/tmp/l", O_RDONLY);
    CHECK_IS(range_call(F_SETLK, other, F_WRLCK, 0, 1), -EBADF);
    close_fd(other);
    CHECK_IS(child_gets(F_SETLK, F_WRLCK, 0, 0), 0);
    CHECK_IS(range_call(F_SETLK, child_fd, F_WRLCK, -1, 1), -EINVAL);
    CHECK_IS(range_call(F_OFD_SETLK, child_fd, F_WRLCK, 0, 0), 0);
    CHECK_IS(range_call(F_SETLK, child_fd, F_RDLCK, 0, 1), -EAGAIN);
    CHECK_IS(child_gets(F_OFD_SETLK, F_WRLCK, 0, 0), 0); // the same open file
    CHECK_IS(range_call(F_OFD_SETLK, child_fd, F_UNLCK, 0, 0), 0);
}

static void child_deadlocks(struct thread *thread) {
    static struct linux_flock second = {.type = F_WRLCK, .start = 1, .length = 1};
    static struct linux_flock before = {.type = F_WRLCK, .start = 0, .length = 1};
    i64 result = CALL3(thread, NR_FCNTL, child_fd, F_SETLK, &second);
    __atomic_store_n(&child_step, 1, __ATOMIC_SEQ_CST);
    if (result == 0) {
        result = CALL3(thread, NR_FCNTL, child_fd, F_SETLKW, &before);
    }
    CALL1(thread, NR_EXIT, -result);
}

// Each has what the other wants: one is told, the other gets it.
static void test_deadlock(void) {
    CHECK_IS(range_call(F_SETLK, child_fd, F_WRLCK, 0, 1), 0);
    i64 pid = fake_fork(first, child_deadlocks);
    while (!__atomic_load_n(&child_step, __ATOMIC_SEQ_CST)) {
    }
    i64 result = range_call(F_SETLKW, child_fd, F_WRLCK, 1, 1);
    CHECK_IS(range_call(F_SETLK, child_fd, F_UNLCK, 0, 0), 0);
    CHECK_IS(CALL4(first, NR_WAIT4, pid, &wait_status, 0, 0), pid);
    CHECK_IS((result == -EDEADLK && wait_status == 0) ||
                 (result == 0 && wait_status == EDEADLK << 8),
             true);
}

static void child_flocks(struct thread *thread) {
    static char name[128] = "/tmp/l"; // strings are read in pieces
    i64 fd = CALL3(thread, NR_OPEN, name, O_RDONLY, 0);
    i64 tried = CALL2(thread, NR_FLOCK, fd, LOCK_EX | LOCK_NB);
    __atomic_store_n(&child_step, 1, __ATOMIC_SEQ_CST);
    i64 result = CALL2(thread, NR_FLOCK, fd, LOCK_EX);
    CALL1(thread, NR_EXIT, tried == -EAGAIN && result == 0 ? 0 : 1);
}

static void test_flock(void) {
    i64 copy = CALL1(first, NR_DUP, child_fd);
    CHECK_IS(CALL2(first, NR_FLOCK, child_fd, LOCK_EX), 0);
    CHECK_IS(CALL2(first, NR_FLOCK, copy, LOCK_SH), 0);
    CHECK_IS(CALL2(first, NR_FLOCK, child_fd, 3), -EINVAL);
    __atomic_store_n(&child_step, 0, __ATOMIC_SEQ_CST);
    i64 pid = fake_fork(first, child_flocks);
    while (!__atomic_load_n(&child_step, __ATOMIC_SEQ_CST)) {
    }
    close_fd(copy);
    CHECK_IS(CALL2(first, NR_FLOCK, child_fd, LOCK_UN), 0);
    CHECK_IS(CALL4(first, NR_WAIT4, pid, &wait_status, 0, 0), pid);
    CHECK_IS(wait_status, 0);
    CHECK_IS(CALL2(first, NR_FLOCK, child_fd, LOCK_EX | LOCK_NB), 0);
    close_fd(child_fd);
}

static void test_copies(void) {
    static i64 offsets[2];
    CHECK_IS(make_file("/tmp/from", "0123456789"), 10);
    i64 from = open_path("/tmp/from", O_RDWR);
    i64 to = open_path("/tmp/to", O_RDWR | O_CREAT);
    CHECK_IS(CALL4(first, NR_SENDFILE, to, from, 0, 4), 4);
    offsets[0] = 8;
    CHECK_IS(CALL4(first, NR_SENDFILE, to, from, offsets, 100), 2);
    CHECK_IS(offsets[0], 10);
    CHECK_IS(CALL5(first, NR_COPY_FILE_RANGE, from, 0, to, 0, 3), 3);
    CHECK_TEXT("/tmp/to", "012389456");
    offsets[0] = 2;
    CHECK_IS(CALL5(first, NR_COPY_FILE_RANGE, from, offsets, from, 0, 6), -EINVAL);
    CHECK_IS(CALL5(first, NR_COPY_FILE_RANGE, from, offsets, from, 0, 5), 5);
    CHECK_TEXT("/tmp/from", "0123456"
                            "23456");
    close_fd(from);
    close_fd(to);
}

static void test_splices(void) {
    static i32 one[2];
    static i32 two[2];
    CHECK_IS(CALL1(first, NR_PIPE, one), 0);
    CHECK_IS(CALL1(first, NR_PIPE, two), 0);
    CHECK_IS(CALL3(first, NR_WRITE, one[1], "spliced", 7), 7);
    CHECK_IS(CALL4(first, NR_TEE, one[0], two[1], 100, 0), 7);
    CHECK_IS(CALL3(first, NR_READ, two[0], buffer, 100), 7);
    CHECK_IS(CALL4(first, NR_TEE, one[0], one[1], 100, 0), -EINVAL);
    i64 fd = open_path("/tmp/spliced", O_RDWR | O_CREAT);
    CHECK_IS(fake_call(first, NR_SPLICE, (u64)one[0], 0, (u64)fd, 0, 3, 0), 3);
    CHECK_IS(fake_call(first, NR_SPLICE, (u64)one[0], 0, (u64)two[1], 0, 100, 0), 4);
    CHECK_IS(fake_call(first, NR_SPLICE, (u64)one[0], 0, (u64)fd, 0, 3, 2), -EAGAIN);
    CHECK_IS(fake_call(first, NR_SPLICE, (u64)fd, 0, (u64)fd, 0, 3, 0), -EINVAL);
    CHECK_IS(CALL3(first, NR_READ, two[0], buffer, 100), 4);
    CHECK_IS(memcmp(buffer, "iced", 4), 0);
    CHECK_TEXT("/tmp/spliced", "spl");
    CHECK_IS(CALL3(first, NR_FCNTL, one[0], F_SETPIPE_SZ, 5000), 8192);
    memset(buffer, 'x', sizeof(buffer));
    CHECK_IS(CALL3(first, NR_FCNTL, one[1], 4, 04000), 0);
    CHECK_IS(CALL3(first, NR_WRITE, one[1], buffer, 10000), 8192);
    CHECK_IS(CALL3(first, NR_FCNTL, one[1], F_SETPIPE_SZ, 4096), -EBUSY);
    CHECK_IS(CALL3(first, NR_FCNTL, one[1], F_SETPIPE_SZ, 1 << 20), 1 << 20);
    CHECK_IS(CALL3(first, NR_READ, one[0], buffer, 20000), 8192);
    for (u32 i = 0; i < 2; i++) {
        close_fd(one[i]);
        close_fd(two[i]);
    }
    close_fd(fd);
}

int main(int argc, char **argv) {
    boot_image(argc, argv);
    test_ranges();
    test_deadlock();
    test_flock();
    test_copies();
    test_splices();
    return failures ? 1 : 0;
}
