// What a signal does to a call that waits: it ends it only where what was waited for is not there.
#include "check.h"

static volatile int hits;

static void on_signal(int, struct siginfo *, struct ucontext *) { hits++; }

static void sleep_ms(long ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    while (SYS(SYS_nanosleep, &time, &time) == -EINTR) {
    }
}

static long child_that_ends(int after_ms, int status) {
    long pid = SYS(SYS_fork);
    if (pid == 0) {
        sleep_ms(after_ms);
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
        long pid = child_that_ends(5, i);
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
        long pid = child_that_ends(5, i);
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
        sleep_ms(10);
        SYS(SYS_kill, self, SIGUSR1);
        sleep_ms(50);
        linux_exit(0);
    }
    IS(SYS(SYS_wait4, pid, 0, 0, 0), -EINTR);
    IS(wait_status(pid), 0);
}

static int program(long argc, char **argv) {
    (void)argc, (void)argv;
    test_wait_with_handler();
    test_wait_in_handler();
    test_wait_interrupted();
    print(failures ? "interrupts: failed\n" : "interrupts: ok\n");
    return failures ? 1 : 0;
}

LINUX_PROGRAM(program)
