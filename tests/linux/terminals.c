// Ptys: lines, editing and echo, bytes, mappings, signals from keys, controlling terminals, groups in
// the background, hanging up.
#include "check.h"

enum {
    O_NOCTTY = 0400,
    O_NONBLOCK = 04000,
    F_SETFL = 4,
    TCGETS = 0x5401,
    TCSETS = 0x5402,
    TCXONC = 0x540a,
    TCFLSH = 0x540b,
    TIOCEXCL = 0x540c,
    TIOCSCTTY = 0x540e,
    TIOCGPGRP = 0x540f,
    TIOCSPGRP = 0x5410,
    TIOCSTI = 0x5412,
    TIOCGWINSZ = 0x5413,
    TIOCSWINSZ = 0x5414,
    FIONREAD = 0x541b,
    TIOCNOTTY = 0x5422,
    TIOCGSID = 0x5429,
    TIOCSPTLCK = 0x40045431,
    SYS_setsid = 112,
    SYS_setresuid = 117,
    SIGHUP = 1,
    SIGINT = 2,
    SIGTSTP = 20,
    SIGTTIN = 21,
    SIGTTOU = 22,
    SIGWINCH = 28,
    EIO = 5,
    ENXIO = 6,
    EBUSY = 16,
    ENOTTY = 25,
    POLLIN = 1,
    POLLHUP = 16,
    ICANON = 2,
    ECHO = 8,
    ECHOE = 16,
    ECHOPRT = 1024,
    TOSTOP = 256,
    VTIME = 5,
    VMIN = 6,
    WAIT_MS = 10000,
};

struct termios {
    u32 input, output, control, local;
    u8 line, characters[19];
};

static long master, slave;
static int number;
static struct termios settings;

static long control(long fd, u64 request, void *argument) {
    return SYS(SYS_ioctl, fd, request, argument);
}

static void pty_open(void) {
    char name[] = "/dev/pts/000";
    int unlocked = 0;
    master = SYS(SYS_open, "/dev/ptmx", O_RDWR | O_NOCTTY);
    IS(control(master, 0x80045430, &number), 0);
    name[9] = (char)('0' + number / 100);
    name[10] = (char)('0' + number / 10 % 10);
    name[11] = (char)('0' + number % 10);
    char *from = name + 9;
    while (*from == '0' && from[1])
        from++;
    for (int i = 0; i < 4; i++)
        name[9 + i] = i < 4 - (from - name - 9) ? from[i] : 0;
    IS(SYS(SYS_open, name, O_RDWR | O_NOCTTY), -EIO);
    IS(control(master, TIOCSPTLCK, &unlocked), 0);
    slave = SYS(SYS_open, name, O_RDWR | O_NOCTTY);
    IS(slave >= 0, true);
}

static void pty_close(void) {
    IS(SYS(SYS_close, slave), 0);
    IS(SYS(SYS_close, master), 0);
}

static bool readable(long fd) {
    struct {
        int fd;
        short events, happened;
    } polled = {(int)fd, POLLIN, 0};
    return SYS(SYS_poll, &polled, 1, WAIT_MS) == 1;
}

static void type(const char *text) {
    IS(SYS(SYS_write, master, text, text_length(text)), (long)text_length(text));
}

// All of the text is to come, in however many pieces.
static void expect(int line, long fd, const char *text) {
    char bytes[256] = {};
    u64 size = text_length(text), used = 0;
    while (used < size && readable(fd)) {
        long count = SYS(SYS_read, fd, bytes + used, size - used);
        if (count <= 0) break;
        used += (u64)count;
    }
    if (is_equal(bytes, text, size)) return;
    failures++;
    print("line ");
    print_number(line);
    print(": `");
    print(bytes);
    print("`, not `");
    print(text);
    print("`\n");
}
#define SHOWN(text) expect(__LINE__, master, text)
#define GIVEN(text) expect(__LINE__, slave, text)

