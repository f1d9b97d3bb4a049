// From boot.S to kmain(): the order in which the boot CPU brings everything up.
#include "cpu.h"
#include "drivers/acpi.h"
#include "drivers/apic.h"
#include "drivers/clock.h"
#include "drivers/serial.h"
#include "lib/print.h"

static NORETURN void boot_main(u64 start_info_paddr) {
    serial_init();
    boot_memory_init(start_info_paddr);
    cpu_check_features();
    mmu_init();
    cpu_add_exception_stacks(cpu_table[0]);
    cpu_setup(cpu_table[0]);
    acpi_init(boot_rsdp);
    apic_init();
    clock_init();
    serial_init_interrupts();
    clock_finish();
    kmain();
}

// Called by boot.S on every CPU, the boot CPU (ticket 0) still with the boot page table.
[[gnu::used]] NORETURN void cpu_main(u32 ticket, u64 start_info_paddr) {
    struct arch_cpu *cpu = cpu_table[ticket];
    cpu_set_base(cpu);
    if (ticket == 0) boot_main(start_info_paddr);
    smp_cpu_main(cpu);
}
