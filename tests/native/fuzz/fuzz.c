// Rounds: a namespace of little credit, workers in it, its end; and each time all is counted anew.
// On the kernel's command line: `seed=N`, `calls=N` (how many at least).
#include "fuzz.h"
#include "lib/kernel_check.h"
#include "lib/string.h"
#include "twin.h"

enum { CALLS_DEFAULT = 40000, WORKERS = 3 };
enum : uint64_t { ROUND_MS = 60000, DEATH_MS = 60000, KILL_MS = 400 };

static handle_t counts_memobj;
static uint32_t rounds, killed, late, ended_early;

static uint64_t number_option(const char *key, uint64_t value) {
    const char *text = test_option(key);
    if (!text) return value;
    for (value = 0; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (uint64_t)(*text - '0');
    return value;
}

static void counts_make(void) {
    uint64_t address, size = (sizeof(*fuzz_counts) + CL_PAGE_SIZE - 1) & ~(CL_PAGE_SIZE - 1);
    test_ok(memobj_create(test_namespace(), size, &counts_memobj), "counts");
    test_ok(aspace_map(0, counts_memobj, 0, 0, size, CL_MAP_READ | CL_MAP_WRITE | CL_MAP_SHARED,
                       &address),
            "counts");
    fuzz_counts = (struct fuzz_counts *)address;
}

// What workers find under a name, with fewer rights than the test has.
static void name_give(handle_t ns, const char *name, handle_t handle, uint32_t rights) {
    const struct cl_acl everyone = {.everyone = ~0u};
    handle_t copy;
    if (!handle || handle_duplicate(handle, rights | RIGHT_DUPLICATE, &copy) != OK) return;
    test_ok(ns_bind(ns, name, (uint32_t)strlen(name), copy, &everyone), "ns_bind");
    handle_close(copy);
}

static handle_t namespace_make(void) {
    struct cl_ns_limits limits;
    handle_t ns;
    memset(&limits, 0xff, sizeof(limits)); // CL_LIMIT_SAME
    limits.memory_pages = 1400;
    limits.threads = 24;
    limits.handles = 600;
    limits.names = 40;
    limits.timers = 24;
    limits.message_bytes = 64 << 10;
    test_ok(ns_create(test_namespace(), "fuzz", 4, &limits, &ns), "ns_create");
    name_give(ns, "counts", counts_memobj, RIGHT_READ | RIGHT_WRITE);
    name_give(ns, "x", test_named("system"), RIGHT_INSPECT | RIGHT_WAIT);
    name_give(ns, "y", test_named("block0"), RIGHT_INSPECT | RIGHT_READ);
    name_give(ns, "z", test_named("nic0"), RIGHT_INSPECT | RIGHT_READ);
    return ns;
}

// The first becomes a template.
static void workers_start(handle_t ns, uint64_t seed, handle_t workers[WORKERS]) {
    for (uint64_t i = 0; i < WORKERS; i++) {
        handle_t copy;
        test_ok(handle_duplicate(ns, CL_RIGHTS_SAME, &copy), "handle_duplicate");
        test_ok(twin_start(ns, fuzz_worker, copy, (seed * WORKERS + i) * 2 + (i == 0), &workers[i]),
                "a worker");
    }
}

// Until they have ended, or (some rounds) for a while. Process 0 is the template. What happens to be
// restricted code can be a loop: then a worker does not end by itself.
static void workers_wait(struct fuzzer *f, const handle_t workers[WORKERS]) {
    uint32_t observed;
    bool is_kill = fuzz_below(f, 3) == 0;
    uint64_t wait_ms = is_kill ? 1 + fuzz_below(f, KILL_MS) : ROUND_MS;
    uint64_t deadline = test_deadline(wait_ms);
    for (uint32_t i = 1; i < WORKERS; i++) {
        status_t status = object_wait(workers[i], SIGNAL_TERMINATED, 0, deadline, &observed);
        late += status != OK && !is_kill;
    }
    killed += is_kill;
}

static void workers_close(handle_t workers[WORKERS]) {
    for (uint32_t i = 0; i < WORKERS; i++) {
        struct cl_object_info info;
        if (object_info(workers[i], &info) == OK && info.detail[0] != CL_PROCESS_STATE_EXITED)
            ended_early += i != 0;
        test_check(info.detail[0] != CL_PROCESS_STATE_EXITED || info.detail[1] != 2,
                   "a status that is none");
        handle_close(workers[i]);
    }
}

static void round_run(struct fuzzer *f, uint64_t seed) {
    handle_t workers[WORKERS];
    uint32_t observed;
    handle_t ns = namespace_make();
    workers_start(ns, seed, workers);
    workers_wait(f, workers);
    kernel_check();
    workers_close(workers);
    test_ok(ns_kill(ns), "ns_kill");
    test_ok(object_wait(ns, SIGNAL_TERMINATED, 0, test_deadline(DEATH_MS), &observed), "its end");
    handle_close(ns);
    kernel_check();
    rounds++;
}

static void report(void) {
    uint32_t pairs = 0, never = 0;
    uint64_t done = 0;
    for (uint32_t i = 0; i < sizeof(sweep_calls) / sizeof(sweep_calls[0]); i++) {
        const uint32_t *answers = fuzz_counts->answers[sweep_calls[i].number];
        done += answers[0];
        for (uint32_t error = 0; error < FUZZ_ERRORS; error++)
            pairs += answers[error] != 0;
        if (answers[0]) continue;
        test_printf("fuzz: never done: %s", sweep_calls[i].name);
        never++;
    }
    test_printf("fuzz: seed %lu: %lu calls in %u rounds, %lu done; %u calls never; %u answers",
                number_option("seed", 0), fuzz_counts->calls, rounds, done, never, pairs);
    test_printf(
        "fuzz: %u rounds ended by a kill; of the workers %u were late, %u ended by what they did",
        killed, late, ended_early);
    test_printf("fuzz: %u calls with too few rights, of which %u were done (the last is number %u)",
                fuzz_counts->poor, fuzz_counts->poor_done, fuzz_counts->poor_number);
    test_printf("fuzz: %u more were done with another handle of the same number",
                fuzz_counts->poor_rich);
    test_check(fuzz_counts->poor > 0 && fuzz_counts->poor_done == 0,
               "no call is done without the rights that it asks for");
    test_check(fuzz_counts->poor_rich <= 20 + fuzz_counts->poor / 1000,
               "handles do not get rights that they were not made with");
    test_check(late <= 1 + rounds / 8, "workers end by themselves");
    test_check(done > fuzz_counts->calls / 8, "too few calls were right to mean anything");
}

void test_run(void) {
    uint64_t seed = number_option("seed", 0), calls = number_option("calls", CALLS_DEFAULT);
    struct fuzzer f = {.random_state = seed * 2 + 1};
    counts_make();
    while (fuzz_counts->calls < calls && fuzz_counts->poor_done == 0)
        round_run(&f, seed << 20 | rounds);
    report();
    test_pass("random system calls return, and the kernel stands");
}
