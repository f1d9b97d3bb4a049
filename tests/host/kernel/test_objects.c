// Several threads at a time make whatever calls on the object kernel (tests/fuzz/objects.h), for the
// sanitizers: test_objects SEED ROUNDS CPUS. In each round three processes share handles, names,
// memory and credit, until their namespace is killed under them.
#include "../../fuzz/objects.h"
#include "object/namespace.h"
#include "object/process.h"
#include <stdlib.h>

enum : u64 { MS = 1'000'000, STREAMS = 64 };
enum { ROUND_CALLS_MIN = 100 };

static struct {
    u64 seed, rounds;
    u32 cpus;
    u64 streams[STREAMS]; // a random number generator for each thread of a round
} run_state;

static bool random_byte(void *state, u8 *byte) {
    u64 *random = state;
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *byte = (u8)(*random >> 24);
    return true;
}

static void bytes_for(struct bytes *bytes, u64 thread) {
    *bytes = (struct bytes){random_byte, &run_state.streams[thread % STREAMS], false};
}

static void driver_main(u64, u64) {
    for (u64 round = 0; round < run_state.rounds; round++) {
        for (u64 i = 0; i < STREAMS; i++)
            run_state.streams[i] = (run_state.seed + round) * 2654435761u + i * 7919 + 1;
        objects_round((u8)round);
    }
    u64 calls = objects_calls();
    if (calls < run_state.rounds * ROUND_CALLS_MIN) panic("only %lu calls were made", calls);
    kprintf("%lu calls, PASS\n", calls);
    exit(0);
}

static int run(void *) {
    static const struct objects_options options = {
        .threads = 2,
        .calls = 300,
        .limit_ns = 100 * MS,
        .bytes_for = bytes_for,
    };
    static struct waitq forever;
    static struct lock lock = LOCK_INIT(LOCK_OBJECT);
    struct process *process;
    struct arch_user_start start = {.ip = (u64)driver_main};
    objects_begin(&options);
    if (process_create(ns_root, nullptr, &process) != OK ||
        process_start(process, &start, CL_HANDLE_INVALID) != OK)
        panic("no memory");
    object_put(&process->base);
    waitq_init(&forever);
    for (;;) {
        lock_acquire(&lock);
        (void)waitq_block(&forever, &lock, CL_DEADLINE_NEVER, 0);
    }
}

int main(int count, char **arguments) {
    if (count != 4) return 2;
    run_state.seed = strtoul(arguments[1], nullptr, 0);
    run_state.rounds = strtoul(arguments[2], nullptr, 0);
    run_state.cpus = (u32)strtoul(arguments[3], nullptr, 0);
    host_run(run_state.cpus, run, nullptr);
}
