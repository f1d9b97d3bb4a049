// Terminals on the host: what is typed into /dev/ptmx, what is read and shown. Expected results are
// Linux's.
#include "check.h"
#include "fake_kernel.h"

#include "linux/abi.h"
#include "linux/signal.h"
#include "linux/vfs.h"
#include "linux/kernel_if.h"
#include "linux/tty/console.h"
#include "linux/tty/termios.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    READ = 0,
    WRITE = 1,
    OPEN = 2,
    CLOSE = 3,
    POLL = 7,
    SIGACTION = 13,
    IOCTL = 16,
    EXIT = 60,
    WAIT4 = 61,
    KILL = 62,
    YIELD = 24,
    PAUSE = 34,
    FCNTL = 72,
    READLINK = 89,
    SETPGID = 109,
    SETSID = 112,
    STAT = 4,
};

static struct thread *first;

// Linux memory.
static char buffer[20000];
static char typed[20000];
static char path[256];
static i32 number;
static struct linux_termios settings;
static struct linux_winsize window;
static struct linux_stat status;
static i32 wait_status;

static i64 master;
static i64 slave;

static i64 open_path(const char *text, u32 flags) {
    strcpy(path, text);
    return CALL3(first, OPEN, path, flags, 0);
}

static i64 control(i64 fd, u32 request, void *argument) {
    return CALL3(first, IOCTL, fd, request, argument);
}

static void pty_open(u32 flags) {
    char name[32];
    master = open_path("/dev/ptmx", O_RDWR | O_NOCTTY);
    CHECK_IS(control(master, TIOCGPTN, &number), 0);
    snprintf(name, sizeof(name), "/dev/pts/%d", number);
    CHECK_IS(open_path(name, O_RDWR), -EIO); // locked
    i32 unlocked = number;
    number = 0;
    CHECK_IS(control(master, TIOCSPTLCK, &number), 0);
    number = unlocked;
    slave = open_path(name, O_RDWR | flags);
    CHECK_IS(slave >= 0, true);
    number = 1;
    CHECK_IS(CALL3(first, FCNTL, master, F_SETFL, O_NONBLOCK), 0);
    CHECK_IS(CALL3(first, FCNTL, slave, F_SETFL, O_NONBLOCK), 0);
}

static void pty_close(void) {
    CHECK_IS(CALL1(first, CLOSE, slave), 0);
    CHECK_IS(CALL1(first, CLOSE, master), 0);
}

static void type(const char *text) {
    strcpy(typed, text);
    CHECK_IS(CALL3(first, WRITE, master, typed, strlen(text)), strlen(text));
}

static void check_text(int line, i64 fd, const char *expected) {
    i64 count = CALL3(first, READ, fd, buffer, sizeof(buffer) - 1);
    buffer[count > 0 ? count : 0] = 0;
    if (strcmp(buffer, expected) != 0) {
        printf("%s:%d: `%s` (%ld), not `%s`\n", __FILE__, line, buffer, count, expected);
        failures++;
    }
}
#define SHOWN(text) check_text(__LINE__, master, text)
#define GIVEN(text) check_text(__LINE__, slave, text)

// Sets and clears flags of the line, the input and the output.
static void set_local(u32 set, u32 clear) {
    CHECK_IS(control(slave, TCGETS, &settings), 0);
    settings.local = (settings.local | set) & ~clear;
    CHECK_IS(control(slave, TCSETS, &settings), 0);
}

static void set_input(u32 set, u32 clear) {
    CHECK_IS(control(slave, TCGETS, &settings), 0);
    settings.input = (settings.input | set) & ~clear;
    CHECK_IS(control(slave, TCSETS, &settings), 0);
}

static void set_output(u32 set, u32 clear) {
    CHECK_IS(control(slave, TCGETS, &settings), 0);
    settings.output = (settings.output | set) & ~clear;
    CHECK_IS(control(slave, TCSETS, &settings), 0);
}

