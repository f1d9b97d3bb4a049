// Starting the other CPUs: all at once, by INIT and STARTUP to everyone; each takes a ticket in
// boot.S, which is its number, sets itself up, and waits until all are there.
#include "cpu.h"
#include "lib/print.h"
#include "lib/string.h"

enum : u64 {
    TRAMPOLINE_PADDR = 0x8000, // boot.S
    STARTUP_DELAY_NS = 10000,  // from INIT to STARTUP
    STARTUP_AGAIN_NS = 1000000,
    STARTUP_LIMIT_NS = 1000000000,
};

extern u8 trampoline_begin[], trampoline_end[];
u32 smp_tickets = 1;
u32 smp_ticket_limit;
u64 smp_stacks[MAX_CPUS];
static u32 smp_go;

static u32 tickets(void) { return __atomic_load_n(&smp_tickets, __ATOMIC_ACQUIRE); }

static void wait_tickets(u64 until_ns) {
    while (tickets() < smp_ticket_limit && arch_time_ns() < until_ns)
        cpu_pause();
}

void arch_smp_start(void) {
    u32 known = cpu_known_count();
    if (known == 1) return;
    for (u32 i = 1; i < known; i++)
        smp_stacks[i] = cpu_get(i)->stack_top;
    smp_ticket_limit = known;
    memcpy(arch_direct(TRAMPOLINE_PADDR), trampoline_begin,
           (usize)(trampoline_end - trampoline_begin));

    u64 begin_ns = arch_time_ns();
    apic_start_others(TRAMPOLINE_PADDR, 0);
    while (arch_time_ns() < begin_ns + STARTUP_DELAY_NS)
        cpu_pause();
    apic_start_others(TRAMPOLINE_PADDR, 1);
    wait_tickets(begin_ns + STARTUP_AGAIN_NS);
    if (tickets() < known) apic_start_others(TRAMPOLINE_PADDR, 1);
    wait_tickets(begin_ns + STARTUP_LIMIT_NS);

    // Who is late gets a ticket above the limit, and halts.
    u32 came = min(__atomic_exchange_n(&smp_tickets, MAX_CPUS, __ATOMIC_ACQ_REL), known);
    if (came < known) klog(LOG_WARNING, "only %u of %u CPUs have started\n", came, known);
    for (u32 i = 1; i < came; i++) {
        while (!__atomic_load_n(&cpu_get(i)->online, __ATOMIC_ACQUIRE))
            cpu_pause();
    }
    __atomic_store_n(&cpu_running, came, __ATOMIC_RELEASE);
    __atomic_store_n(&smp_go, 1, __ATOMIC_RELEASE);
}

void smp_cpu_main(u32 cpu_id) {
    struct arch_cpu *cpu = cpu_get(cpu_id);
    cpu_set_base(cpu);
    cpu_setup(cpu);
    apic_init_cpu();
    time_init_cpu();
    __atomic_store_n(&cpu->online, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&smp_go, __ATOMIC_ACQUIRE))
        cpu_pause();
    cpu_start();
}
