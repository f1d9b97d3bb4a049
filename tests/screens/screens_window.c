// `window ROWS COLUMNS`, for the Linux guest: gives the terminal on stdin another size, at once as a
// window does. (busybox's stty sets one, then the other, and each is a signal.)
#include "../bench/linux.h"

enum { SYS_ioctl = 16, TIOCSWINSZ = 0x5414 };

static unsigned short number(const char *text) {
    unsigned value = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (unsigned)(*text - '0');
    return (unsigned short)value;
}

static int window(long argc, char **argv) {
    if (argc != 3) fail("arguments");
    unsigned short size[4] = {number(argv[1]), number(argv[2]), 0, 0};
    checked(linux_call3(SYS_ioctl, 0, TIOCSWINSZ, (long)size), "size");
    return 0;
}

LINUX_PROGRAM(window)