static void test_names(void) {
    pty_open(O_NOCTTY);
    strcpy(path, "/dev/pts/0");
    CHECK_IS(CALL2(first, STAT, path, &status), 0);
    CHECK_IS(status.mode, MODE_CHARACTER | 0620);
    CHECK_IS(status.rdev, 136 << 8);
    snprintf(path, sizeof(path), "/proc/self/fd/%ld", slave);
    CHECK_IS(CALL3(first, READLINK, path, buffer, 100), 10);
    CHECK_IS(memcmp(buffer, "/dev/pts/0", 10), 0);
    CHECK_IS(open_path("/dev/pts/1", O_RDWR), -ENOENT);
    CHECK_IS(open_path("/dev/pts/00", O_RDWR), -ENOENT);
    CHECK_IS(open_path("/dev/pts/x", O_RDWR), -ENOENT);
    i64 second = open_path("/dev/pts/ptmx", O_RDWR);
    CHECK_IS(control(second, TIOCGPTN, &number), 0);
    CHECK_IS(number, 1);
    CHECK_IS(control(slave, TIOCGPTN, &number), -ENOTTY);
    pty_close();
    CHECK_IS(open_path("/dev/pts/0", O_RDWR), -ENOENT);
    i64 third = open_path("/dev/ptmx", O_RDWR);
    CHECK_IS(control(third, TIOCGPTN, &number), 0);
    CHECK_IS(number, 0);
    CALL1(first, CLOSE, second);
    CALL1(first, CLOSE, third);
}

static void test_lines(void) {
    pty_open(O_NOCTTY);
    CHECK_IS(CALL3(first, READ, slave, buffer, 10), -EAGAIN);
    CHECK_IS(CALL3(first, READ, master, buffer, 10), -EAGAIN);
    type("ab");
    SHOWN("ab");
    CHECK_IS(CALL3(first, READ, slave, buffer, 10), -EAGAIN);
    type("c\rsecond\n");
    SHOWN("c\r\nsecond\r\n");
    CHECK_IS(control(slave, FIONREAD, &number), 0);
    CHECK_IS(number, 11);
    CHECK_IS(CALL3(first, READ, slave, buffer, 2), 2);
    GIVEN("c\n");
    GIVEN("second\n");
    type("x\x04");
    SHOWN("x");
    GIVEN("x");
    CHECK_IS(CALL3(first, READ, slave, buffer, 10), -EAGAIN);
    type("\x04");
    CHECK_IS(CALL3(first, READ, slave, buffer, 10), 0);
    // The end of a file behind what just fits is not read a second time.
    type("xyz\x04");
    CHECK_IS(CALL3(first, READ, slave, buffer, 3), 3);
    CHECK_IS(CALL3(first, READ, slave, buffer, 3), -EAGAIN);
    SHOWN("xyz");
    CHECK_IS(CALL3(first, WRITE, slave, "a\tb\nc", 5), 5);
    SHOWN("a\tb\r\nc");
    pty_close();
}

static void test_editing(void) {
    pty_open(O_NOCTTY);
    type("abc\x7f\x7fx\n");
    SHOWN("abc\b \b\b \bx\r\n");
    GIVEN("ax\n");
    type("one two.three \x17+\n");
    SHOWN("one two.three \b \b\b \b\b \b\b \b\b \b\b \b+\r\n");
    GIVEN("one two.+\n");
    type("all\x15of\n");
    SHOWN("all\b \b\b \b\b \bof\r\n");
    GIVEN("of\n");
    type("\x7f\x15\x17");
    CHECK_IS(CALL3(first, READ, master, buffer, 10), -EAGAIN);
    // A control character is two columns wide.
    type("\x01\x7f");
    SHOWN("^A\b \b\b \b");
    type("\x16\x03"
         "a\n");
    SHOWN("^\b^Ca\r\n");
    GIVEN("\x03"
          "a\n");
    type("re\x12\n");
    SHOWN("re^R\r\nre\r\n");
    GIVEN("re\n");
    // A tab is taken back to where it began.
    CHECK_IS(CALL3(first, WRITE, slave, "$ ", 2), 2);
    type("a\t\x7f");
    SHOWN("$ a\t\b\b\b\b\b");
    type("\x15");
    SHOWN("\b \b");
    type("q\tr\x7f\x7f\x7f\n");
    SHOWN("q\tr\b \b\b\b\b\b\b\b \b\r\n");
    GIVEN("\n");
    pty_close();
}

