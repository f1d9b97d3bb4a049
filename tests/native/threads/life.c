// Threads and processes that begin and end all the time, kicks, what a switch must keep apart.
#include "lib/message.h"
#include "lib/string.h"
#include "threads.h"
#include "twin.h"

enum { STORM = 120, CROWD = 90, ENDINGS = 12, KICKS = 600 };
enum : uint64_t { LINUX_AT = 0x10000000, SOON_NS = 20'000 };
enum : uint32_t { END_STATUS = 5 };

// ---- storms ----

static void brief(uint64_t counter) {
    __atomic_fetch_add((uint32_t *)counter, 1, __ATOMIC_RELAXED);
    thread_exit();
}

static uint32_t storm_counts[WORKERS_MAX];
static uint8_t storm_stacks[WORKERS_MAX][4096] __attribute__((aligned(16)));

static void storm_run(uint64_t me) {
    for (uint32_t i = 0; i < STORM; i++) {
        handle_t thread = 0;
        uint32_t seen;
        uint64_t top = (uint64_t)storm_stacks[me] + 4096 - 8;
        if (thread_create((uint64_t)brief, top, (uint64_t)&storm_counts[me], &thread) != OK) return;
        object_wait(thread, SIGNAL_TERMINATED, 0, test_deadline(LIMIT_MS), &seen);
        handle_close(thread);
    }
}

static uint32_t crowd_word, crowd_count;

static void crowd_main(uint64_t unused) {
    (void)unused;
    __atomic_fetch_add(&crowd_count, 1, __ATOMIC_RELAXED);
    while (load(&crowd_word) == 0)
        futex_wait((uint64_t)&crowd_word, 0, 0, CL_DEADLINE_NEVER);
    __atomic_fetch_sub(&crowd_count, 1, __ATOMIC_RELAXED);
    thread_exit();
}

// Many at the same time, each on a page of stack. Fewer than share one page table of kernel stacks:
// the machine keeps those tables.
static void crowd(void) {
    static handle_t threads[CROWD];
    uint64_t at = 0;
    uint32_t seen;
    test_ok(aspace_map(0, 0, 0, 0, CROWD * CL_PAGE_SIZE, CL_MAP_READ | CL_MAP_WRITE, &at),
            "stacks");
    for (uint32_t i = 0; i < CROWD; i++)
        test_ok(
            thread_create((uint64_t)crowd_main, at + (i + 1) * CL_PAGE_SIZE - 8, 0, &threads[i]),
            "one of a crowd");
    while (load(&crowd_count) != CROWD)
        thread_yield();
    store(&crowd_word, 1);
    wake(&crowd_word, CROWD);
    for (uint32_t i = 0; i < CROWD; i++) {
        test_check(object_wait(threads[i], SIGNAL_TERMINATED, 0, test_deadline(LIMIT_MS), &seen) ==
                       OK,
                   "end");
        handle_close(threads[i]);
    }
    test_check(crowd_count == 0, "all were woken");
    test_ok(aspace_unmap(0, at, CROWD * CL_PAGE_SIZE), "unmap");
}

void storms(void) {
    workers_run(4, storm_run);
    for (uint32_t i = 0; i < 4; i++)
        test_check(storm_counts[i] == STORM, "each ran once");
    crowd();
    test_pass("threads come and go by the hundred");
}

// ---- endings ----

static void ending_thread(uint64_t me) {
    for (uint32_t i = 0; i < 10; i++)
        storm_run(me);
    process_exit(END_STATUS);
}

// Several threads end the process while others begin and end.
static void ending_main(handle_t bootstrap, uint64_t argument) {
    static uint8_t stacks[3][4096] __attribute__((aligned(16)));
    (void)bootstrap;
    for (uint64_t i = 0; i < 3; i++) {
        handle_t thread = 0;
        thread_create((uint64_t)ending_thread, (uint64_t)stacks[i] + 4096 - 8, i, &thread);
    }
    if (argument % 2) thread_exit();
    for (uint64_t i = 0; i < argument * 20; i++)
        thread_yield();
    process_exit(END_STATUS);
}

void endings(void) {
    for (uint64_t i = 0; i < ENDINGS; i++) {
        struct cl_object_info info = {};
        handle_t process = 0;
        uint32_t seen;
        test_ok(twin_start(test_namespace(), ending_main, 0, i, &process), "a process");
        test_check(object_wait(process, SIGNAL_TERMINATED, 0, test_deadline(LIMIT_MS), &seen) == OK,
                   "it ends");
        test_check(object_info(process, &info) == OK && info.detail[0] == CL_PROCESS_STATE_EXITED &&
                       info.detail[1] == END_STATUS && info.detail[2] == 0,
                   "with its status, and without threads");
        handle_close(process);
    }
    test_pass("a process whose threads end it at the same time");
}

// ---- kicks ----

static handle_t kicked, quiet[2], kick_port, kick_aspace;
static uint32_t kicks_seen, kick_word;

// Waits that kicks do not end: whatever they say, it is not INTERRUPTED.
static void wait_deaf(uint64_t kind) {
    uint64_t deadline = now_ns() + SOON_NS, key;
    uint32_t seen, got, count;
    struct cl_message message = message_of("", 1, NULL, 0), reply = {};
    struct cl_received received;
    uint8_t byte = 0;
    status_t status = OK;
    if (kind == 0) status = futex_wait((uint64_t)&kick_word, 0, 0, deadline);
    if (kind == 1) status = object_wait(quiet[0], SIGNAL_PEER_CLOSED, 0, deadline, &seen);
    if (kind == 2) status = port_wait(kick_port, 0, deadline, &key, &seen);
    if (kind == 3) status = channel_call(quiet[0], &message, &reply, deadline, &got, &count);
    if (kind == 4) status = message_receive(quiet[0], &byte, 1, NULL, 0, deadline, &received);
    test_check(status == ERR_TIMED_OUT, "a wait that kicks do not end runs to its deadline");
}

static bool wait_kickable(uint64_t kind) {
    static const uint8_t code[] = {0xeb, 0xfe};
    static struct cl_restricted_state state;
    uint64_t never = CL_DEADLINE_NEVER, key;
    uint32_t flags = CL_WAIT_INTERRUPTIBLE, seen, reason = 0;
    if (kind == 0) return futex_wait((uint64_t)&kick_word, 0, flags, never) == ERR_INTERRUPTED;
    if (kind == 1)
        return object_wait(quiet[0], SIGNAL_PEER_CLOSED, flags, never, &seen) == ERR_INTERRUPTED;
    if (kind == 2) return port_wait(kick_port, flags, never, &key, &seen) == ERR_INTERRUPTED;
    if (kind == 3) {
        uint8_t byte = 0;
        struct cl_message room = message_of(&byte, 1, NULL, 0);
        struct cl_received received;
        return channel_receive(quiet[0], &room, (uint64_t)&received, flags, never) ==
               ERR_INTERRUPTED;
    }
    memcpy((void *)LINUX_AT, code, sizeof(code));
    state = (struct cl_restricted_state){.rip = LINUX_AT, .rflags = 0x202};
    return restricted_enter((uint64_t)&state, &reason) == OK &&
           reason == CL_RESTRICTED_REASON_KICKED;
}

static void kicked_run(void) {
    uint64_t random = 3;
    handle_t self = 0;
    test_ok(thread_bind_aspace(kick_aspace), "bind");
    test_ok(thread_self(&self), "self");
    store(&kicked, self);
    for (uint32_t i = 1; i <= KICKS; i++) {
        if (random_next(&random) % 4 == 0) wait_deaf(random_next(&random) % 5);
        test_check(wait_kickable(random_next(&random) % 5), "a kick ends a wait");
        store(&kicks_seen, i);
        wake(&kicks_seen, 1);
    }
    test_ok(thread_bind_aspace(0), "unbind");
}

static void kicks_run(uint64_t me) {
    uint64_t random = 11;
    if (me == 0) {
        kicked_run();
        return;
    }
    while (load(&kicked) == 0)
        thread_yield();
    for (uint32_t i = 1; i <= KICKS; i++) {
        uint64_t pause = random_next(&random) % 40'000;
        if (random_next(&random) % 2) futex_wait((uint64_t)&kick_word, 0, 0, now_ns() + pause);
        test_check(thread_kick(kicked) == OK, "kick");
        uint64_t limit = test_deadline(LIMIT_MS);
        while (load(&kicks_seen) < i && now_ns() < limit)
            futex_wait((uint64_t)&kicks_seen, i - 1, 0, limit);
        if (load(&kicks_seen) < i) {
            test_fail("a kick was lost");
            process_exit(1);
        }
    }
}

void kicks(void) {
    struct cl_channel_options options = {};
    uint64_t mapped;
    test_ok(channel_create(0, 0, &options, &quiet[0], &quiet[1]), "channel");
    test_ok(port_create(0, &kick_port), "port");
    test_ok(aspace_create(&kick_aspace), "address space");
    test_ok(aspace_map(kick_aspace, 0, 0, LINUX_AT, CL_PAGE_SIZE,
                       CL_MAP_READ | CL_MAP_WRITE | CL_MAP_EXECUTE | CL_MAP_FIXED, &mapped),
            "code");
    workers_run(2, kicks_run);
    handle_close(kicked);
    handle_close(kick_aspace);
    handle_close(kick_port);
    handle_close(quiet[0]);
    handle_close(quiet[1]);
    test_pass("every kick ends one wait that kicks end, and no other");
}

// ---- selectors and far timers ----

static void selector_main(handle_t bootstrap, uint64_t argument) {
    (void)bootstrap;
    for (uint64_t i = 0; i < argument; i++) {
        asm volatile("movl %0, %%ds; movl %0, %%es; movl %0, %%fs; movl %0, %%gs" ::"r"(0x1b));
        thread_yield();
    }
    process_exit(0);
}

static uint32_t selectors_any(void) {
    uint32_t ds, es, fs, gs;
    asm volatile("movl %%ds, %0; movl %%es, %1; movl %%fs, %2; movl %%gs, %3"
                 : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
    return ds | es | fs | gs;
}

// Timers that are not due before the next millennia.
static void far_timers(void) {
    static const uint64_t times[] = {1ul << 62, 1ul << 63, UINT64_MAX - 1};
    for (uint32_t i = 0; i < 3; i++) {
        handle_t timer = 0;
        uint32_t seen;
        test_ok(timer_create(0, &timer), "timer");
        test_ok(timer_set(timer, times[i]), "set");
        test_check(object_wait(timer, SIGNAL_SIGNALED, 0, now_ns() + 1'000'000, &seen) ==
                       ERR_TIMED_OUT,
                   "not due");
        test_ok(timer_set(timer, 1), "set again");
        test_check(object_wait(timer, SIGNAL_SIGNALED, 0, test_deadline(LIMIT_MS), &seen) == OK,
                   "due");
        handle_close(timer);
    }
    uint32_t seen;
    test_check(object_wait(test_namespace(), SIGNAL_TERMINATED, 0, now_ns() + 1'000'000, &seen) ==
                   ERR_TIMED_OUT,
               "time goes on");
}

void selectors(void) {
    enum { YIELDS = 2000 };
    handle_t process = 0;
    uint32_t any = 0, seen;
    test_ok(twin_start(test_namespace(), selector_main, 0, YIELDS, &process), "a process");
    while (object_wait(process, SIGNAL_TERMINATED, 0, CL_DEADLINE_POLL, &seen) != OK) {
        any |= selectors_any();
        thread_yield();
    }
    test_check(any == 0, "selectors of another process are not seen");
    handle_close(process);
    far_timers();
    test_pass("selectors stay with their process; far timers are quiet");
}
