// What the template prepares: processor facts, /dev, /tmp and /proc, the first thread's block.
#include "linux/boot.h"

#include "linux/container.h"
#include "linux/processor.h"
#include "linux/system.h"
#include "linux/thread.h"

static struct thread *first_thread;

int boot_prepare(struct boot *boot) {
    processor_prepare();
    int result = system_prepare();
    if (result != 0) {
        return result;
    }
    first_thread = thread_alloc();
    if (!first_thread) {
        return -ENOMEM;
    }
    boot->stack = (u64)thread_stack_top(first_thread);
    return 0;
}

void boot_run(handle_t bootstrap) {
    container_start(first_thread, bootstrap);
    thread_loop(first_thread);
}
