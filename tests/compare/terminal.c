// `terminal PTMX PROGRAM ARGUMENT …`, for the Linux guest: runs a program whose stdin is a pty of
// 24 rows and 80 columns out of the devpts that PTMX belongs to. What is written to it is dropped,
// nobody types. The program makes it its controlling terminal itself.
#include "../bench/linux.h"

enum { SYS_ioctl = 16 };
enum { O_NOCTTY = 0400, O_CLOEXEC = 02000000 };
enum { TIOCSPTLCK = 0x40045431, TIOCGPTPEER = 0x5441, TIOCSWINSZ = 0x5414 };
enum { ROWS = 24, COLUMNS = 80 };

static void program_start(int terminal, char **argv) {
    char *environment[] = {"PATH=/bin", NULL};
    checked(linux_call3(SYS_dup2, terminal, 0, 0), "dup2");
    linux_call3(SYS_execve, (long)argv[0], (long)argv, (long)environment);
    fail("execve");
}

static int terminal(long argc, char **argv) {
    static char said[4096];
    int unlocked = 0;
    unsigned short size[4] = {ROWS, COLUMNS, 0, 0};
    if (argc < 3) fail("arguments");
    long master =
        checked(linux_call3(SYS_open, (long)argv[1], O_RDWR | O_NOCTTY | O_CLOEXEC, 0), "open");
    checked(linux_call3(SYS_ioctl, master, TIOCSPTLCK, (long)&unlocked), "unlock");
    checked(linux_call3(SYS_ioctl, master, TIOCSWINSZ, (long)size), "size");
    long slave = checked(linux_call3(SYS_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC),
                         "slave");
    if (checked(linux_call0(SYS_fork), "fork") == 0) program_start((int)slave, &argv[2]);
    checked(linux_call3(SYS_close, slave, 0, 0), "close");
    // Ends with EIO when the last one who has it open is gone.
    while (linux_call3(SYS_read, master, (long)said, sizeof(said)) > 0) {
    }
    checked(linux_call6(SYS_wait4, -1, 0, 0, 0, 0, 0), "wait4");
    return 0;
}

LINUX_PROGRAM(terminal)