static void test_echo_forms(void) {
    pty_open(O_NOCTTY);
    set_local(0, ECHO);
    type("quiet\n");
    CHECK_IS(CALL3(first, READ, master, buffer, 10), -EAGAIN);
    GIVEN("quiet\n");
    set_local(ECHONL, 0);
    type("q\n");
    SHOWN("\r\n");
    GIVEN("q\n");
    set_local(ECHO, ECHOE | ECHONL);
    type("ab\x7f");
    SHOWN("ab^?");
    type("\x15");
    SHOWN("^U\r\n");
    set_local(ECHOPRT, 0);
    type("abc\x7f\x7f"
         "d\n");
    SHOWN("abc\\cb/d\r\n");
    GIVEN("ad\n");
    set_local(ECHOE, ECHOPRT | ECHOCTL);
    type("\x01\x7f\n");
    SHOWN("\x01\r\n");
    GIVEN("\n");
    set_input(IUTF8, 0);
    type("\xc3\xa4\x7f\n");
    SHOWN("\xc3\xa4\b \b\r\n");
    GIVEN("\n");
    pty_close();
}

static void test_mappings(void) {
    pty_open(O_NOCTTY);
    set_local(0, ECHO);
    set_input(INLCR, ICRNL);
    type("a\nb\r\x04");
    GIVEN("a\rb\r");
    set_input(ICRNL | IGNCR, INLCR);
    type("a\rb\n");
    GIVEN("ab\n");
    set_input(ISTRIP | IUCLC, IGNCR);
    type("\xc1"
         "B\n");
    GIVEN("ab\n");
    set_output(OLCUC | OCRNL, ONLCR);
    CHECK_IS(CALL3(first, WRITE, slave, "a\rb\n", 4), 4);
    SHOWN("A\nB\n");
    set_output(XTABS | ONOCR, OLCUC | OCRNL);
    CHECK_IS(CALL3(first, WRITE, slave, "\r\ra\tb\r\r", 7), 7);
    SHOWN("\ra       b\r");
    set_output(0, OPOST);
    CHECK_IS(CALL3(first, WRITE, slave, "\ta\n", 3), 3);
    SHOWN("\ta\n");
    pty_close();
}

static void set_raw(u8 minimum, u8 time) {
    CHECK_IS(control(slave, TCGETS2, &settings), 0);
    CHECK_IS(settings.output_speed, 38400);
    settings.local &= ~(u32)(ICANON | ECHO | ISIG);
    settings.characters[VMIN] = minimum;
    settings.characters[VTIME] = time;
    CHECK_IS(control(slave, TCSETS2, &settings), 0);
}

static u32 poll_events(i64 fd) {
    static struct linux_pollfd polled;
    polled = (struct linux_pollfd){(i32)fd, POLLIN | POLLOUT, 0};
    CALL3(first, POLL, &polled, 1, 0);
    return (u32)polled.revents;
}

static void test_bytes(void) {
    pty_open(O_NOCTTY);
    set_raw(1, 0);
    type("a\x03\x7f");
    GIVEN("a\x03\x7f");
    CHECK_IS(CALL3(first, READ, slave, buffer, 10), -EAGAIN);
    set_raw(0, 0);
    CHECK_IS(CALL3(first, READ, slave, buffer, 10), 0);
    set_raw(3, 0);
    type("ab");
    CHECK_IS(poll_events(slave), POLLOUT);
    CHECK_IS(CALL3(first, READ, slave, buffer, 10), 2); // not waiting, what there is
    type("abc");
    CHECK_IS(poll_events(slave), POLLIN | POLLOUT);
    CHECK_IS(CALL3(first, FCNTL, slave, F_SETFL, 0), 0);
    GIVEN("abc");
    set_raw(0, 1);
    CHECK_IS(CALL3(first, READ, slave, buffer, 10), 0); // after a tenth of a second
    set_raw(9, 1);
    type("xy");
    GIVEN("xy"); // the gap is over
    // What was typed is a line, when lines are asked for again; and bytes, the other way round.
    type("part");
    set_local(ICANON, 0);
    GIVEN("part");
    type("line");
    set_local(0, ICANON);
    GIVEN("line");
    pty_close();
}

