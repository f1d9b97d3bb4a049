// The first process of the Linux peer guest. Its argument (after `--` on the kernel's command
// line) says what it does: `boot`: prints one line and powers off; `bench`: runs what only Linux
// runs (fork + exec of tiny), then programs with the further arguments: each `PROGRAM:NAME` is one run
// of /bin/PROGRAM with NAME.
#include "../../userland/lib/marker.h"
#include "linux.h"

enum { STARTS = 15 };
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
        program_run("/bin/tiny", argv);
        MARK(MARKER_CONTAINER_GONE);
    }
}

// One `PROGRAM:NAME`; it is cut in place.
static void bench_run(char *word) {
    static char path[64] = "/bin/";
    char *name = word;
    while (*name != ':' && *name != '\0')
        name++;
    if (*name == '\0' || name - word >= (long)sizeof(path) - 6) fail(word);
    *name++ = '\0';
    for (size_t i = 0; i <= text_length(word); i++)
        path[5 + i] = word[i];
    char *argv[] = {word, name, NULL};
    program_run(path, argv);
}

static int init(long argc, char **argv) {
    MARK(MARKER_BOOT_PROMPT);
    text_write(STDOUT, "init: ready\n");
    if (argc > 1 && text_equal(argv[1], "bench")) {
        bench_start();
        for (long i = 2; i < argc; i++)
            bench_run(argv[i]);
        text_write(STDOUT, "init: done\n");
    }
    linux_call6(SYS_reboot, REBOOT_MAGIC1, REBOOT_MAGIC2, REBOOT_POWER_OFF, 0, 0, 0);
    fail("reboot");
}

LINUX_PROGRAM(init)
