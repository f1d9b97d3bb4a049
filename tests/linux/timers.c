// Timers, sleeps that go on, and signals that queue.
#include "check.h"

enum {
    SYS_select = 23,
    SYS_getitimer = 36,
    SYS_alarm = 37,
    SYS_setitimer = 38,
    SYS_sigpending = 127,
    SYS_sigtimedwait = 128,
    SYS_sigqueueinfo = 129,
    SYS_setrlimit = 160,
    SYS_timer_create = 222,
    SYS_timer_settime = 223,
    SYS_timer_gettime = 224,
    SYS_timer_getoverrun = 225,
    SYS_timer_delete = 226,
    SYS_clock_nanosleep = 230,
    SYS_ppoll = 271,
};
enum { SIGALRM = 14, SIGXCPU = 24, SIGVTALRM = 26, SIGPROF = 27, SIGRTMIN = 34 };
enum { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };
enum { SI_TIMER = -2, SI_QUEUE = -1, SIG_BLOCK = 0, SIG_SETMASK = 2, RLIMIT_CPU = 0 };

struct itimerval {
    long interval_seconds, interval_micro, seconds, micro;
};
struct itimerspec {
    struct timespec interval, value;
};
struct sigevent {
    long value;
    int signal, notify, tid, padding[11];
};
struct value_info { // siginfo of a signal with a value
    int signo, error, code, padding, pid;
    u32 uid;
    long value;
    long rest[12];
};

static volatile int hits, last_code;
static volatile long last_value;

static void on_signal(int, struct siginfo *info, struct ucontext *) {
    hits++;
    last_code = info->code;
    last_value = ((struct value_info *)info)->value;
}

static long now_ms(void) {
    struct timespec now;
    SYS(SYS_clock_gettime, 1, &now);
    return now.seconds * 1000 + now.nanoseconds / 1000000;
}

static void sleep_ms(long ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    while (SYS(SYS_nanosleep, &time, &time) == -EINTR) {
    }
}

static long set_timer(int which, long ms, long interval_ms, struct itimerval *old) {
    struct itimerval value = {interval_ms / 1000, interval_ms % 1000 * 1000, ms / 1000,
                              ms % 1000 * 1000};
    return SYS(SYS_setitimer, which, &value, old);
}

static void test_interval_timers(void) {
    struct itimerval old = {};
    IS(handle(SIGALRM, (void *)on_signal, 0), 0);
    IS(SYS(SYS_alarm, 0), 0);
    IS(SYS(SYS_alarm, 100), 0);
    IS(SYS(SYS_alarm, 20), 100);
    IS(set_timer(ITIMER_REAL, 30, 0, &old), 0);
    IS(old.seconds, 19);
    IS(SYS(SYS_pause), -EINTR);
    IS(hits, 1);
    IS(last_code, 0x80);
    IS(SYS(SYS_getitimer, ITIMER_REAL, &old), 0);
    IS(old.seconds + old.micro, 0);
    IS(set_timer(ITIMER_REAL, 5, 5, 0), 0);
    while (hits < 6)
        SYS(SYS_pause);
    IS(SYS(SYS_getitimer, ITIMER_REAL, &old), 0);
    IS(old.interval_micro, 5000);
    IS(set_timer(ITIMER_REAL, 0, 0, 0), 0);
    IS(SYS(SYS_setitimer, 3, &old, 0), -EINVAL);
    old.micro = 1000000;
    IS(SYS(SYS_setitimer, 0, &old, 0), -EINVAL);
    IS(SYS(SYS_setitimer, 0, 8, 0), -EFAULT);
    hits = 0;
    IS(handle(SIGVTALRM, (void *)on_signal, 0), 0);
    IS(handle(SIGPROF, (void *)on_signal, 0), 0);
    IS(set_timer(ITIMER_VIRTUAL, 20, 0, 0), 0);
    IS(set_timer(ITIMER_PROF, 20, 20, 0), 0);
    while (hits < 3) {
    }
    IS(set_timer(ITIMER_PROF, 0, 0, 0), 0);
}