static void test_flow(void) {
    pty_open(O_NOCTTY);
    type("\x13");
    CHECK_IS(CALL3(first, WRITE, slave, "x", 1), -EAGAIN);
    CHECK_IS(poll_events(slave), 0);
    type("\x11");
    CHECK_IS(CALL3(first, WRITE, slave, "x", 1), 1);
    SHOWN("x");
    CHECK_IS(CALL3(first, IOCTL, slave, TCXONC, TCOOFF), 0);
    CHECK_IS(CALL3(first, WRITE, slave, "x", 1), -EAGAIN);
    CHECK_IS(CALL3(first, IOCTL, slave, TCXONC, TCOON), 0);
    CHECK_IS(CALL3(first, IOCTL, slave, TCXONC, TCIOFF), 0);
    SHOWN("\x13");
    CHECK_IS(CALL3(first, IOCTL, slave, TCXONC, 9), -EINVAL);
    type("gone\ngone");
    CHECK_IS(CALL3(first, IOCTL, slave, TCFLSH, TCIOFLUSH), 0);
    CHECK_IS(CALL3(first, READ, slave, buffer, 10), -EAGAIN);
    CHECK_IS(CALL3(first, READ, master, buffer, 10), -EAGAIN);
    pty_close();
}

// A line that never ends does not block its own end; whole lines do fill the input.
static void test_full(void) {
    pty_open(O_NOCTTY);
    set_local(0, ECHO);
    memset(typed, 'a', 9000);
    CHECK_IS(CALL3(first, WRITE, master, typed, 9000), 9000);
    type("\n");
    CHECK_IS(CALL3(first, READ, slave, buffer, sizeof(buffer)), 4095);
    CHECK_IS(buffer[4094], '\n');
    typed[0] = '\n';
    CHECK_IS(CALL3(first, WRITE, master, typed, 9000), 4095);
    CHECK_IS(CALL3(first, WRITE, master, typed, 1), -EAGAIN);
    CHECK_IS(poll_events(master), 0);
    GIVEN("\n");
    CHECK_IS(poll_events(master), POLLOUT);
    u32 shown = 0;
    while (CALL3(first, WRITE, slave, "0123456789", 10) > 0) {
        shown++;
    }
    CHECK_IS(shown > 100, true);
    CHECK_IS(poll_events(slave) & POLLOUT, 0);
    CHECK_IS(CALL3(first, READ, master, buffer, sizeof(buffer)) > 1000, true);
    CHECK_IS(poll_events(slave) & POLLOUT, POLLOUT);
    pty_close();
}

static u64 pending(struct thread *thread) {
    u64 signals = thread->process->pending;
    thread->process->pending = 0;
    return signals;
}

static void handle_all(void) {
    static struct linux_sigaction action = {.handler = 0x1000};
    for (i32 signal = 1; signal < 32; signal++) {
        if (signal != SIGCHLD) CALL4(first, SIGACTION, signal, &action, 0, 8);
    }
}

