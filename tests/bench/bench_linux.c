// Marked loops over Linux system calls; the same file runs on Linux and in a Cloister container.
//
// bench_linux NAME...: getppid, yield_alone, yield_pair, page_touch, idle. Each loop is repeated; the
// bench takes the median, so that first translations and timer ticks do not count.
#include "../../userland/lib/marker.h"
#include "linux.h"

enum { REPEATS = 9, PAGE_SIZE = 4096 };

static void bench_getppid(void) {
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        MARK(MARKER_LINUX_GETPPID_BEGIN);
        for (int i = 0; i < MARKER_LOOPS; i++)
            linux_call0(SYS_getppid);
        MARK(MARKER_LINUX_GETPPID_END);
    }
}

static void bench_yield_alone(void) {
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        MARK(MARKER_YIELD_ALONE_BEGIN);
        for (int i = 0; i < MARKER_LOOPS; i++)
            linux_call0(SYS_sched_yield);
        MARK(MARKER_YIELD_ALONE_END);
    }
}

// The partner yields until it is killed: whatever the scheduler does, both want the CPU for as
// long as is counted.
static void bench_yield_pair(void) {
    long partner = checked(linux_call0(SYS_fork), "fork");
    while (partner == 0)
        linux_call0(SYS_sched_yield);
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        MARK(MARKER_YIELD_PAIR_BEGIN);
        for (int i = 0; i < MARKER_LOOPS; i++)
            linux_call0(SYS_sched_yield);
        MARK(MARKER_YIELD_PAIR_END);
    }
    checked(linux_call3(SYS_kill, partner, SIGKILL, 0), "kill");
    checked(linux_call6(SYS_wait4, partner, 0, 0, 0, 0, 0), "wait4");
}

static void bench_page_touch(void) {
    const long size = (long)MARKER_PAGES * PAGE_SIZE;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        long base = checked(linux_call6(SYS_mmap, 0, size, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                            "mmap");
        volatile char *pages = (volatile char *)base;
        MARK(MARKER_PAGE_TOUCH_BEGIN);
        for (long offset = 0; offset < size; offset += PAGE_SIZE)
            pages[offset] = 1;
        MARK(MARKER_PAGE_TOUCH_END);
        checked(linux_call3(SYS_munmap, base, size, 0), "munmap");
    }
}

// For an idle container's memory, and many at once: waits for ever on a pipe that nobody writes to.
static void bench_idle(void) {
    int ends[2];
    char byte;
    MARK(MARKER_CONTAINER_FIRST);
    checked(linux_call3(SYS_pipe, (long)ends, 0, 0), "pipe");
    linux_call3(SYS_read, ends[0], (long)&byte, 1);
    fail("read returned");
}

static int bench_linux(long argc, char **argv) {
    for (long i = 1; i < argc; i++) {
        if (text_equal(argv[i], "getppid"))
            bench_getppid();
        else if (text_equal(argv[i], "yield_alone"))
            bench_yield_alone();
        else if (text_equal(argv[i], "yield_pair"))
            bench_yield_pair();
        else if (text_equal(argv[i], "page_touch"))
            bench_page_touch();
        else if (text_equal(argv[i], "idle"))
            bench_idle();
        else
            fail(argv[i]);
    }
    return 0;
}

LINUX_PROGRAM(bench_linux)
