// Who gets the processor: by weight, in nested namespaces, whatever the number of threads; who
// sleeps is served soon. On one CPU (the machine counts instructions as time) shares are compared
// with weights; on two, equal spinners get equal shares.
#include "lib/string.h"
#include "lib/test.h"
#include "lib/threads.h"
#include "lib/twin.h"

enum : uint64_t {
    RUN_MS = 1000,
    RUN_SMP_MS = 500,
    RUN_LONG_MS = 10000,
    SETTLE_MS = 50,
    WEIGHT = 100,
    SLEEPS = 40,
    SLEEP_NS = 7'000'000,
    LATE_NS_MAX = 2'000'000,
};
enum { SLEEPERS_SPINNERS = 50, ATTEMPTS = 10 };

[[noreturn]] static void spin(handle_t, uint64_t) {
    for (;;)
        __asm__ volatile(".rept 100\n\tnop\n\t.endr"); // few jumps: quick to emulate
}

// Yields at every moment, which must gain it nothing.
[[noreturn]] static void spin_yielding(handle_t, uint64_t) {
    for (;;)
        thread_yield();
}

// Gives the CPU up just before it would be taken away.
[[noreturn]] static void spin_and_yield(handle_t, uint64_t) {
    for (;;) {
        for (uint32_t i = 0; i < 30000; i++)
            __asm__ volatile(".rept 100\n\tnop\n\t.endr");
        thread_yield();
    }
}

static handle_t namespace_make(handle_t parent, const char *name, uint64_t weight) {
    struct cl_ns_limits limits;
    handle_t ns = 0;
    memset(&limits, 0xff, sizeof(limits)); // LIMIT_SAME
    limits.cpu_weight = weight;
    test_ok(ns_create(parent, name, (uint32_t)strlen(name), &limits, &ns), "a namespace");
    return ns;
}

