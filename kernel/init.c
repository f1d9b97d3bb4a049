// The order in which the kernel above arch/ comes up.
#include "arch/arch.h"
#include "drivers/drivers.h"
#include "drivers/random.h"
#include "lib/print.h"
#include "mm/page.h"
#include "object/boot.h"
#include "object/namespace.h"
#include "object/reaper.h"
#include "sched/thread.h"

NORETURN void kmain(void) {
    arch_smp_start();
    sched_init_cpu();
    ns_init_root();
    page_init(&ns_root->ledger);
    random_init();
    drivers_init(&ns_root->ledger);
    reaper_init();
    boot_start_init();
    sched_idle();
}

NORETURN void cpu_start(void) {
    sched_init_cpu();
    sched_idle();
}