static void test_lines(void) {
    char bytes[16];
    int count = 0;
    pty_open();
    type("ab\x7f\x7f"
         "c\rsecond\n");
    SHOWN("ab\b \b\b \bc\r\nsecond\r\n");
    IS(readable(slave), true);
    IS(control(slave, FIONREAD, &count), 0);
    IS(SYS(SYS_read, slave, bytes, 16), 2);
    IS(SYS(SYS_read, slave, bytes, 3), 3);
    GIVEN("ond\n");
    type("end\x04\x04");
    SHOWN("end");
    IS(SYS(SYS_read, slave, bytes, 3), 3);
    IS(SYS(SYS_read, slave, bytes, 3), 0);
    IS(SYS(SYS_write, slave, "a\tb\n", 4), 4);
    SHOWN("a\tb\r\n");
    type("one two.three \x17+\x15of\n");
    SHOWN("one two.three \b \b\b \b\b \b\b \b\b \b\b \b+");
    SHOWN("\b \b\b \b\b \b\b \b\b \b\b \b\b \b\b \b\b \bof\r\n");
    GIVEN("of\n");
    type("\x01\x7f\x16\x03\x12\n");
    SHOWN("^A\b \b\b \b^\b^C^R\r\n^C\r\n");
    GIVEN("\x03\n");
    type("q\tr\x7f\x7f\x7f\n");
    SHOWN("q\tr\b \b\b\b\b\b\b\b\b\b \b\r\n");
    GIVEN("\n");
    pty_close();
}

static void set_flags(u32 local_on, u32 local_off) {
    IS(control(slave, TCGETS, &settings), 0);
    settings.local = (settings.local | local_on) & ~local_off;
    IS(control(slave, TCSETS, &settings), 0);
}

static void test_settings(void) {
    pty_open();
    IS(control(slave, TCGETS, &settings), 0);
    IS(settings.input, 0x500);
    IS(settings.output, 5);
    IS(settings.control, 0xbf);
    IS(settings.local, 0x8a3b);
    set_flags(0, ECHOE);
    type("ab\x7f\x15");
    SHOWN("ab^?^U\r\n");
    set_flags(ECHOPRT, 0);
    type("abc\x7f\x7f"
         "d\n");
    SHOWN("abc\\cb/d\r\n");
    GIVEN("ad\n");
    set_flags(0, ECHO);
    settings.input = 0x40; // INLCR
    settings.output = 0xb; // OPOST, OLCUC, OCRNL
    IS(control(slave, TCSETS, &settings), 0);
    type("a\nb\r\x04");
    GIVEN("a\rb\r");
    IS(SYS(SYS_write, slave, "a\rb\n", 4), 4);
    SHOWN("A\nB\n");
    settings.output = 0x1811; // OPOST, ONOCR, XTABS
    IS(control(slave, TCSETS, &settings), 0);
    IS(SYS(SYS_write, slave, "\ra\tb\r\rx", 7), 7);
    SHOWN("\ra       b\rx");
    pty_close();
}

static void test_bytes(void) {
    char bytes[16];
    pty_open();
    set_flags(0, ICANON | ECHO);
    settings.characters[VMIN] = 0;
    IS(control(slave, TCSETS, &settings), 0);
    IS(SYS(SYS_read, slave, bytes, 16), 0);
    settings.characters[VTIME] = 1;
    IS(control(slave, TCSETS, &settings), 0);
    IS(SYS(SYS_read, slave, bytes, 16), 0);
    settings.characters[VMIN] = 5;
    IS(control(slave, TCSETS, &settings), 0);
    type("xy");
    IS(SYS(SYS_read, slave, bytes, 16), 2);
    settings.characters[VTIME] = 0;
    settings.characters[VMIN] = 2;
    IS(control(slave, TCSETS, &settings), 0);
    type("a");
    type("b\x7f");
    GIVEN("ab\x7f");
    IS(SYS(SYS_fcntl, slave, F_SETFL, O_NONBLOCK), 0);
    IS(SYS(SYS_read, slave, bytes, 16), -EAGAIN);
    set_flags(ICANON, 0);
    IS(SYS(SYS_read, slave, bytes, 16), -EAGAIN);
    pty_close();
}

