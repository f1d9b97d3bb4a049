// Who pays for the processor when nobody waits his turn: callers and servers that hand it to each
// other, threads that follow one another. On one CPU, whose time is counted in instructions
// (tests/qemu/test_native.py): on two there is an idle one for the others.
#include "lib/string.h"
#include "lib/test.h"
#include "lib/threads.h"
#include "lib/twin.h"

enum : uint64_t {
    RUN_MS = 600,
    SERVE_NS = 3'600'000, // of a slice of 4 ms
    ROUND_NS = 4'020'000, // a slice, and a little
    PREEMPTED_NS = 1'000'000,
    LINK_NS = 3'000'000,
    FAR_NS = 200'000'000,
};
enum { STACKS = 64, STACK_SIZE = 8192 };

static uint64_t now(void) {
    uint64_t now_ns;
    clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    return now_ns;
}

static void burn_until(uint64_t end_ns) {
    while (now() < end_ns)
        __asm__ volatile(".rept 100\n\tnop\n\t.endr");
}

static void sleep_ms(uint64_t milliseconds) {
    static uint32_t word;
    futex_wait((uint64_t)&word, 0, 0, test_deadline(milliseconds));
}

[[noreturn]] static void spin(handle_t, uint64_t) {
    for (;;)
        burn_until(~0ul);
}

// ---- calls ----

static void server(handle_t channel, uint64_t) {
    uint64_t bytes;
    struct cl_received received = {};
    struct cl_message message = {.bytes = (uint64_t)&bytes, .bytes_size = sizeof(bytes)};
    status_t status = channel_receive(channel, &message, (uint64_t)&received, 0, CL_DEADLINE_NEVER);
    while (status == OK) {
        burn_until(now() + SERVE_NS);
        status = channel_reply_receive(channel, received.token, &message, &message,
                                       (uint64_t)&received, CL_DEADLINE_NEVER);
    }
    process_exit(0);
}

// Calls at the start of each of its turns, and takes the end of the slice upon itself.
[[noreturn]] static void caller(handle_t channel, uint64_t) {
    for (;;) {
        uint64_t bytes = 0, last_ns, at_ns, end_ns = now() + ROUND_NS;
        uint32_t size, handles;
        struct cl_message message = {.bytes = (uint64_t)&bytes, .bytes_size = sizeof(bytes)};
        channel_call(channel, &message, &message, CL_DEADLINE_NEVER, &size, &handles);
        for (last_ns = at_ns = now(); at_ns < end_ns && at_ns - last_ns < PREEMPTED_NS;) {
            last_ns = at_ns;
            at_ns = now();
        }
    }
}

static uint64_t cpu_ns_of(handle_t ns) {
    struct cl_ns_info info = {};
    test_ok(ns_info(ns, &info), "a namespace's time");
    return info.cpu_ns;
}

static void start(handle_t ns, twin_entry *entry, handle_t bootstrap) {
    handle_t process;
    test_ok(twin_start(ns, entry, bootstrap, 0, &process), "a process starts");
    handle_close(process);
}

static void calls(void) {
    handle_t client_end, server_end;
    const struct cl_channel_options options = {.call_bytes_max = sizeof(uint64_t)};
    handle_t serving = test_child_namespace("serving"), calling = test_child_namespace("calling"),
             spinning = test_child_namespace("spinning");
    test_ok(channel_create(0, 0, &options, &client_end, &server_end), "channel_create");
    start(spinning, spin, 0);
    start(serving, server, server_end);
    start(calling, caller, client_end);
    sleep_ms(RUN_MS / 4);
    uint64_t serving_ns = cpu_ns_of(serving), calling_ns = cpu_ns_of(calling);
    uint64_t own_ns = cpu_ns_of(spinning);
    sleep_ms(RUN_MS);
    serving_ns = cpu_ns_of(serving) - serving_ns;
    calling_ns = cpu_ns_of(calling) - calling_ns;
    own_ns = cpu_ns_of(spinning) - own_ns;
    uint64_t share = own_ns * 1000 / (own_ns + calling_ns + serving_ns);
    test_printf("beside a caller and its server: %lu thousandths; %lu ns are the server's own",
                share, serving_ns);
    test_check(share >= 475, "what a server does is charged to its caller");
    // A call under way is counted later, or was counted before.
    test_check(-5'000'000 <= (int64_t)serving_ns && (int64_t)serving_ns <= 5'000'000,
               "and counted as the caller's");
    test_pass("a spinner beside a caller and its server");
    test_ok(test_namespace_end(calling), "its end");
    test_ok(test_namespace_end(serving), "its end");
    test_ok(test_namespace_end(spinning), "its end");
}

