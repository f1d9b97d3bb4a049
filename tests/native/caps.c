// A cap of a namespace's processor time holds whether somebody waits or not, for all below it, over
// all CPUs; and it can be set and taken away while all of them run.
#include "lib/string.h"
#include "lib/test.h"
#include "lib/threads.h"
#include "lib/twin.h"

enum : uint64_t { RUN_MS = 1000, SETTLE_MS = 150 };

[[noreturn]] static void spin(handle_t, uint64_t) {
    for (;;)
        __asm__ volatile(".rept 100\n\tnop\n\t.endr");
}

[[noreturn]] static void yield(handle_t, uint64_t) {
    for (;;)
        thread_yield();
}

// Its time is that of its instructions: a millisecond for a million of them.
[[noreturn]] static void work(handle_t, uint64_t milliseconds) {
    for (uint64_t left = milliseconds * 10'000; left > 0; left--)
        __asm__ volatile(".rept 98\n\tnop\n\t.endr");
    process_exit(0);
}

static struct cl_ns_limits cap_limits(uint64_t cap) {
    struct cl_ns_limits limits;
    memset(&limits, 0xff, sizeof(limits)); // LIMIT_SAME
    limits.cpu_cap = cap;
    return limits;
}

static handle_t namespace_make(handle_t parent, const char *name, uint64_t cap) {
    const struct cl_ns_limits limits = cap_limits(cap);
    handle_t ns = 0;
    test_ok(ns_create(parent, name, (uint32_t)strlen(name), &limits, &ns), "a namespace");
    return ns;
}

static void cap_set(handle_t ns, uint64_t cap) {
    const struct cl_ns_limits limits = cap_limits(cap);
    test_ok(ns_set_limits(ns, &limits), "another cap");
}

static void start(handle_t ns, twin_entry *entry, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        handle_t process;
        test_ok(twin_start(ns, entry, 0, 0, &process), "a process starts");
        handle_close(process);
    }
}

static void sleep_ms(uint64_t milliseconds) {
    static uint32_t word;
    futex_wait((uint64_t)&word, 0, 0, test_deadline(milliseconds));
}

static uint64_t cpu_ns_of(handle_t ns) {
    struct cl_ns_info info = {};
    test_ok(ns_info(ns, &info), "a namespace's time");
    return info.cpu_ns;
}

static uint64_t now(void) {
    uint64_t now_ns;
    clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    return now_ns;
}

// Thousandths of a CPU that it runs in a while.
static uint64_t measure(handle_t ns) {
    sleep_ms(SETTLE_MS);
    uint64_t from_ns = now(), ran_ns = cpu_ns_of(ns);
    sleep_ms(RUN_MS);
    ran_ns = cpu_ns_of(ns) - ran_ns;
    return ran_ns * 1000 / (now() - from_ns);
}

static bool is_near(handle_t ns, uint64_t wanted, const char *text) {
    uint64_t got = measure(ns);
    uint64_t off = got > wanted ? got - wanted : wanted - got;
    test_printf("%s: %lu thousandths of %lu", text, got, wanted);
    return off * 100 <= wanted * (test_option("counted") ? 5 : 15);
}

// Where time is not that of instructions, a CPU can be away for a while.
static void expect(handle_t ns, uint64_t wanted, const char *text) {
    bool is_held = false;
    for (uint32_t left = test_option("counted") ? 1 : 20; left-- > 0 && !is_held;)
        is_held = is_near(ns, wanted, text);
    test_check(is_held, text);
    test_pass(text);
}

static void alone(void) {
    handle_t ns = namespace_make(test_namespace(), "alone", 250);
    start(ns, spin, 1);
    expect(ns, 250, "one that spins alone");
    cap_set(ns, 500);
    expect(ns, 500, "with another cap");
    cap_set(ns, 0);
    expect(ns, 1000, "without one");
    cap_set(ns, 100);
    expect(ns, 100, "with one that came while it ran");
    test_ok(test_namespace_end(ns), "its end");
}

static void many(twin_entry *entry, const char *text) {
    handle_t ns = namespace_make(test_namespace(), "many", 250);
    start(ns, entry, 8);
    expect(ns, 250, text);
    test_ok(test_namespace_end(ns), "its end");
}