static void mask_set(int how, int signal) {
    u64 mask = 1UL << (signal - 1);
    IS(SYS(SYS_sigprocmask, how, &mask, 0, 8), 0);
}

static long take(int signal, struct value_info *info, long timeout_ms) {
    u64 set = 1UL << (signal - 1);
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000};
    return SYS(SYS_sigtimedwait, &set, info, &timeout, 8);
}

static void test_posix_timers(void) {
    struct sigevent event = {.value = 0x123456789abc, .signal = SIGRTMIN, .notify = 0};
    struct itimerspec spec = {{0, 0}, {0, 20000000}}, left;
    struct value_info info;
    int id = -1, other = -1;
    IS(handle(SIGRTMIN, (void *)on_signal, 0), 0);
    IS(SYS(SYS_timer_create, 1, &event, &id), 0);
    IS(SYS(SYS_timer_create, 77, &event, &other), -EINVAL);
    event.notify = 9;
    IS(SYS(SYS_timer_create, 1, &event, &other), -EINVAL);
    hits = 0;
    IS(SYS(SYS_timer_settime, id, 0, &spec, 0), 0);
    IS(SYS(SYS_pause), -EINTR);
    IS(hits, 1);
    IS(last_code, SI_TIMER);
    IS(last_value, 0x123456789abc);
    IS(SYS(SYS_timer_gettime, id, &left), 0);
    IS(left.value.nanoseconds, 0);
    mask_set(SIG_BLOCK, SIGRTMIN);
    spec.interval.nanoseconds = 10000000;
    IS(SYS(SYS_timer_settime, id, 0, &spec, 0), 0);
    sleep_ms(100);
    IS(take(SIGRTMIN, &info, 1000), SIGRTMIN);
    IS(info.code, SI_TIMER);
    IS(info.pid, id);
    IS(info.uid >= 7, true);
    IS(SYS(SYS_timer_getoverrun, id), info.uid);
    IS(take(SIGRTMIN, &info, 1000), SIGRTMIN);
    IS(SYS(SYS_timer_gettime, id, &left), 0);
    IS(left.interval.nanoseconds, 10000000);
    IS(left.value.nanoseconds > 0, true);
    IS(SYS(SYS_timer_delete, id), 0);
    IS(SYS(SYS_timer_delete, id), -EINVAL);
    IS(SYS(SYS_timer_gettime, id, &left), -EINVAL);
    take(SIGRTMIN, &info, 0);
    IS(take(SIGRTMIN, &info, 30), -EAGAIN);
    // An absolute time that is over; SIGALRM and the id by default.
    IS(SYS(SYS_timer_create, 0, 0, &id), 0);
    mask_set(SIG_BLOCK, SIGALRM);
    spec = (struct itimerspec){{0, 0}, {1, 0}};
    IS(SYS(SYS_timer_settime, id, 1, &spec, 0), 0);
    IS(take(SIGALRM, &info, 1000), SIGALRM);
    IS((int)info.value, id);
    IS(SYS(SYS_timer_delete, id), 0);
    u64 none = 0;
    IS(SYS(SYS_sigprocmask, SIG_SETMASK, &none, 0, 8), 0);
}

static void send(int signal, long value) {
    struct value_info info = {.code = SI_QUEUE, .pid = 5, .uid = 7, .value = value};
    long self = SYS(SYS_getpid);
    IS(SYS(SYS_sigqueueinfo, self, signal, &info), 0);
}

