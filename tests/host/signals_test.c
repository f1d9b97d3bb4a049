// Signals, timers and pids where the machine is short of something. Expected results are Linux's.
#include "linux_test.h"

#include "linux/signal.h"

// SIGKILL from outside ends the first process, also where nothing can be kept of it but the bit.
// Ends the test: with status 0 when the process ends.
[[noreturn]] static void test_kill_without_memory(void) {
    const struct queued_signal signal = {.signal = SIGKILL, .traits = SIGNAL_FROM_OUTSIDE};
    if (failures) exit(1);
    fake_heap_is_empty = true;
    signal_send(first->process, &signal);
    fake_heap_is_empty = false;
    signal_deliver(first);
    printf("the first process goes on after SIGKILL\n");
    exit(1);
}

int main(int argc, char **argv) {
    boot_image(argc, argv);
    test_kill_without_memory();
}
