// Signals, timers and pids where the machine is short of something. Expected results are Linux's.
#include "linux_test.h"

#include "linux/kernel_if.h"
#include "linux/launch.h"
#include "linux/signal.h"

enum {
    NR_SIGACTION = 13,
    NR_SIGPROCMASK = 14,
    NR_PAUSE = 34,
    NR_KILL = 62,
    NR_SETPGID = 109,
    NR_GETPGID = 121,
    NR_TIMER_CREATE = 222,
    NR_TIMER_SETTIME = 223,
    NR_TIMER_DELETE = 226,
};

static void sleep_ms(u64 ms) {
    u32 word = 0;
    kernel_futex_wait(&word, 0, WAIT_PLAIN, kernel_monotonic_ns() + ms * 1'000'000);
}

// How often the event thread runs while a timer of 1 ns is set that nobody takes signals of.
static u32 waits_with_timer(i32 signal, u32 notify) {
    static struct {
        u64 value;
        i32 signal;
        u32 notify;
        u64 rest[6];
    } event;
    static u64 spec[4] = {0, 1, 0, 1};
    static i32 id;
    event.signal = signal;
    event.notify = notify;
    CHECK_IS(CALL3(first, NR_TIMER_CREATE, 1, &event, &id), 0);
    CHECK_IS(CALL4(first, NR_TIMER_SETTIME, id, 0, spec, 0), 0);
    sleep_ms(10);
    u32 before = __atomic_load_n(&fake_port_waits, __ATOMIC_SEQ_CST);
    sleep_ms(60);
    u32 waits = __atomic_load_n(&fake_port_waits, __ATOMIC_SEQ_CST) - before;
    CHECK_IS(CALL1(first, NR_TIMER_DELETE, id), 0);
    return waits;
}

// Each costs the container no more than a tick's work.
static void test_short_timers(void) {
    static struct linux_sigaction ignore = {.handler = SIG_IGN};
    static u64 mask = 1UL << (SIGUSR2 - 1);
    CHECK_IS(CALL4(first, NR_SIGACTION, SIGUSR1, &ignore, 0, 8), 0);
    CHECK_IS(CALL4(first, NR_SIGPROCMASK, SIG_BLOCK, &mask, 0, 8), 0);
    CHECK_IS(waits_with_timer(SIGUSR1, SIGEV_SIGNAL) < 30, true);
    CHECK_IS(waits_with_timer(SIGUSR2, SIGEV_NONE), 0);
    // One that is pending already can't be pending for the timer too.
    signal_send(first->process, &(struct queued_signal){.signal = SIGUSR2});
    CHECK_IS(waits_with_timer(SIGUSR2, SIGEV_SIGNAL) < 30, true);
}

static i32 wait_status;
static i32 group_of_ended;

static void child_ends(struct thread *thread) { CALL1(thread, NR_EXIT, 0); }

static void child_stays(struct thread *thread) {
    CALL2(thread, NR_SETPGID, 0, group_of_ended);
    CALL0(thread, NR_PAUSE);
    CALL1(thread, NR_EXIT, 0);
}

static void child_leads(struct thread *thread) {
    CALL2(thread, NR_SETPGID, 0, 0);
    CALL0(thread, NR_PAUSE);
    CALL1(thread, NR_EXIT, 0);
}

static i32 group_of(i64 pid) { return (i32)CALL1(first, NR_GETPGID, pid); }

static void end(i64 pid) {
    CHECK_IS(CALL2(first, NR_KILL, pid, SIGKILL), 0);
    CHECK_IS(CALL4(first, NR_WAIT4, pid, &wait_status, 0, 0), pid);
}

