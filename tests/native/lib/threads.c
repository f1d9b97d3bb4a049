// See threads.h.
#include "threads.h"

#include "lib/loader.h"
#include "lib/string.h"
#include "test.h"

enum { STACK_BYTES = 16384, END_MS = 60000 }; // a hang, however busy the host is

static struct start {
    void (*run)(uint64_t argument);
    uint64_t argument;
} starts[TEST_THREADS_MAX];
alignas(16) static uint8_t stacks[TEST_THREADS_MAX][STACK_BYTES];
static uint32_t started;

static void thread_main(uint64_t number) {
    starts[number].run(starts[number].argument);
    thread_exit();
}

handle_t test_thread(void (*run)(uint64_t argument), uint64_t argument) {
    handle_t thread = 0;
    uint32_t number = started++;
    if (number >= TEST_THREADS_MAX) {
        test_fail("too many threads in one test program");
        process_exit(1);
    }
    starts[number] = (struct start){run, argument};
    // As after a call: the stack pointer is 8 off its alignment.
    uint64_t stack = (uint64_t)stacks[number] + STACK_BYTES - 8;
    status_t status = thread_create((uint64_t)thread_main, stack, number, &thread);
    // A child may be dying: that is its parent's doing, and no failure.
    if (status != OK && test_named("gift")) process_exit(1);
    test_ok(status, "a thread can be made");
    return thread;
}

void test_thread_join(handle_t thread) {
    uint32_t observed;
    test_check(object_wait(thread, SIGNAL_TERMINATED, 0, test_deadline(END_MS), &observed) == OK,
               "a thread ends");
    handle_close(thread);
}

status_t test_child(handle_t ns, const char *name, handle_t gift, handle_t *process) {
    static char bytes[256];
    struct records_writer records;
    handle_t control = 0;
    const char *problem;
    records_begin(&records, bytes, sizeof(bytes));
    records_add_handle(&records, "gift", gift);
    status_t status =
        program_start(ns, test_handle(OBJ_MEMOBJ), name, &records, process, &control, &problem);
    if (status == OK) handle_close(control);
    return status;
}

handle_t test_child_namespace(const char *name) {
    struct cl_ns_limits limits;
    handle_t ns = 0;
    memset(&limits, 0xff, sizeof(limits)); // LIMIT_SAME: the defaults
    test_ok(ns_create(test_namespace(), name, (uint32_t)strlen(name), &limits, &ns),
            "a namespace can be made");
    return ns;
}

status_t test_namespace_end(handle_t ns) {
    uint32_t observed;
    status_t status = ns_kill(ns);
    if (status == OK)
        status = object_wait(ns, SIGNAL_TERMINATED, 0, test_deadline(END_MS), &observed);
    handle_close(ns);
    return status;
}