static void test_queued_signals(void) {
    struct value_info info;
    long self = SYS(SYS_getpid);
    mask_set(SIG_BLOCK, SIGRTMIN);
    mask_set(SIG_BLOCK, SIGRTMIN + 1);
    mask_set(SIG_BLOCK, SIGUSR1);
    IS(take(SIGUSR1, &info, 0), -EAGAIN);
    send(SIGRTMIN + 1, 11);
    send(SIGRTMIN + 1, 12);
    send(SIGRTMIN, 1);
    send(SIGRTMIN, 2);
    send(SIGUSR1, 3);
    send(SIGUSR1, 4);
    u64 pending = 0, all = 3UL << (SIGRTMIN - 1) | 1UL << (SIGUSR1 - 1);
    IS(SYS(SYS_sigpending, &pending, 8), 0);
    IS(pending, all);
    static const long order[] = {3, 1, 2, 11, 12};
    for (int i = 0; i < 5; i++) {
        struct timespec no_time = {};
        IS(SYS(SYS_sigtimedwait, &all, &info, &no_time, 8) > 0, true);
        IS(info.value, order[i]);
        IS(info.code, SI_QUEUE);
        IS(info.pid, 5);
        IS(info.uid, 7);
    }
    IS(take(SIGRTMIN, &info, 0), -EAGAIN);
    info.code = 0;
    long parent = SYS(SYS_getppid);
    IS(SYS(SYS_sigqueueinfo, parent, 0, &info), -EPERM);
    info.code = SI_QUEUE;
    IS(SYS(SYS_sigqueueinfo, self, 65, &info), -EINVAL);
    IS(SYS(SYS_sigqueueinfo, 999999, SIGUSR1, &info), -ESRCH);
    // A handler of another signal ends the wait.
    IS(handle(SIGALRM, (void *)on_signal, SA_RESTART), 0);
    IS(set_timer(ITIMER_REAL, 20, 0, 0), 0);
    IS(take(SIGUSR1, &info, 5000), -EINTR);
    // What comes while waiting is taken, not delivered.
    long child = SYS(SYS_fork);
    if (child == 0) {
        sleep_ms(30);
        SYS(SYS_kill, self, SIGUSR1);
        linux_exit(0);
    }
    hits = 0;
    IS(handle(SIGUSR1, (void *)on_signal, 0), 0);
    IS(take(SIGUSR1, &info, 5000), SIGUSR1);
    IS(info.pid, child);
    IS(hits, 0);
    wait_status(child);
    u64 none = 0;
    IS(SYS(SYS_sigprocmask, SIG_SETMASK, &none, 0, 8), 0);
}

// Stops a child in the middle of what takes it a while, and continues it: 0 when it went on.
static int stopped_in(int (*body)(void)) {
    int status = 0;
    long child = SYS(SYS_fork);
    if (child == 0) linux_exit(body());
    sleep_ms(20);
    SYS(SYS_kill, child, SIGSTOP);
    SYS(SYS_wait4, child, &status, WUNTRACED, 0);
    SYS(SYS_kill, child, SIGCONT);
    return wait_status(child);
}

static int lasts_200ms(long start_ms) {
    long took_ms = now_ms() - start_ms;
    return took_ms < 195 ? 1 : took_ms > 5000 ? 2 : 0;
}

static int body_nanosleep(void) {
    long start_ms = now_ms();
    struct timespec time = {0, 200000000};
    return SYS(SYS_nanosleep, &time, 0) == 0 ? lasts_200ms(start_ms) : 3;
}

static int body_poll(void) {
    long start_ms = now_ms();
    return SYS(SYS_poll, 0, 0, 200) == 0 ? lasts_200ms(start_ms) : 3;
}

static int body_select(void) {
    long start_ms = now_ms();
    long timeout[2] = {0, 200000};
    if (SYS(SYS_select, 0, 0, 0, 0, timeout) != 0) return 3;
    return timeout[0] + timeout[1] == 0 ? lasts_200ms(start_ms) : 4;
}

static int body_ppoll(void) {
    long start_ms = now_ms();
    struct timespec time = {0, 200000000};
    return SYS(SYS_ppoll, 0, 0, &time, 0, 8) == 0 ? lasts_200ms(start_ms) : 3;
}

