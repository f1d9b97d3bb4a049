// libFuzzer over the object kernel (objects.h): an input is the calls of three processes, who take
// the next one in turn. One CPU, and time that stands still: the same input is the same run.
#include "objects.h"
#include "arch/host/os.h"
#include "lib/print.h"
#include "object/namespace.h"
#include "object/process.h"
#include <stdlib.h>

enum : u64 { MS = 1'000'000 };

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const u8 *data, usize size);

static struct input {
    const u8 *at, *end;
    struct host_gate *given, *done;
} input;

static bool input_next(void *, u8 *byte) {
    if (input.at == input.end) return false;
    *byte = *input.at++;
    return true;
}

static void bytes_for(struct bytes *bytes, u64) { *bytes = (struct bytes){.next = input_next}; }

// The driver is a process of the root namespace; while it waits for an input its CPU does.
static void driver_main(u64, u64) {
    for (;;) {
        u8 settings = 0;
        host_gate_wait(input.given, ~0ul);
        (void)input_next(nullptr, &settings);
        objects_round(settings);
        host_gate_post(input.done);
    }
}

static void silent(const char *, usize) {}

static int run(void *) {
    static const struct objects_options options = {
        .threads = 1,
        .calls = 400,
        .limit_ns = 20 * MS,
        .is_checked = true,
        .bytes_for = bytes_for,
    };
    static struct waitq forever;
    static struct lock lock = LOCK_INIT(LOCK_OBJECT);
    struct process *process;
    struct arch_user_start start = {.ip = (u64)driver_main};
    if (!getenv("FUZZ_LOG")) log_set_output(silent);
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

static void machine_main(void *) { host_run(1, run, nullptr); }

int LLVMFuzzerInitialize(int *, char ***) {
    input.given = host_gate_create();
    input.done = host_gate_create();
    host_time_stop();
    host_os_thread_start(machine_main, nullptr);
    return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, usize size) {
    input.at = data;
    input.end = data + size;
    host_gate_post(input.given);
    host_gate_wait(input.done, ~0ul);
    return 0;
}