static void test_signals(void) {
    handle_all();
    pty_open(0); // the first process leads its session: it is its controlling terminal
    CHECK_IS(control(slave, TIOCGPGRP, &number), 0);
    CHECK_IS(number, 1);
    CHECK_IS(control(slave, TIOCGSID, &number), 0);
    CHECK_IS(number, 1);
    type("lost\x03");
    SHOWN("^C"); // with the output that was not read yet
    CHECK_IS(pending(first), signal_bit(SIGINT));
    CHECK_IS(CALL3(first, READ, slave, buffer, 10), -EAGAIN);
    type("\x1c");
    CHECK_IS(pending(first), signal_bit(SIGQUIT));
    type("\x1a");
    CHECK_IS(pending(first), signal_bit(SIGTSTP));
    SHOWN("^Z");
    set_local(NOFLSH, 0);
    type("kept\x03\n");
    SHOWN("kept^C\r\n");
    GIVEN("kept\n");
    CHECK_IS(pending(first), signal_bit(SIGINT));
    window = (struct linux_winsize){24, 80, 0, 0};
    CHECK_IS(control(master, TIOCSWINSZ, &window), 0);
    CHECK_IS(pending(first), signal_bit(SIGWINCH));
    CHECK_IS(control(slave, TIOCSWINSZ, &window), 0);
    CHECK_IS(pending(first), 0);
    window = (struct linux_winsize){};
    CHECK_IS(control(slave, TIOCGWINSZ, &window), 0);
    CHECK_IS(window.rows == 24 && window.columns == 80, true);
    i64 own = open_path("/dev/tty", O_RDWR);
    CHECK_IS(CALL3(first, WRITE, own, "tty", 3), 3);
    SHOWN("tty");
    CALL1(first, CLOSE, own);
    number = 77;
    CHECK_IS(control(slave, TIOCSPGRP, &number), -ESRCH);
    number = -1;
    CHECK_IS(control(slave, TIOCSPGRP, &number), -EINVAL);
    CHECK_IS(CALL3(first, IOCTL, slave, TIOCSCTTY, 0), 0);
    CHECK_IS(CALL1(first, CLOSE, master), 0);
    CHECK_IS(pending(first), signal_bit(SIGHUP) | signal_bit(SIGCONT));
    CHECK_IS(CALL3(first, READ, slave, buffer, 10), 0);
    CHECK_IS(CALL3(first, WRITE, slave, "x", 1), -EIO);
    CHECK_IS(control(slave, TCGETS, &settings), -EIO);
    CHECK_IS(poll_events(slave) & POLLHUP, POLLHUP);
    CHECK_IS(open_path("/dev/tty", O_RDWR), -ENXIO);
    CHECK_IS(CALL1(first, CLOSE, slave), 0);
}

// In a background group: reads stop it, and writes when TOSTOP says so.
static void child_in_background(struct thread *thread) {
    CALL2(thread, SETPGID, 0, 0);
    static char byte;
    i64 result = CALL3(thread, READ, slave, &byte, 1);
    i32 wrong = result != -ERESTARTSYS || pending(thread) != signal_bit(SIGTTIN);
    wrong |= (CALL3(thread, WRITE, slave, "w", 1) != 1) << 1;
    settings.local |= TOSTOP;
    wrong |= (CALL3(thread, IOCTL, slave, TCSETS, &settings) != -ERESTARTSYS) << 2;
    wrong |= (pending(thread) != signal_bit(SIGTTOU)) << 3;
    CALL1(thread, EXIT, wrong);
}

// The administrator takes a terminal from its session, types into any, opens an exclusive one.
static void child_is_admin(struct thread *thread) {
    static char byte = 'x';
    i32 wrong = CALL0(thread, SETSID) <= 0;
    wrong |= (CALL3(thread, IOCTL, slave, TIOCSTI, &byte) != 0) << 1;
    wrong |= (CALL3(thread, IOCTL, slave, TIOCEXCL, 0) != 0) << 2;
    wrong |= (CALL3(thread, IOCTL, master, TIOCGPTPEER, O_RDWR | O_NOCTTY) < 0) << 3;
    wrong |= (CALL3(thread, IOCTL, slave, TIOCSCTTY, 1) != 0) << 4;
    wrong |= (CALL3(thread, IOCTL, slave, TIOCGSID, &number) != 0) << 5;
    CALL1(thread, EXIT, wrong);
}

static void test_admin(void) {
    pty_open(0);
    i64 pid = fake_fork(first, child_is_admin);
    CHECK_IS(CALL4(first, WAIT4, pid, &wait_status, 0, 0), pid);
    CHECK_IS(wait_status, 0);
    SHOWN("x");
    pty_close();
    pending(first);
}

static u32 has_joined; // atomic

