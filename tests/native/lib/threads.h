// Threads and child processes for native tests.
#pragma once
#include "cloister.h"

// Starts a thread of this process that runs `run(argument)` and ends. At most THREADS_MAX in a
// program's life: stacks are not used again. The handle is for waiting.
enum { TEST_THREADS_MAX = 16 };
handle_t test_thread(void (*run)(uint64_t argument), uint64_t argument);
// Waits until it has ended, and closes the handle.
void test_thread_join(handle_t thread);

// Starts the program `name` (test/NAME) in `ns` with the handle `gift`, which moves: there
// test_named("gift") says that it is a child. *process has all rights.
status_t test_child(handle_t ns, const char *name, handle_t gift, handle_t *process);
// A child namespace of the test's own, with default limits.
handle_t test_child_namespace(const char *name);
// Kills it and waits until nothing of it is left; closes the handle.
status_t test_namespace_end(handle_t ns);
