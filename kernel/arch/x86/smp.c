// Starting the other CPUs: all at once, by INIT and STARTUP to everyone; each takes a ticket in
// boot.S, which is its number, sets itself up, and waits until all are there.
#include "cpu.h"
#include "drivers/acpi.h"
#include "drivers/apic.h"
#include "drivers/clock.h"
#include "lib/print.h"
#include "lib/string.h"

enum : u64 {
    TRAMPOLINE_PADDR = 0x8000,
    STARTUP_DELAY_NS = 10000, // from INIT to STARTUP
    STARTUP_AGAIN_NS = 1000000,
    STARTUP_LIMIT_NS = 1000000000,
};

extern u8 trampoline_begin[], trampoline_end[];
u32 smp_ticket_limit = 1;
static u32 smp_online = 1; // have come up, one after the other
static u32 smp_go;

// Waits until then at most; true if so many have come up.
static bool wait_online(u32 count, u64 until_ns) {
    while (__atomic_load_n(&smp_online, __ATOMIC_ACQUIRE) < count) {
        if (arch_time_ns() >= until_ns) return false;
        cpu_pause();
    }
    return true;
}

static void start(u64 begin_ns) {
    memcpy(arch_direct(TRAMPOLINE_PADDR), trampoline_begin,
           (usize)(trampoline_end - trampoline_begin));
    apic_reset_others();
    while (arch_time_ns() < begin_ns + STARTUP_DELAY_NS)
        cpu_pause();
    apic_start_others(TRAMPOLINE_PADDR);
    if (!wait_online(smp_ticket_limit, begin_ns + STARTUP_AGAIN_NS))
        apic_start_others(TRAMPOLINE_PADDR);
}

void arch_smp_start(void) {
    u32 known = min(acpi.cpu_count, (u32)MAX_CPUS);
    u64 begin_ns = arch_time_ns();
    for (u32 id = 1; id < known; id++)
        cpu_add(id);
    smp_ticket_limit = known;
    if (known > 1) start(begin_ns);
    (void)wait_online(known, begin_ns + STARTUP_LIMIT_NS);
    u32 came = __atomic_load_n(&smp_online, __ATOMIC_ACQUIRE);
    if (came < acpi.cpu_count)
        klog(LOG_WARNING, "only %u of %u CPUs are used\n", came, acpi.cpu_count);
    __atomic_store_n(&cpu_running, came, __ATOMIC_RELEASE);
    __atomic_store_n(&smp_go, 1, __ATOMIC_RELEASE);
}

void smp_cpu_main(struct arch_cpu *cpu) {
    cpu_setup(cpu);
    apic_init_cpu();
    clock_init_cpu();
    while (__atomic_load_n(&smp_online, __ATOMIC_ACQUIRE) != cpu->cpu.id)
        cpu_pause();
    __atomic_store_n(&smp_online, cpu->cpu.id + 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&smp_go, __ATOMIC_ACQUIRE))
        cpu_pause();
    if (cpu->cpu.id >= arch_cpu_count()) panic_stop_here(); // too late
    cpu_start();
}

void arch_ipi_resched(u32 cpu_id) {
    if (cpu_id == arch_cpu_id())
        arch_this_cpu()->work |= CPU_WORK_RESCHED;
    else
        apic_send(cpu_id, VECTOR_RESCHED);
}
