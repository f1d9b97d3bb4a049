// What a signal does to a call that waits: it ends it only where what was waited for is not there.
#include "check.h"

enum { SIGWINCH = 28, ROUNDS = 100 };

static volatile int hits;

static void on_signal(int, struct siginfo *, struct ucontext *) { hits++; }

static void sleep_ms(long ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    while (SYS(SYS_nanosleep, &time, &time) == -EINTR) {
    }
}

// "PID (NAME) STATE ...": whether it waits.
static int is_asleep(long pid) {
    char path[32] = "/proc/", text[64] = {};
    char *end = path + 6;
    long place = 1;
    while (place * 10 <= pid)
        place *= 10;
    for (; place; place /= 10)
        *end++ = (char)('0' + pid / place % 10);
    for (const char *from = "/stat"; *from; from++)
        *end++ = *from;
    long file = SYS(SYS_open, path, 0, 0), size = SYS(SYS_read, file, text, sizeof(text) - 1);
    SYS(SYS_close, file);
    for (long i = 0; i + 2 < size; i++)
        if (text[i] == ')') return text[i + 2] == 'S';
    return 0;
}

// When its parent waits for it; that does nothing else before.
static long child_that_ends(int status) {
    long parent = SYS(SYS_getpid), pid = SYS(SYS_fork);
    if (pid == 0) {
        while (!is_asleep(parent))
            sleep_ms(1);
        linux_exit(status);
    }
    return pid;
}

// The end of a child and its SIGCHLD are one event: who waits is given the child, whatever the
// handler is like.
static void test_wait_with_handler(void) {
    IS(handle(SIGCHLD, (void *)on_signal, 0), 0);
    hits = 0;
    for (int i = 0; i < 10; i++) {
        long pid = child_that_ends(i);
        IS(wait_status(pid), i << 8);
    }
    IS(hits, 10);
    IS(handle(SIGCHLD, (void *)0, 0), 0);
}

static void on_child(int, struct siginfo *, struct ucontext *) {
    hits += SYS(SYS_wait4, -1, 0, WNOHANG, 0) > 0;
}

// A handler that takes children finds none, as the call that it interrupts has taken it.
static void test_wait_in_handler(void) {
    IS(handle(SIGCHLD, (void *)on_child, SA_RESTART), 0);
    hits = 0;
    for (int i = 0; i < 10; i++) {
        long pid = child_that_ends(i);
        IS(wait_status(pid), i << 8);
    }
    IS(hits, 0);
    IS(handle(SIGCHLD, (void *)0, 0), 0);
}

// Another signal ends the wait.
static void test_wait_interrupted(void) {
    long self = SYS(SYS_getpid);
    IS(handle(SIGUSR1, (void *)on_signal, 0), 0);
    long pid = SYS(SYS_fork);
    if (pid == 0) {
        while (!is_asleep(self))
            sleep_ms(1);
        SYS(SYS_kill, self, SIGUSR1);
        while (!is_asleep(self))
            sleep_ms(1);
        sleep_ms(200);
        linux_exit(0);
    }
    IS(SYS(SYS_wait4, pid, 0, 0, 0), -EINTR);
    IS(wait_status(pid), 0);
}

// What the sender and the one that forks see of each other.
static struct shared {
    int round, sent;
} volatile *shared;

static void send_each_round(long group) {
    for (int round = 1; round <= ROUNDS; round++) {
        while (shared->round != round)
            SYS(SYS_sched_yield);
        for (volatile int i = 0; i < round * 50; i++) {
        }
        SYS(SYS_kill, -group, SIGWINCH);
        shared->sent = round;
    }
    linux_exit(0);
}

// In the memory that the child got, or by a handler of its own.
static int has_signal(int round) {
    while (shared->sent != round)
        SYS(SYS_sched_yield);
    SYS(SYS_getpid);
    return hits == 1;
}

static int fork_each_round(void) {
    int lost = 0;
    long self = SYS(SYS_getpid);
    SYS(SYS_setpgid, 0, 0);
    long sender = SYS(SYS_fork);
    if (sender == 0) {
        SYS(SYS_setpgid, 0, 0);
        send_each_round(self);
    }
    handle(SIGWINCH, (void *)on_signal, SA_RESTART);
    for (int round = 1; round <= ROUNDS; round++) {
        hits = 0;
        shared->round = round;
        long child = SYS(SYS_fork);
        if (child == 0) linux_exit(!has_signal(round));
        has_signal(round);
        lost += wait_status(child) != 0;
    }
    IS(wait_status(sender), 0);
    return lost;
}

// A signal to the group reaches the child that is just made, or its parent before it is.
static void test_group_while_forking(void) {
    shared = (void *)SYS(SYS_mmap, 0, 4096, 3, MAP_SHARED | 0x20, -1, 0);
    long pid = SYS(SYS_fork);
    if (pid == 0) linux_exit(fork_each_round());
    IS(wait_status(pid), 0);
}

static int program(long argc, char **argv) {
    (void)argc, (void)argv;
    test_wait_with_handler();
    test_wait_in_handler();
    test_wait_interrupted();
    test_group_while_forking();
    print(failures ? "interrupts: failed\n" : "interrupts: ok\n");
    return failures ? 1 : 0;
}

LINUX_PROGRAM(program)