static int body_absolute(void) {
    long start_ms = now_ms();
    struct timespec time;
    SYS(SYS_clock_gettime, 0, &time);
    time.nanoseconds += 200000000;
    time.seconds += time.nanoseconds / 1000000000;
    time.nanoseconds %= 1000000000;
    return SYS(SYS_clock_nanosleep, 0, 1, &time, 0) == 0 ? lasts_200ms(start_ms) : 3;
}

static void test_sleeps(void) {
    IS(stopped_in(body_nanosleep), 0);
    IS(stopped_in(body_poll), 0);
    IS(stopped_in(body_select), 0);
    IS(stopped_in(body_ppoll), 0);
    IS(stopped_in(body_absolute), 0);
    struct timespec bad = {0, 1000000000}, none = {}, left = {};
    IS(SYS(SYS_nanosleep, &bad, 0), -EINVAL);
    IS(SYS(SYS_nanosleep, &none, 0), 0);
    IS(SYS(SYS_clock_nanosleep, 3, 0, &none, 0), -95);
    IS(SYS(SYS_clock_nanosleep, 99, 0, &none, 0), -EINVAL);
    long timeout[2] = {5, 0};
    hits = 0;
    IS(handle(SIGALRM, (void *)on_signal, SA_RESTART), 0);
    IS(set_timer(ITIMER_REAL, 30, 0, 0), 0);
    IS(SYS(SYS_select, 0, 0, 0, 0, timeout), -EINTR);
    IS(timeout[0], 4);
    IS(set_timer(ITIMER_REAL, 30, 0, 0), 0);
    bad.nanoseconds = 999999999;
    IS(SYS(SYS_nanosleep, &bad, &left), -EINTR);
    IS(left.seconds, 0);
    IS(left.nanoseconds > 100000000, true);
    IS(hits, 2);
}

static void test_cpu_limit(void) {
    long child = SYS(SYS_fork);
    if (child == 0) {
        struct {
            u64 current, maximum;
        } limit = {1, 2};
        SYS(SYS_setrlimit, RLIMIT_CPU, &limit);
        hits = 0;
        handle(SIGXCPU, (void *)on_signal, 0);
        while (hits == 0) {
        }
        handle(SIGXCPU, 0, 0);
        for (;;) {
        }
    }
    IS(wait_status(child), SIGKILL);
}

// What a process that ignores a timer's signal, or is not told of it, sees of it.
static void test_untold_timers(void) {
    struct sigevent event = {.signal = SIGUSR1, .notify = 1}; // SIGEV_NONE
    struct itimerspec spec = {{0, 10000000}, {0, 10000000}}, left = {};
    int id = -1;
    u64 pending = 0;
    IS(SYS(SYS_timer_create, 1, &event, &id), 0);
    IS(SYS(SYS_timer_settime, id, 0, &spec, 0), 0);
    sleep_ms(35);
    IS(SYS(SYS_timer_gettime, id, &left), 0);
    IS(left.value.nanoseconds > 0 && left.value.nanoseconds <= 10000000, true);
    spec.interval.nanoseconds = 0;
    IS(SYS(SYS_timer_settime, id, 0, &spec, 0), 0);
    sleep_ms(20);
    IS(SYS(SYS_timer_gettime, id, &left), 0);
    IS(left.value.nanoseconds, 0);
    IS(SYS(SYS_timer_delete, id), 0);
    IS(SYS(SYS_sigpending, &pending, 8), 0);
    IS(pending, 0);
}

