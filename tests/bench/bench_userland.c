// Marked operations of a whole userland; the same file runs on Linux and in a Cloister container,
// over the same tree (image `bench`, with busybox).
//
// bench_userland NAME...: fork_exec, vfork_exec, fork_exit, pipe, file, stat, list, find,
// loop_builtin, loop_program. Each is repeated; the bench takes the median.
#include "../../userland/lib/marker.h"
#include "linux.h"

enum {
    REPEATS = 9,
    REPEATS_LONG = 3,
    MESSAGE_BYTES = 8,
    FILE_BYTES = 4096,
    FOLDERS = 20,
    FILES = 20,
    ENTRIES_BYTES = 32768,
};

static char *no_environment[] = {"PATH=/bin", NULL};

static void child_await(long child) {
    int status = 0;
    checked(linux_call6(SYS_wait4, child, (long)&status, 0, 0, 0, 0), "wait4");
    if (status != 0) fail("a program's status");
}

[[noreturn]] static void program_become(char **argv) {
    linux_call3(SYS_execve, (long)argv[0], (long)argv, (long)no_environment);
    fail(argv[0]);
}

static void bench_fork_exec(void) {
    char *argv[] = {"/bin/tiny", NULL};
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        MARK(MARKER_FORK_EXEC_BEGIN);
        long child = checked(linux_call0(SYS_fork), "fork");
        if (child == 0) program_become(argv);
        child_await(child);
        MARK(MARKER_FORK_EXEC_END);
    }
}

// The child runs on the parent's stack, so it may not return from this function.
static void bench_vfork_exec(void) {
    static char *argv[] = {"/bin/tiny", NULL};
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        MARK(MARKER_VFORK_EXEC_BEGIN);
        long child = linux_call0(SYS_vfork);
        if (child == 0) {
            linux_call3(SYS_execve, (long)argv[0], (long)argv, (long)no_environment);
            linux_exit(1);
        }
        child_await(checked(child, "vfork"));
        MARK(MARKER_VFORK_EXEC_END);
    }
}

static void bench_fork_exit(void) {
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        MARK(MARKER_FORK_EXIT_BEGIN);
        long child = checked(linux_call0(SYS_fork), "fork");
        if (child == 0) linux_exit(0);
        child_await(child);
        MARK(MARKER_FORK_EXIT_END);
    }
}

[[noreturn]] static void pipe_answer(int from, int to) {
    char message[MESSAGE_BYTES];
    while (linux_call3(SYS_read, from, (long)message, MESSAGE_BYTES) == MESSAGE_BYTES)
        linux_call3(SYS_write, to, (long)message, MESSAGE_BYTES);
    linux_exit(0);
}

static void bench_pipe(void) {
    int there[2], back[2];
    char message[MESSAGE_BYTES] = {0};
    checked(linux_call3(SYS_pipe, (long)there, 0, 0), "pipe");
    checked(linux_call3(SYS_pipe, (long)back, 0, 0), "pipe");
    long partner = checked(linux_call0(SYS_fork), "fork");
    if (partner == 0) pipe_answer(there[0], back[1]);
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        MARK(MARKER_PIPE_BEGIN);
        for (int i = 0; i < MARKER_LOOPS; i++) {
            linux_call3(SYS_write, there[1], (long)message, MESSAGE_BYTES);
            linux_call3(SYS_read, back[0], (long)message, MESSAGE_BYTES);
        }
        MARK(MARKER_PIPE_END);
    }
    checked(linux_call3(SYS_kill, partner, SIGKILL, 0), "kill");
    checked(linux_call6(SYS_wait4, partner, 0, 0, 0, 0, 0), "wait4");
}

static void file_cycle(const char *path) {
    static char bytes[FILE_BYTES];
    long file = linux_call3(SYS_open, (long)path, O_RDWR | O_CREAT, 0644);
    linux_call3(SYS_write, file, (long)bytes, FILE_BYTES);
    linux_call3(SYS_lseek, file, 0, 0);
    linux_call3(SYS_read, file, (long)bytes, FILE_BYTES);
    linux_call3(SYS_close, file, 0, 0);
    linux_call3(SYS_unlink, (long)path, 0, 0);
}

