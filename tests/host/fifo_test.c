// Pipes with names: opening waits for the other end; what was written is lost with the last one.
#include "linux_test.h"

enum { NR_POLL = 7, NR_PIPE = 22, NR_GETPID = 39, NR_FORK = 57, NR_KILL = 62, NR_MKNOD = 133 };

static struct linux_pollfd polled;
static i32 wait_status;
static i32 fds[2];
static char child_path[100] = "/tmp/fifo";
static char child_bytes[] = "from the child";

static i64 make_fifo(const char *name) {
    strcpy(path, name);
    return CALL3(first, NR_MKNOD, path, MODE_FIFO | 0644, 0);
}

static u32 poll_events(i64 fd, u32 events) {
    polled = (struct linux_pollfd){(i32)fd, (i16)events, 0};
    CALL3(first, NR_POLL, &polled, 1, 0);
    return (u32)polled.revents;
}

static void test_without_waiting(void) {
    CHECK_IS(make_fifo("/tmp/fifo"), 0);
    CHECK_IS(stat_path(NR_STAT, "/tmp/fifo"), 0);
    CHECK_IS(status.mode, MODE_FIFO | 0644);
    CHECK_IS(open_path("/tmp/fifo", O_WRONLY | O_NONBLOCK), -ENXIO);
    i64 reader = open_path("/tmp/fifo", O_RDONLY | O_NONBLOCK);
    CHECK_IS(CALL3(first, NR_READ, reader, buffer, 10), 0);
    CHECK_IS(poll_events(reader, POLLIN), 0);
    i64 writer = open_path("/tmp/fifo", O_WRONLY | O_NONBLOCK);
    CHECK_IS(CALL3(first, NR_READ, reader, buffer, 10), -EAGAIN);
    CHECK_IS(CALL3(first, NR_WRITE, writer, "abc", 3), 3);
    CHECK_IS(poll_events(reader, POLLIN), POLLIN);
    close_fd(writer);
    CHECK_IS(poll_events(reader, POLLIN), POLLIN | POLLHUP);
    CHECK_IS(CALL3(first, NR_READ, reader, buffer, 10), 3);
    CHECK_IS(CALL3(first, NR_LSEEK, reader, 0, SEEK_SET), -ESPIPE);
    writer = open_path("/tmp/fifo", O_WRONLY);
    CHECK_IS(CALL3(first, NR_WRITE, writer, "lost", 4), 4);
    close_fd(reader);
    close_fd(writer);
    i64 both = open_path("/tmp/fifo", O_RDWR);
    CHECK_IS(poll_events(both, POLLIN | POLLOUT), POLLOUT);
    CHECK_IS(CALL3(first, NR_WRITE, both, "self", 4), 4);
    CHECK_IS(CALL3(first, NR_READ, both, buffer, 10), 4);
    close_fd(both);
}

static void child_writes(struct thread *thread) {
    i64 fd = CALL3(thread, NR_OPEN, child_path, O_WRONLY, 0);
    CALL3(thread, NR_WRITE, fd, child_bytes, sizeof(child_bytes));
    CALL1(thread, NR_EXIT, fd < 0);
}

static void test_waiting(void) {
    i64 pid = fake_fork(first, child_writes);
    i64 fd = open_path("/tmp/fifo", O_RDONLY);
    CHECK_IS(CALL3(first, NR_READ, fd, buffer, 100), sizeof(child_bytes));
    CHECK_IS(strcmp(buffer, child_bytes), 0);
    CHECK_IS(CALL3(first, NR_READ, fd, buffer, 100), 0);
    close_fd(fd);
    CHECK_IS(CALL4(first, NR_WAIT4, pid, &wait_status, 0, 0), pid);
    CHECK_IS(wait_status, 0);
    // A name that is gone, with the pipe still open.
    fd = open_path("/tmp/fifo", O_RDWR);
    CHECK_IS(path_call(NR_UNLINK, "/tmp/fifo"), 0);
    CHECK_IS(CALL3(first, NR_WRITE, fd, "x", 1), 1);
    CHECK_IS(CALL3(first, NR_READ, fd, buffer, 10), 1);
    close_fd(fd);
}

static void child_waits(struct thread *thread) {
    CALL1(thread, NR_EXIT, CALL3(thread, NR_OPEN, child_path, O_WRONLY, 0) >= 0);
}

static void test_a_killed_opener(void) {
    CHECK_IS(make_fifo("/tmp/fifo"), 0);
    i64 pid = fake_fork(first, child_waits);
    CHECK_IS(CALL2(first, NR_KILL, pid, SIGKILL), 0);
    CHECK_IS(CALL4(first, NR_WAIT4, pid, &wait_status, 0, 0), pid);
    CHECK_IS(open_path("/tmp/fifo", O_WRONLY | O_NONBLOCK), -ENXIO);
    CHECK_IS(path_call(NR_UNLINK, "/tmp/fifo"), 0);
}

// A pipe without a name is opened again through /proc.
static void test_reopening(void) {
    char name[64];
    CHECK_IS(CALL1(first, NR_PIPE, fds), 0);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fds[0]);
    i64 fd = open_path(name, O_RDONLY);
    CHECK_IS(CALL3(first, NR_WRITE, fds[1], "again", 5), 5);
    CHECK_IS(CALL3(first, NR_READ, fd, buffer, 10), 5);
    close_fd(fds[0]);
    CHECK_IS(CALL3(first, NR_WRITE, fds[1], "still", 5), 5);
    close_fd(fd);
    close_fd(fds[1]);
}

int main(int argc, char **argv) {
    boot_image(argc, argv);
    test_without_waiting();
    test_waiting();
    test_a_killed_opener();
    test_reopening();
    return failures ? 1 : 0;
}