// A periodic timer that has expired and whose signal is not taken has no time left.
static void test_expired(void) {
    struct itimerval left = {};
    struct value_info info;
    mask_set(SIG_BLOCK, SIGALRM);
    IS(set_timer(ITIMER_REAL, 5, 200, 0), 0);
    sleep_ms(40);
    IS(SYS(SYS_getitimer, ITIMER_REAL, &left), 0);
    IS(left.seconds + left.micro, 0);
    IS(left.interval_micro, 200000);
    IS(take(SIGALRM, &info, 0), SIGALRM);
    IS(SYS(SYS_getitimer, ITIMER_REAL, &left), 0);
    IS(left.micro > 0, true);
    IS(set_timer(ITIMER_REAL, 5, 0, 0), 0);
    sleep_ms(40);
    IS(SYS(SYS_alarm, 0), 0);
    IS(take(SIGALRM, &info, 0), SIGALRM);
    mask_set(1, SIGALRM);
}

// Run anew by itself: what is pending of a POSIX timer does not survive that, what was sent does.
static int after_exec(void) {
    u64 pending = 0;
    SYS(SYS_sigpending, &pending, 8);
    return pending == 1UL << (SIGUSR2 - 1) ? 0 : 1;
}

static int exec_with_pending(void) {
    struct sigevent event = {.signal = SIGUSR1, .notify = 0};
    struct itimerspec spec = {{0, 0}, {0, 1000000}};
    const char *argv[] = {"timers", "again", 0};
    u64 pending = 0;
    int id;
    mask_set(SIG_BLOCK, SIGUSR1);
    mask_set(SIG_BLOCK, SIGUSR2);
    SYS(SYS_timer_create, 1, &event, &id);
    SYS(SYS_timer_settime, id, 0, &spec, 0);
    send(SIGUSR2, 1);
    while (!(pending & 1UL << (SIGUSR1 - 1)))
        SYS(SYS_sigpending, &pending, 8);
    SYS(SYS_execve, "/proc/self/exe", argv, argv + 2);
    return 2;
}

static void test_exec(void) {
    long child = SYS(SYS_fork);
    if (child == 0) linux_exit(exec_with_pending());
    IS(wait_status(child), 0);
}

// More seconds than nanoseconds fit into a word for.
static void test_long_select(void) {
    long timeout[2] = {18446744074, 0}; // wraps to 0.3 seconds
    IS(handle(SIGALRM, (void *)on_signal, 0), 0);
    IS(set_timer(ITIMER_REAL, 600, 0, 0), 0);
    IS(SYS(SYS_select, 0, 0, 0, 0, timeout), -EINTR);
    timeout[0] = 0, timeout[1] = 2000000;
    IS(set_timer(ITIMER_REAL, 20, 0, 0), 0);
    IS(SYS(SYS_select, 0, 0, 0, 0, timeout), -EINTR);
    IS(timeout[0], 1);
}

// Each timer has its signal from the beginning.
static int limited(void) {
    enum { SYS_setrlimit = 160, RLIMIT_SIGPENDING = 11 };
    u64 limit[2] = {0, 1000};
    struct sigevent event = {.signal = SIGUSR1, .notify = 1};
    int id = -1;
    IS(SYS(SYS_timer_create, 1, &event, &id), 0);
    IS(SYS(SYS_setrlimit, RLIMIT_SIGPENDING, limit), 0);
    IS(SYS(SYS_timer_create, 1, &event, &id), -EAGAIN);
    IS(SYS(SYS_timer_delete, id), 0);
    limit[0] = 1000;
    IS(SYS(SYS_setrlimit, RLIMIT_SIGPENDING, limit), 0);
    IS(SYS(SYS_timer_create, 1, &event, &id), 0);
    return failures;
}

static void test_limit(void) {
    long child = SYS(SYS_fork);
    if (child == 0) linux_exit(limited());
    IS(wait_status(child), 0);
}

static int program(long argc, char **argv) {
    (void)argv;
    if (argc > 1) return after_exec();
    test_interval_timers();
    test_posix_timers();
    test_queued_signals();
    test_sleeps();
    test_cpu_limit();
    test_untold_timers();
    test_expired();
    test_exec();
    test_long_select();
    test_limit();
    print(failures ? "timers: failed\n" : "timers: ok\n");
    return failures ? 1 : 0;
}

LINUX_PROGRAM(program)