// ---- timers ----

// It is never interrupted sooner than at its own timer, which it puts off and off, if that is the next.
[[noreturn]] static void put_off(handle_t, uint64_t) {
    handle_t timer = 0;
    test_ok(timer_create(0, &timer), "a timer");
    for (;;) {
        timer_set(timer, now() + FAR_NS);
        burn_until(now() + PREEMPTED_NS);
    }
}

static void timers(void) {
    handle_t spinning = test_child_namespace("spinning"), timing = test_child_namespace("timing");
    start(spinning, spin, 0);
    start(timing, put_off, 0);
    sleep_ms(RUN_MS / 4);
    uint64_t own_ns = cpu_ns_of(spinning), others_ns = cpu_ns_of(timing);
    sleep_ms(RUN_MS);
    own_ns = cpu_ns_of(spinning) - own_ns;
    others_ns = cpu_ns_of(timing) - others_ns;
    uint64_t share = own_ns * 1000 / (own_ns + others_ns);
    test_printf("beside one that puts a timer off: %lu thousandths", share);
    test_check(share >= 475, "a timer does not put off the end of a slice");
    test_pass("a spinner beside one that puts a timer off");
    test_ok(test_namespace_end(timing), "its end");
    test_ok(test_namespace_end(spinning), "its end");
}

// ---- chains of threads ----

static struct {
    uint8_t stacks[STACKS][STACK_SIZE];
    handle_t threads[STACKS];
    bool is_over;
    uint64_t links, sibling_ns;
} chain;

static void link_start(uint64_t place);

[[noreturn]] static void link_run(uint64_t place) {
    burn_until(now() + LINK_NS);
    chain.links++;
    if (!__atomic_load_n(&chain.is_over, __ATOMIC_RELAXED)) link_start((place + 1) % STACKS);
    thread_exit();
    __builtin_unreachable();
}

static void link_start(uint64_t place) {
    uint32_t seen;
    if (chain.threads[place]) {
        object_wait(chain.threads[place], SIGNAL_TERMINATED, 0, CL_DEADLINE_NEVER, &seen);
        handle_close(chain.threads[place]);
    }
    test_ok(thread_create((uint64_t)link_run, (uint64_t)&chain.stacks[place][STACK_SIZE - 8], place,
                          &chain.threads[place]),
            "the next thread");
}

static void sibling(uint64_t) {
    uint64_t koid;
    while (!__atomic_load_n(&chain.is_over, __ATOMIC_RELAXED))
        burn_until(now() + LINK_NS);
    thread_info(&koid, &chain.sibling_ns);
}

static void forks(void) {
    handle_t thread = test_thread(sibling, 0);
    link_start(0);
    sleep_ms(RUN_MS);
    __atomic_store_n(&chain.is_over, true, __ATOMIC_RELAXED);
    test_thread_join(thread);
    uint64_t share = chain.sibling_ns / (RUN_MS * 1000);
    test_printf("beside %lu threads one after the other: %lu thousandths", chain.links, share);
    test_check(share >= 350, "threads one after the other have the share of one");
    test_pass("a thread beside a chain of threads");
}

void test_run(void) {
    struct cl_system_info info = {};
    test_ok(system_info(test_handle(OBJ_SYSTEM), &info), "the number of CPUs");
    if (info.cpus > 1) {
        test_pass("nothing to divide");
        return;
    }
    calls();
    timers();
    forks();
}
