// Many threads in one process, each part a race: nothing is lost, nothing is left.
#include "threads.h"

enum : uint64_t { STACK_SIZE = 32768 };
static uint8_t stacks[WORKERS_MAX][STACK_SIZE] __attribute__((aligned(16)));
static void (*worker_run)(uint64_t number);

static void worker_main(uint64_t number) {
    worker_run(number);
    thread_exit();
}

void workers_run(uint32_t count, void (*run)(uint64_t number)) {
    handle_t threads[WORKERS_MAX] = {};
    uint32_t seen;
    worker_run = run;
    for (uint32_t i = 0; i < count; i++)
        test_ok(thread_create((uint64_t)worker_main, (uint64_t)stacks[i] + STACK_SIZE - 8, i,
                              &threads[i]),
                "a worker");
    for (uint32_t i = 0; i < count; i++) {
        test_check(
            object_wait(threads[i], SIGNAL_TERMINATED, 0, test_deadline(3 * LIMIT_MS), &seen) == OK,
            "a worker ends");
        handle_close(threads[i]);
    }
}

static struct cl_ns_info info_now(void) {
    struct cl_ns_info info = {};
    ns_info(test_namespace(), &info);
    return info;
}

static bool is_same(const struct cl_ns_info *a, const struct cl_ns_info *b) {
    return a->objects == b->objects && a->handles == b->handles && a->threads == b->threads &&
           a->timers == b->timers && a->message_bytes == b->message_bytes;
}

void test_run(void) {
    struct cl_ns_info before = info_now();
    futexes();
    storms();
    endings();
    handle_races();
    port_races();
    memory_races();
    kicks();
    selectors();
    uint64_t limit = test_deadline(1000);
    struct cl_ns_info after = info_now();
    while (!is_same(&before, &after) && test_deadline(0) < limit) {
        thread_yield();
        after = info_now();
    }
    if (!is_same(&before, &after))
        test_printf("objects %lu %lu, handles %lu %lu, threads %lu %lu", before.objects,
                    after.objects, before.handles, after.handles, before.threads, after.threads);
    test_check(is_same(&before, &after), "as much as before");
    test_result("threads", "the ledger balances", nullptr);
}