static void child_joins(struct thread *thread) {
    CALL2(thread, SETPGID, 0, 1);
    __atomic_store_n(&has_joined, 1, __ATOMIC_SEQ_CST);
    CALL0(thread, PAUSE);
    CALL1(thread, EXIT, 0);
}

static void child_connects(struct thread *thread) {
    CALL2(thread, SETPGID, 0, 0);
    fake_fork(thread, child_joins);
    CALL0(thread, PAUSE);
    CALL1(thread, EXIT, 0);
}

// The first process in a background group, which a parent outside keeps from being orphaned. What
// would stop others does not stop it: it is told an error, or may.
static void test_first_behind(void) {
    static struct linux_sigaction usual;
    pty_open(0);
    set_local(TOSTOP, 0);
    CALL4(first, SIGACTION, SIGTTIN, &usual, 0, 8);
    CALL4(first, SIGACTION, SIGTTOU, &usual, 0, 8);
    i64 pid = fake_fork(first, child_connects);
    while (!__atomic_load_n(&has_joined, __ATOMIC_SEQ_CST)) {
        CALL0(first, YIELD);
    }
    number = (i32)pid;
    CHECK_IS(control(slave, TIOCSPGRP, &number), 0);
    CHECK_IS(CALL3(first, READ, slave, buffer, 10), -EIO);
    CHECK_IS(CALL3(first, WRITE, slave, "w", 1), 1);
    SHOWN("w");
    for (int i = 0; i < 2; i++) {
        CALL2(first, KILL, i == 0 ? pid : -1, SIGKILL);
        CHECK_IS(CALL4(first, WAIT4, -1, &wait_status, 0, 0) > 0, true);
    }
    pty_close();
    pending(first);
}

static void child_in_a_session(struct thread *thread) {
    i32 wrong = CALL0(thread, SETSID) <= 0;
    static char name[128] = "/dev/tty";
    wrong |= (CALL3(thread, OPEN, name, O_RDWR, 0) != -ENXIO) << 1;
    wrong |= (CALL3(thread, IOCTL, slave, TIOCGPGRP, &number) != -ENOTTY) << 2;
    wrong |= (CALL3(thread, IOCTL, slave, TIOCSCTTY, 0) != -EPERM) << 3;
    CALL1(thread, EXIT, wrong);
}

static void test_groups(void) {
    pty_open(0);
    CHECK_IS(control(slave, TCGETS, &settings), 0);
    for (int i = 0; i < 2; i++) {
        i64 pid = fake_fork(first, i == 0 ? child_in_background : child_in_a_session);
        CHECK_IS(CALL4(first, WAIT4, pid, &wait_status, 0, 0), pid);
        CHECK_IS(wait_status, 0);
    }
    SHOWN("w");
    pending(first);
    CHECK_IS(CALL3(first, IOCTL, slave, TIOCNOTTY, 0), 0);
    CHECK_IS(pending(first), signal_bit(SIGHUP) | signal_bit(SIGCONT));
    CHECK_IS(open_path("/dev/tty", O_RDWR), -ENXIO);
    pty_close();
}

static void child_types(struct thread *thread) {
    static char line[] = "typed later\n";
    for (int i = 0; i < 200; i++) {
        CALL3(thread, WRITE, master, line, 12);
    }
    CALL1(thread, EXIT, 0);
}

// A reader sleeps until there is something; the writer until there is room.
static void test_waiting(void) {
    pty_open(O_NOCTTY);
    set_local(0, ECHO);
    CHECK_IS(CALL3(first, FCNTL, master, F_SETFL, 0), 0);
    CHECK_IS(CALL3(first, FCNTL, slave, F_SETFL, 0), 0);
    i64 pid = fake_fork(first, child_types);
    for (int i = 0; i < 200; i++) {
        CHECK_IS(CALL3(first, READ, slave, buffer, 100), 12);
    }
    CHECK_IS(CALL4(first, WAIT4, pid, &wait_status, 0, 0), pid);
    CHECK_IS(CALL1(first, CLOSE, slave), 0);
    CHECK_IS(CALL3(first, READ, master, buffer, 10), -EIO);
    CHECK_IS(poll_events(master), POLLOUT | POLLHUP);
    CHECK_IS(CALL1(first, CLOSE, master), 0);
}