static void test_flow(void) {
    pty_open();
    IS(SYS(SYS_fcntl, slave, F_SETFL, O_NONBLOCK), 0);
    IS(SYS(SYS_ioctl, slave, TCXONC, 0), 0);
    IS(SYS(SYS_write, slave, "x", 1), -EAGAIN);
    IS(SYS(SYS_ioctl, slave, TCXONC, 1), 0);
    IS(SYS(SYS_write, slave, "x", 1), 1);
    SHOWN("x");
    IS(SYS(SYS_ioctl, slave, TCXONC, 9), -EINVAL);
    IS(SYS(SYS_ioctl, slave, TCFLSH, 9), -EINVAL);
    pty_close();
}

static volatile int signals_seen[32];

static void handler(int signal) { signals_seen[signal]++; }

static void pause_for(int signal) {
    u64 none = 0;
    while (!signals_seen[signal])
        SYS(SYS_sigsuspend, &none, 8);
    signals_seen[signal] = 0;
}

// As the leader of a session of its own, with the signals that come blocked until they are waited
// for.
static int body_leads(void) {
    static const int kinds[] = {SIGHUP, SIGINT, SIGTSTP, SIGCONT, SIGWINCH};
    u64 mask = 0;
    unsigned short size[4] = {24, 80, 0, 0};
    int id = 0;
    for (u32 i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        handle(kinds[i], (void *)handler, 0);
        mask |= 1UL << (kinds[i] - 1);
    }
    SYS(SYS_sigprocmask, 0, &mask, 0, 8);
    long self = SYS(SYS_setsid);
    IS(SYS(SYS_open, "/dev/tty", O_RDWR), -ENXIO);
    IS(control(slave, TIOCGPGRP, &id), -ENOTTY);
    IS(SYS(SYS_ioctl, slave, TIOCSCTTY, 0), 0);
    IS(control(slave, TIOCGPGRP, &id), 0);
    IS(id, self);
    IS(control(master, TIOCGSID, &id), 0);
    IS(id, self);
    type("lost\x03");
    pause_for(SIGINT);
    type("\x1a");
    pause_for(SIGTSTP);
    IS(control(master, TIOCSWINSZ, size), 0);
    pause_for(SIGWINCH);
    size[0] = 0;
    IS(control(slave, TIOCGWINSZ, size), 0);
    IS(size[0] == 24 && size[1] == 80, true);
    long tty = SYS(SYS_open, "/dev/tty", O_RDWR);
    IS(tty >= 0, true);
    IS(SYS(SYS_close, tty), 0);
    id = 1;
    IS(control(slave, TIOCSPGRP, &id), -EPERM);
    id = -1;
    IS(control(slave, TIOCSPGRP, &id), -EINVAL);
    IS(SYS(SYS_close, master), 0);
    pause_for(SIGHUP);
    char byte;
    IS(SYS(SYS_read, slave, &byte, 1), 0);
    IS(SYS(SYS_write, slave, "x", 1), -EIO);
    IS(control(slave, TCGETS, &settings), -EIO);
    IS(SYS(SYS_open, "/dev/tty", O_RDWR), -ENXIO);
    return failures;
}

static void test_leader(void) {
    pty_open();
    long pid = SYS(SYS_fork);
    if (pid == 0) linux_exit(body_leads());
    IS(SYS(SYS_close, master), 0);
    IS(wait_status(pid), 0);
    IS(SYS(SYS_close, slave), 0);
}