// What they are there for gets done in the time that they have: little of it goes to waiting.
static void done(uint32_t count, uint64_t each_ms, uint64_t cap, const char *text) {
    handle_t processes[60] = {}, ns = namespace_make(test_namespace(), "working", cap);
    uint64_t from_ns = now();
    for (uint32_t i = 0; i < count; i++)
        test_ok(twin_start(ns, work, 0, each_ms, &processes[i]), "a process starts");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t seen;
        test_ok(object_wait(processes[i], SIGNAL_TERMINATED, 0, test_deadline(20'000), &seen),
                text);
        handle_close(processes[i]);
    }
    uint64_t took_ms = (now() - from_ns) / 1'000'000, wanted_ms = count * each_ms * 1000 / cap;
    test_printf("%s: %lu ms of %lu", text, took_ms, wanted_ms);
    test_check(took_ms * 100 <= wanted_ms * 105, text);
    test_pass(text);
    test_ok(test_namespace_end(ns), "its end");
}

// The same, each in a namespace of its own below the cap.
static void done_apart(void) {
    enum { COUNT = 90, EACH_MS = 2 };
    handle_t processes[COUNT] = {}, above = namespace_make(test_namespace(), "above", 250);
    uint64_t from_ns = now();
    for (uint32_t i = 0; i < COUNT; i++) {
        char name[] = {'n', (char)('a' + i / 10), (char)('0' + i % 10), 0};
        handle_t ns = namespace_make(above, name, 0);
        test_ok(twin_start(ns, work, 0, EACH_MS, &processes[i]), "a process starts");
        handle_close(ns);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t seen;
        test_ok(object_wait(processes[i], SIGNAL_TERMINATED, 0, test_deadline(20'000), &seen),
                "it ends");
        handle_close(processes[i]);
    }
    uint64_t took_ms = (now() - from_ns) / 1'000'000, wanted_ms = COUNT * EACH_MS * 4;
    test_printf("work in many namespaces: %lu ms of %lu", took_ms, wanted_ms);
    test_check(took_ms * 100 <= wanted_ms * 102, "work in many namespaces");
    test_pass("work in many namespaces");
    test_ok(test_namespace_end(above), "its end");
}

// Who waits may be killed at any time: another waits in its place.
static void killed(void) {
    enum { COUNT = 12, LEFT = 2 };
    handle_t processes[COUNT] = {}, ns = namespace_make(test_namespace(), "killed", 100);
    for (uint32_t i = 0; i < COUNT; i++)
        test_ok(twin_start(ns, spin, 0, 0, &processes[i]), "a process starts");
    for (uint32_t i = LEFT; i < COUNT; i++) {
        sleep_ms(13);
        test_ok(process_kill(processes[i]), "one is killed");
    }
    expect(ns, 100, "whose others were killed");
    for (uint32_t i = 0; i < COUNT; i++)
        handle_close(processes[i]);
    test_ok(test_namespace_end(ns), "its end");
}

static void below(void) {
    handle_t above = namespace_make(test_namespace(), "above", 400);
    handle_t inner = namespace_make(above, "inner", 100);
    handle_t other = namespace_make(above, "other", 0);
    start(inner, spin, 2);
    start(other, spin, 2);
    expect(inner, 100, "a cap below a cap");
    expect(other, 300, "what is left of the cap above");
    handle_close(inner);
    handle_close(other);
    test_ok(test_namespace_end(above), "their end");
}

// What is left below a cap is divided among namespaces, not among threads.
static void siblings(void) {
    handle_t above = namespace_make(test_namespace(), "above", 250);
    handle_t many = namespace_make(above, "many", 0), one = namespace_make(above, "one", 0);
    start(many, spin, 20);
    start(one, spin, 1);
    expect(one, 125, "one below a cap, beside many");
    handle_close(many);
    handle_close(one);
    test_ok(test_namespace_end(above), "their end");
}

// Who has a cap does not take from who has none, nor is it served late when it has slept.
static void beside(void) {
    handle_t ns = namespace_make(test_namespace(), "capped", 250);
    handle_t free = namespace_make(test_namespace(), "free", 0);
    start(ns, spin, 2);
    start(free, spin, 2);
    expect(ns, 250, "beside another");
    expect(free, 750, "the other has the rest");
    test_ok(test_namespace_end(ns), "its end");
    test_ok(test_namespace_end(free), "its end");
}

// Each is in turn for the first time: the cap holds for what has not run yet, too.
static void crowd(void) {
    handle_t ns = namespace_make(test_namespace(), "crowd", 250);
    uint64_t from_ns = now();
    start(ns, spin, 60);
    while (now() - from_ns < 400'000'000)
        sleep_ms(20);
    uint64_t ran_ns = cpu_ns_of(ns), allowed_ns = (now() - from_ns) / 4 + 25'000'000;
    test_printf("a crowd: %lu ns, %lu are allowed", ran_ns, allowed_ns);
    test_check(ran_ns <= allowed_ns, "a crowd that starts at once");
    test_pass("a crowd that starts at once");
    test_ok(test_namespace_end(ns), "its end");
}

static void two_cpus(void) {
    handle_t ns = namespace_make(test_namespace(), "two", 500);
    start(ns, spin, 4);
    expect(ns, 500, "a cap over two CPUs");
    if (test_option("counted")) {
        cap_set(ns, 1500);
        expect(ns, 1500, "a cap of one CPU and a half");
    }
    test_ok(test_namespace_end(ns), "its end");
}

// It has a CPU for itself, where nothing counts what it runs: that does not count for the cap.
static void late(void) {
    handle_t ns = namespace_make(test_namespace(), "late", 0);
    start(ns, spin, 1);
    sleep_ms(2 * RUN_MS);
    cap_set(ns, 250);
    expect(ns, 250, "a cap for one that has run for long");
    cap_set(ns, 1);
    sleep_ms(SETTLE_MS); // some 4 s beyond it by now
    cap_set(ns, 500);
    expect(ns, 500, "a larger cap does not wait for a smaller");
    test_ok(test_namespace_end(ns), "its end");
}

void test_run(void) {
    struct cl_system_info info = {};
    test_ok(system_info(test_handle(OBJ_SYSTEM), &info), "the number of CPUs");
    if (info.cpus > 1) {
        two_cpus();
        late();
    } else if (test_option("counted")) {
        done(1, 50, 250, "work of one");
        done(8, 10, 250, "work of some");
        done(60, 2, 250, "work of many");
        done(60, 2, 100, "work of many with little");
        done(60, 1, 10, "work of many with next to nothing");
        done_apart();
        killed();
        alone();
        many(spin, "many that spin");
        many(yield, "many that yield");
        below();
        siblings();
        beside();
        crowd();
    } else {
        test_pass("nothing to measure");
    }
}
