// The first process of the Linux peer guest. Its argument (after `--` on the kernel's command
// line) says what it does: `boot`: prints one line and powers off; `bench`: runs what only Linux
// runs (pipe round trip, fork + exec of tiny), then /bench_linux with the further arguments.
#include "../../userland/lib/marker.h"
#include "linux.h"

enum { REPEATS = 9, STARTS = 15, MESSAGE_SIZE = 8 };
enum : unsigned {
    REBOOT_MAGIC1 = 0xfee1dead,
    REBOOT_MAGIC2 = 672274793,
    REBOOT_POWER_OFF = 0x4321fedc,
};

static char *no_environment[] = {NULL};

static void program_run(const char *path, char **argv) {
    int status = 0;
    long child = checked(linux_call0(SYS_fork), "fork");
    if (child == 0) {
        linux_call3(SYS_execve, (long)path, (long)argv, (long)no_environment);
        fail("execve");
    }
    checked(linux_call6(SYS_wait4, child, (long)&status, 0, 0, 0, 0), "wait4");
    if (status != 0) text_write(STDERR, "bench: failed: a program's status is not 0\n");
}

static void bench_start(void) {
    char *argv[] = {"tiny", NULL};
    for (int i = 0; i < STARTS; i++) {
        MARK(MARKER_CONTAINER_TOLD);
        program_run("/tiny", argv);
        MARK(MARKER_CONTAINER_GONE);
    }
}

[[noreturn]] static void pipe_answer(int from, int to) {
    char message[MESSAGE_SIZE];
    while (linux_call3(SYS_read, from, (long)message, MESSAGE_SIZE) == MESSAGE_SIZE)
        linux_call3(SYS_write, to, (long)message, MESSAGE_SIZE);
    linux_exit(0);
}

static void bench_pipe(void) {
    int there[2], back[2];
    char message[MESSAGE_SIZE] = {0};
    checked(linux_call3(SYS_pipe, (long)there, 0, 0), "pipe");
    checked(linux_call3(SYS_pipe, (long)back, 0, 0), "pipe");
    long partner = checked(linux_call0(SYS_fork), "fork");
    if (partner == 0) pipe_answer(there[0], back[1]);
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        MARK(MARKER_PIPE_BEGIN);
        for (int i = 0; i < MARKER_LOOPS; i++) {
            linux_call3(SYS_write, there[1], (long)message, MESSAGE_SIZE);
            linux_call3(SYS_read, back[0], (long)message, MESSAGE_SIZE);
        }
        MARK(MARKER_PIPE_END);
    }
    checked(linux_call3(SYS_kill, partner, SIGKILL, 0), "kill");
    checked(linux_call6(SYS_wait4, partner, 0, 0, 0, 0, 0), "wait4");
}

static int init(long argc, char **argv) {
    MARK(MARKER_BOOT_PROMPT);
    text_write(STDOUT, "init: ready\n");
    if (argc > 1 && text_equal(argv[1], "bench")) {
        bench_pipe();
        bench_start();
        argv[1] = "bench_linux";
        program_run("/bench_linux", &argv[1]);
        text_write(STDOUT, "init: done\n");
    }
    linux_call6(SYS_reboot, REBOOT_MAGIC1, REBOOT_MAGIC2, REBOOT_POWER_OFF, 0, 0, 0);
    fail("reboot");
}

LINUX_PROGRAM(init)