static u32 random_state = 1;

static u32 random_below(u32 end) {
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % end;
}

// Bytes that mean something, and some that do not.
static u32 random_bytes(char *bytes, u32 room) {
    static const char keys[] =
        "\x03\x04\x11\x12\x13\x15\x16\x17\x1a\x1c\x7f\r\n\t\b ab_\xc3\xa4\xff";
    u32 size = random_below(room) + 1;
    for (u32 i = 0; i < size; i++) {
        bytes[i] = keys[random_below(sizeof(keys))];
    }
    return size;
}

static void random_settings(void) {
    CHECK_IS(control(slave, TCGETS, &settings), 0);
    settings.input ^= 1U << random_below(16);
    settings.output ^= 1U << random_below(13);
    settings.local ^= 1U << random_below(17);
    settings.characters[random_below(LINUX_NCCS)] = (u8)random_below(256);
    CHECK_IS(control(slave, TCSETS, &settings), 0);
}

static void random_step(void) {
    switch (random_below(8)) {
    case 0:
    case 1:
    case 2: CALL3(first, WRITE, master, typed, random_bytes(typed, 300)); break;
    case 3: CALL3(first, READ, slave, buffer, random_below(sizeof(buffer))); break;
    case 4: CALL3(first, READ, master, buffer, random_below(sizeof(buffer))); break;
    case 5: CALL3(first, WRITE, slave, typed, random_bytes(typed, 300)); break;
    case 6:
        CHECK_IS(control(slave, FIONREAD, &number), 0);
        CHECK_IS(number >= 0 && number <= 4096, true);
        break;
    default:
        if (random_below(4) == 0)
            random_settings();
        else
            CALL3(first, IOCTL, slave, random_below(2) ? TCFLSH : TCXONC, random_below(4));
    }
}

// Whatever is typed, written and set: nothing is touched that is not the terminal's, and it works as
// new when its settings are.
static void test_random(void) {
    static struct linux_termios fresh;
    for (u32 round = 0; round < 40; round++) {
        pty_open(O_NOCTTY);
        CHECK_IS(control(slave, TCGETS, &fresh), 0);
        for (u32 i = 0; i < 500; i++) {
            random_step();
        }
        CHECK_IS(control(slave, TCSETSF, &fresh), 0);
        CHECK_IS(CALL3(first, IOCTL, slave, TCXONC, TCOON), 0);
        CHECK_IS(CALL3(first, IOCTL, slave, TCFLSH, TCIOFLUSH), 0);
        type("again\r");
        SHOWN("again\r\n");
        GIVEN("again\n");
        pty_close();
    }
}

// A client that does not read holds up the end of a container for a moment only.
static void test_drain(void) {
    enum : u64 { LONG_NS = 4'000'000'000 };
    static u8 nothing[1];
    struct terminal *terminal;
    struct file *file;
    CHECK_IS(console_create(&(struct console_channels){.output = 1}, "24x80", &terminal), 0);
    CHECK_IS(console_open(first, terminal, &file), 0);
    fake_stream_take(nothing, 0, -EAGAIN);
    CHECK_IS(file_write(first, file, "text", 4, 0), 4);
    u64 start_ns = kernel_monotonic_ns();
    console_drain(terminal);
    CHECK_IS(kernel_monotonic_ns() - start_ns < LONG_NS, true);
    fake_stream_take(NULL, 0, 0);
    console_drain(terminal);
    file_put(file);
    console_end(terminal);
}

int main(int argc, char **argv) {
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file) {
        return 2;
    }
    u8 *image = malloc(16 << 20);
    u64 size = fread(image, 1, 16 << 20, file);
    fclose(file);
    first = fake_boot(image, size);
    test_names();
    test_lines();
    test_editing();
    test_echo_forms();
    test_mappings();
    test_bytes();
    test_flow();
    test_full();
    test_signals();
    test_groups();
    test_admin();
    test_first_behind();
    test_waiting();
    test_random();
    free(image);
    test_drain();
    return failures ? 1 : 0;
}