static void bench_file(void) {
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        MARK(MARKER_FILE_BEGIN);
        for (int i = 0; i < MARKER_LOOPS; i++)
            file_cycle("/tmp/file");
        MARK(MARKER_FILE_END);
    }
    if (linux_call3(SYS_unlink, (long)"/tmp/file", 0, 0) != -ENOENT) fail("a file is left");
}

static void bench_stat(void) {
    static char status[144];
    checked(linux_call3(SYS_stat, (long)"/bin/busybox", (long)status, 0), "stat");
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        MARK(MARKER_STAT_BEGIN);
        for (int i = 0; i < MARKER_LOOPS; i++)
            linux_call3(SYS_stat, (long)"/bin/busybox", (long)status, 0);
        MARK(MARKER_STAT_END);
    }
}

// A whole listing of /bin, some 270 names.
static void bench_list(void) {
    static char entries[ENTRIES_BYTES];
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        MARK(MARKER_LIST_BEGIN);
        long folder = checked(linux_call3(SYS_open, (long)"/bin", O_DIRECTORY, 0), "open");
        while (checked(linux_call3(SYS_getdents64, folder, (long)entries, ENTRIES_BYTES),
                       "getdents64") > 0) {
        }
        linux_call3(SYS_close, folder, 0, 0);
        MARK(MARKER_LIST_END);
    }
}

// /tmp/aa/aa to /tmp/tt/tt.
static void tree_make(void) {
    static char path[] = "/tmp/..\0.."; // the second zero is a slash for files
    for (int folder = 0; folder < FOLDERS; folder++) {
        path[5] = path[6] = (char)('a' + folder);
        path[7] = 0;
        checked(linux_call3(SYS_mkdir, (long)path, 0755, 0), "mkdir");
        path[7] = '/';
        for (int i = 0; i < FILES; i++) {
            path[8] = path[9] = (char)('a' + i);
            long file = checked(linux_call3(SYS_open, (long)path, O_RDWR | O_CREAT, 0644), "open");
            linux_call3(SYS_close, file, 0, 0);
        }
    }
}

// The child's output goes nowhere, from before the marker on.
static void busybox_run(char **argv) {
    long child = checked(linux_call0(SYS_fork), "fork");
    if (child == 0) program_become(argv);
    child_await(child);
}

static void output_drop(void) {
    long null = checked(linux_call3(SYS_open, (long)"/tmp/null", O_RDWR | O_CREAT, 0644), "open");
    checked(linux_call3(SYS_dup2, null, STDOUT, 0), "dup2");
}

static void bench_find(void) {
    static char *argv[] = {"/bin/busybox", "find", "/", "-xdev", "-name", "nothing", NULL};
    tree_make();
    output_drop();
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        MARK(MARKER_FIND_BEGIN);
        busybox_run(argv);
        MARK(MARKER_FIND_END);
    }
}

static void bench_loop_builtin(void) {
    static char *argv[] = {"/bin/busybox", "sh", "-c",
                           "i=0; while [ $i -lt 1000 ]; do true; i=$((i+1)); done", NULL};
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        MARK(MARKER_LOOP_BUILTIN_BEGIN);
        busybox_run(argv);
        MARK(MARKER_LOOP_BUILTIN_END);
    }
}

static void bench_loop_program(void) {
    static char *argv[] = {"/bin/busybox", "sh", "-c",
                           "i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i+1)); done", NULL};
    for (int repeat = 0; repeat < REPEATS_LONG; repeat++) {
        MARK(MARKER_LOOP_PROGRAM_BEGIN);
        busybox_run(argv);
        MARK(MARKER_LOOP_PROGRAM_END);
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} benches[] = {
    {"fork_exec", bench_fork_exec},
    {"vfork_exec", bench_vfork_exec},
    {"fork_exit", bench_fork_exit},
    {"pipe", bench_pipe},
    {"file", bench_file},
    {"stat", bench_stat},
    {"list", bench_list},
    {"find", bench_find},
    {"loop_builtin", bench_loop_builtin},
    {"loop_program", bench_loop_program},
};

static int bench_userland(long argc, char **argv) {
    for (long i = 1; i < argc; i++) {
        unsigned at = 0;
        while (at < sizeof(benches) / sizeof(*benches) && !text_equal(argv[i], benches[at].name))
            at++;
        if (at == sizeof(benches) / sizeof(*benches)) fail(argv[i]);
        benches[at].run();
    }
    return 0;
}

LINUX_PROGRAM(bench_userland)