static void spinners_start(handle_t ns, twin_entry *entry, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        handle_t process;
        test_ok(twin_start(ns, entry, 0, 0, &process), "a spinner starts");
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

// What each of these namespaces has run in a while, in thousandths of all of them.
static void shares_measure(const handle_t *spaces, uint32_t count, uint64_t run_ms,
                           uint64_t *shares) {
    uint64_t total = 0;
    sleep_ms(SETTLE_MS);
    for (uint32_t i = 0; i < count; i++)
        shares[i] = cpu_ns_of(spaces[i]);
    sleep_ms(run_ms);
    for (uint32_t i = 0; i < count; i++)
        total += shares[i] = cpu_ns_of(spaces[i]) - shares[i];
    for (uint32_t i = 0; i < count; i++)
        shares[i] = shares[i] * 1000 / total;
}

static bool share_is_near(uint64_t share, uint64_t wanted, uint64_t tolerance_percent) {
    uint64_t off = share > wanted ? share - wanted : wanted - share;
    return off * 100 <= wanted * tolerance_percent;
}

static void shares_check(const uint64_t *shares, const uint64_t *wanted, uint32_t count,
                         uint64_t tolerance_percent, const char *text) {
    for (uint32_t i = 0; i < count; i++) {
        if (share_is_near(shares[i], wanted[i], tolerance_percent)) continue;
        test_printf("share %u: %lu thousandths, not %lu", i, shares[i], wanted[i]);
        test_fail(text);
    }
    test_pass(text);
}

static void all_end(const handle_t *spaces, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        test_ok(test_namespace_end(spaces[i]), "its end");
}

static void weights(void) {
    static const uint64_t wanted[] = {143, 286, 571};
    handle_t spaces[3];
    uint64_t shares[3];
    for (uint32_t i = 0; i < 3; i++) {
        spaces[i] =
            namespace_make(test_namespace(), (const char *[]){"a", "b", "c"}[i], WEIGHT << i);
        spinners_start(spaces[i], spin, 1);
    }
    shares_measure(spaces, 3, RUN_MS, shares);
    shares_check(shares, wanted, 3, 5, "weights 1:2:4");
    all_end(spaces, 3);
}

static void nested(void) {
    static const uint64_t wanted[] = {125, 375, 500};
    handle_t above = namespace_make(test_namespace(), "above", WEIGHT);
    handle_t spaces[3] = {namespace_make(above, "one", WEIGHT),
                          namespace_make(above, "two", 3 * WEIGHT),
                          namespace_make(test_namespace(), "beside", WEIGHT)};
    uint64_t shares[3];
    for (uint32_t i = 0; i < 3; i++)
        spinners_start(spaces[i], spin, 1);
    shares_measure(spaces, 3, RUN_MS, shares);
    shares_check(shares, wanted, 3, 5, "nested weights");
    all_end(&spaces[2], 1);
    all_end(&above, 1);
    handle_close(spaces[0]);
    handle_close(spaces[1]);
}

// Weights and nested weights in one tree, over ten seconds: `fairness=long` on the kernel's command line.
static void tree(void) {
    static const uint64_t wanted[] = {143, 143, 143, 143, 429};
    handle_t ones[3], spaces[5];
    uint64_t shares[5];
    for (uint32_t i = 0; i < 3; i++)
        ones[i] = namespace_make(test_namespace(), (const char *[]){"a", "b", "c"}[i], WEIGHT << i);
    spaces[0] = ones[0];
    spaces[1] = namespace_make(ones[1], "b1", WEIGHT);
    spaces[2] = namespace_make(ones[1], "b2", WEIGHT);
    spaces[3] = namespace_make(ones[2], "c1", WEIGHT);
    spaces[4] = namespace_make(ones[2], "c2", 3 * WEIGHT);
    for (uint32_t i = 0; i < 5; i++)
        spinners_start(spaces[i], spin, i + 1);
    shares_measure(spaces, 5, RUN_LONG_MS, shares);
    for (uint32_t i = 0; i < 5; i++)
        test_printf("share %u: %lu of %lu thousandths", i, shares[i], wanted[i]);
    shares_check(shares, wanted, 5, 5, "a tree of weights over ten seconds");
    all_end(ones, 3);
    for (uint32_t i = 1; i < 5; i++)
        handle_close(spaces[i]);
}

static void crowds(twin_entry *entry, uint32_t count, const char *text) {
    static const uint64_t wanted[] = {500, 500};
    handle_t spaces[2] = {namespace_make(test_namespace(), "one", WEIGHT),
                          namespace_make(test_namespace(), "many", WEIGHT)};
    uint64_t shares[2];
    spinners_start(spaces[0], spin, 1);
    spinners_start(spaces[1], entry, count);
    shares_measure(spaces, 2, RUN_MS, shares);
    shares_check(shares, wanted, 2, 15, text);
    all_end(spaces, 2);
}

static void equal(void) {
    static const uint64_t wanted[] = {250, 250, 250, 250};
    static const char *const names[] = {"a", "b", "c", "d"};
    handle_t spaces[4];
    uint64_t shares[4];
    for (uint32_t i = 0; i < 4; i++) {
        spaces[i] = namespace_make(test_namespace(), names[i], WEIGHT);
        spinners_start(spaces[i], spin, 1);
    }
    // Time is the host's here, which may be busy: one good while is enough.
    bool are_near = false;
    for (uint32_t attempt = 0; attempt < ATTEMPTS && !are_near; attempt++) {
        shares_measure(spaces, 4, RUN_SMP_MS, shares);
        are_near = true;
        for (uint32_t i = 0; i < 4; i++)
            are_near &= share_is_near(shares[i], wanted[i], 10);
    }
    shares_check(shares, wanted, 4, 10, "four equal spinners on two CPUs");
    all_end(spaces, 4);
}

// The longest time after its deadline that a sleeper runs on.
static void latency(void) {
    handle_t spaces[1] = {namespace_make(test_namespace(), "spinners", WEIGHT)};
    uint64_t late_ns = 0;
    spinners_start(spaces[0], spin, SLEEPERS_SPINNERS);
    sleep_ms(SETTLE_MS);
    for (uint32_t i = 0; i < SLEEPS; i++) {
        static uint32_t word;
        uint64_t now_ns, deadline_ns = test_deadline(0) + SLEEP_NS + i * 100'000;
        futex_wait((uint64_t)&word, 0, 0, deadline_ns);
        clock_get(CL_CLOCK_MONOTONIC, &now_ns);
        late_ns = now_ns - deadline_ns > late_ns ? now_ns - deadline_ns : late_ns;
    }
    test_printf("latest wake-up: %lu ns", late_ns);
    test_check(late_ns <= LATE_NS_MAX, "a sleeper is served within 2 ms");
    test_pass("a sleeper beside 50 spinners");
    all_end(spaces, 1);
}

void test_run(void) {
    struct cl_system_info info = {};
    test_ok(system_info(test_handle(OBJ_SYSTEM), &info), "the number of CPUs");
    if (info.cpus > 1) {
        equal();
        return;
    }
    if (test_option("fairness")) {
        tree();
        return;
    }
    weights();
    nested();
    crowds(spin, 10, "ten threads have the share of one namespace");
    crowds(spin_yielding, 3, "yields gain nothing and lose nothing to speak of");
    crowds(spin_and_yield, 1, "who yields at the end of its slice is charged for it");
    latency();
}