static int body_in_background(void) {
    char byte;
    SYS(SYS_setpgid, 0, 0);
    IS(SYS(SYS_read, slave, &byte, 1), 1); // stopped until it is in front
    IS(byte, 'k');
    return failures;
}

static int body_writes_behind(void) {
    SYS(SYS_setpgid, 0, 0);
    IS(SYS(SYS_write, slave, "w", 1), 1);
    return failures;
}

static void stop_await(long pid, int signal) {
    int status = 0;
    IS(SYS(SYS_wait4, pid, &status, WUNTRACED, 0), pid);
    IS(status, signal << 8 | 0x7f);
}

static void foreground_set(long group) {
    int id = (int)group;
    IS(control(slave, TIOCSPGRP, &id), 0);
}

static int body_shell(void) {
    long self = SYS(SYS_setsid);
    handle(SIGTTOU, (void *)1, 0);
    IS(SYS(SYS_ioctl, slave, TIOCSCTTY, 0), 0);
    set_flags(0, ICANON | ECHO);
    long pid = SYS(SYS_fork);
    if (pid == 0) linux_exit(body_in_background());
    stop_await(pid, SIGTTIN);
    foreground_set(pid);
    IS(SYS(SYS_kill, -pid, SIGCONT), 0);
    type("k");
    IS(wait_status(pid), 0);
    foreground_set(self);
    handle(SIGTTOU, 0, 0);
    set_flags(TOSTOP, 0);
    pid = SYS(SYS_fork);
    if (pid == 0) linux_exit(body_writes_behind());
    stop_await(pid, SIGTTOU);
    set_flags(0, TOSTOP);
    IS(SYS(SYS_kill, -pid, SIGCONT), 0);
    IS(wait_status(pid), 0);
    SHOWN("w");
    handle(SIGHUP, (void *)1, 0);
    IS(SYS(SYS_ioctl, slave, TIOCNOTTY, 0), 0);
    IS(SYS(SYS_open, "/dev/tty", O_RDWR), -ENXIO);
    return failures;
}

static void test_groups(void) {
    pty_open();
    long pid = SYS(SYS_fork);
    if (pid == 0) linux_exit(body_shell());
    IS(wait_status(pid), 0);
    IS(SYS(SYS_close, slave), 0);
    char byte;
    IS(SYS(SYS_read, master, &byte, 1), -EIO);
    IS(SYS(SYS_close, master), 0);
}

// Who is not the administrator, and in a session of its own.
static int body_of_a_user(void) {
    char byte = 'x';
    SYS(SYS_setsid);
    IS(SYS(SYS_setresuid, 1000, 1000, 1000), 0);
    IS(SYS(SYS_ioctl, slave, TIOCSCTTY, 1), -EPERM);
    IS(control(slave, TIOCSTI, &byte), -EPERM);
    IS(control(slave, TIOCEXCL, 0), 0);
    IS(SYS(SYS_ioctl, master, 0x5441, O_RDWR | O_NOCTTY), -EBUSY);
    return failures;
}

static int body_owns_terminal(void) {
    SYS(SYS_setsid);
    IS(SYS(SYS_ioctl, slave, TIOCSCTTY, 0), 0);
    long pid = SYS(SYS_fork);
    if (pid == 0) linux_exit(body_of_a_user());
    IS(wait_status(pid), 0);
    IS(SYS(SYS_ioctl, slave, TIOCSCTTY, 0), 0);
    return failures;
}

static void test_privileges(void) {
    pty_open();
    long pid = SYS(SYS_fork);
    if (pid == 0) linux_exit(body_owns_terminal());
    IS(wait_status(pid), 0);
    pty_close();
}

static int test(long, char **) {
    test_lines();
    test_settings();
    test_bytes();
    test_flow();
    test_leader();
    test_groups();
    test_privileges();
    if (failures == 0) print("terminals: ok\n");
    return failures != 0;
}

LINUX_PROGRAM(test)
