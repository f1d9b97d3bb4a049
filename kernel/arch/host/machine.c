// Memory, log and the end of the machine; and devices, of which there are none.
#include "abi/errors.h"
#include "check/check.h"
#include "drivers/serial.h"
#include "host.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/page.h"
#include "object/namespace.h"
#include "object/reaper.h"
#include "object/thread_object.h"
#include "os.h"
#include "sched/thread.h"
#include "tlb.h"

void host_cpus_init(u32 count);

alignas(PAGE_SIZE) u8 host_ram[HOST_RAM_SIZE];

void arch_boot_memory(void (*add)(u64 paddr, u64 size)) {
    add(PAGE_SIZE, HOST_RAM_SIZE - PAGE_SIZE); // frame 0 means none
}

u64 arch_memory_end(void) { return HOST_RAM_SIZE; }

void page_zero(void *page) { __builtin_memset(page, 0, PAGE_SIZE); }

// The disk may be writing to a page of the user's, at the user's own wish: as in user.c, that is no
// affair of a sanitizer's.
__attribute__((no_sanitize("thread"))) void page_copy(void *restrict to,
                                                      const void *restrict from) {
    volatile u64 *there = to;
    for (u32 i = 0; i < PAGE_SIZE / sizeof(u64); i++)
        there[i] = ((const volatile u64 *)from)[i];
}

usize strlcpy(char *restrict to, const char *restrict from, usize size) {
    usize length = strlen(from);
    usize kept = min(length, size - 1);
    __builtin_memcpy(to, from, kept);
    to[kept] = 0;
    return length;
}

// ---- running ----

struct run {
    int (*test)(void *argument);
    void *argument;
};

// What ThreadSanitizer does not see: that nobody else runs.
static bool can_check(void) { return !__has_feature(thread_sanitizer); }

// Who ends a fuzzer is no CPU.
static void check_at_exit(void) {
    if (host_cpu) object_check_or_panic();
}

static void run_test(void *argument) {
    const struct run *run = argument;
    host_os_exit(run->test(run->argument));
}

void host_run(u32 cpus, int (*test)(void *argument), void *argument) {
    static struct run run;
    run = (struct run){test, argument};
    if (can_check()) host_os_at_exit(check_at_exit);
    log_set_output(host_os_print);
    host_cpus_init(cpus);
    tlb_init();
    sched_init_cpu();
    ns_init_root();
    page_init(&ns_root->ledger);
    arch_smp_start();
    reaper_init();
    ASSERT(thread_kernel_create(run_test, &run) == OK);
    sched_idle();
}

void cpu_start(void) {
    sched_init_cpu();
    sched_idle();
}

bool panic_running(void) { return false; }

void panic(const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    usize length = kvsnprintf(text, sizeof(text) - 1, format, arguments);
    va_end(arguments);
    length = min(length, sizeof(text) - 2);
    text[length++] = '\n';
    host_os_print("PANIC: ", 7);
    host_os_print(text, length);
    host_os_abort();
}

void arch_poweroff(enum arch_poweroff_kind kind) { host_os_exit(kind == ARCH_REBOOT); }

void arch_build_id(char *text, usize size) { strlcpy(text, "host", size); }

// ---- what there is not ----

status_t arch_restricted_arm(u64 state_address) {
    (void)state_address;
    return ERR_NOT_SUPPORTED;
}

bool serial_port_present(u32 port) {
    (void)port;
    return false;
}

void serial_port_set_handlers(u32 port, const struct serial_port_handlers *handlers) {
    (void)port;
    (void)handlers;
}

void serial_port_resume(u32 port) { (void)port; }

void serial_drain(void) {}

bool serial_log_has_room(usize) { return true; }

usize serial_port_write(u32 port, const u8 *bytes, usize count) {
    (void)port;
    (void)bytes;
    return count;
}