// The number of a group is nobody's pid while it has a member.
static void test_pid_reuse(void) {
    i64 leader = fake_fork(first, child_leads);
    while (group_of(leader) != leader)
        kernel_yield();
    group_of_ended = (i32)leader;
    i64 member = fake_fork(first, child_stays);
    while (group_of(member) != leader)
        kernel_yield();
    end(leader);
    tasks.next_pid = (i32)leader;
    i64 other = fake_fork(first, child_ends);
    CHECK_IS(other != leader && other != member, true);
    CHECK_IS(CALL4(first, NR_WAIT4, other, &wait_status, 0, 0), other);
    end(member);
    tasks.next_pid = (i32)leader;
    other = fake_fork(first, child_ends);
    CHECK_IS(other, leader);
    CHECK_IS(CALL4(first, NR_WAIT4, other, &wait_status, 0, 0), other);
}

// What is pending and blocked waits for a handler, also in the first process.
static void test_pending_of_first(void) {
    static struct linux_sigaction action = {.handler = 0x1000};
    static u64 mask = 1UL << (SIGTERM - 1);
    CHECK_IS(CALL4(first, NR_SIGPROCMASK, SIG_BLOCK, &mask, 0, 8), 0);
    CHECK_IS(CALL4(first, NR_SIGACTION, SIGTERM, &action, 0, 8), 0);
    CHECK_IS(CALL2(first, NR_KILL, 1, SIGTERM), 0);
    action.handler = SIG_DFL;
    CHECK_IS(CALL4(first, NR_SIGACTION, SIGTERM, &action, 0, 8), 0);
    CHECK_IS(first->process->pending & mask, mask);
    action.handler = SIG_IGN;
    CHECK_IS(CALL4(first, NR_SIGACTION, SIGTERM, &action, 0, 8), 0);
    CHECK_IS(first->process->pending & mask, 0);
}

static bool are_too_many(void) {
    mutex_lock(&tasks.lock);
    bool are = tasks.count > tasks.limit;
    mutex_unlock(&tasks.lock);
    return are;
}

static u32 are_all_there; // atomic

static void child_forks(struct thread *thread) {
    i32 wrong = 0;
    while (!__atomic_load_n(&are_all_there, __ATOMIC_SEQ_CST))
        kernel_yield();
    for (u32 i = 0; i < 3000; i++) {
        i64 pid = fake_fork(thread, child_ends);
        wrong |= are_too_many();
        if (pid > 0) CALL4(thread, NR_WAIT4, pid, 0, 0, 0);
    }
    CALL1(thread, NR_EXIT, wrong);
}

// A container's limit of processes holds at every moment.
static void test_limit(void) {
    enum { FORKERS = 8 };
    tasks.limit = tasks.count + FORKERS + 1;
    for (u32 i = 0; i < FORKERS; i++)
        CHECK_IS(fake_fork(first, child_forks) > 0, true);
    __atomic_store_n(&are_all_there, 1, __ATOMIC_SEQ_CST);
    for (u32 i = 0; i < FORKERS; i++) {
        CHECK_IS(CALL4(first, NR_WAIT4, -1, &wait_status, 0, 0) > 0, true);
        CHECK_IS(wait_status, 0);
    }
    tasks.limit = 0;
}

// A container that ends takes no further program.
static void test_launch_at_end(void) {
    u32 before = tasks.count;
    struct launch *launch = launch_create();
    launch->id = 7;
    tasks.is_ending = true;
    CHECK_IS(launch_start(launch), -ESRCH);
    tasks.is_ending = false;
    CHECK_IS(tasks.count, before);
}

// SIGKILL from outside ends the first process, also where nothing can be kept of it but the bit.
// Ends the test: with status 0 when the process ends.
[[noreturn]] static void test_kill_without_memory(void) {
    const struct queued_signal signal = {.signal = SIGKILL, .traits = SIGNAL_FROM_OUTSIDE};
    if (failures) exit(1);
    fake_heap_is_empty = true;
    signal_send(first->process, &signal);
    fake_heap_is_empty = false;
    signal_deliver(first);
    printf("the first process goes on after SIGKILL\n");
    exit(1);
}

int main(int argc, char **argv) {
    boot_image(argc, argv);
    test_short_timers();
    test_pid_reuse();
    test_pending_of_first();
    test_launch_at_end();
    test_limit();
    test_kill_without_memory();
}
