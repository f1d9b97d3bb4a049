// From the loader's state to kmain(): the order in which the boot CPU brings everything up.
#include "cpu.h"
#include "drivers/acpi.h"
#include "drivers/serial.h"
#include "lib/print.h"

// The other CPUs that the firmware announces.
static void cpus_add(void) {
    for (u32 i = 0; i < acpi.cpu_count; i++) {
        if (acpi.apic_ids[i] != cpu_boot.apic_id && !cpu_add(acpi.apic_ids[i]))
            klog(LOG_WARNING, "CPU with APIC id %u: one too many\n", acpi.apic_ids[i]);
    }
}

// Called by boot.S, on the boot stack and the boot page table.
NORETURN void boot_main(u64 start_info_paddr) {
    cpu_set_base(&cpu_boot);
    serial_init();
    boot_memory_init(start_info_paddr);
    cpu_check_features();
    mmu_init();
    cpu_add_stacks(&cpu_boot);
    cpu_setup(&cpu_boot);
    acpi_init(boot_rsdp());
    apic_init();
    cpus_add();
    time_init();
    serial_init_interrupts();
    time_finish();
    cpu_boot.online = 1;
    // kmain runs on a stack with a guard page.
    asm volatile("movq %0, %%rsp\n\t"
                 "xorl %%ebp, %%ebp\n\t"
                 "call kmain\n\t"
                 "ud2" ::"r"(cpu_boot.stack_top)
                 : "memory");
    __builtin_unreachable();
}

void arch_poweroff(enum arch_poweroff_kind kind) {
    arch_interrupts_disable();
    if (kind == ARCH_POWEROFF)
        acpi_poweroff();
    else
        acpi_reset();
    // Without ACPI: a triple fault ends QEMU with -no-reboot, and resets a real machine.
    struct {
        u16 limit;
        u64 base;
    } __attribute__((packed)) nothing = {0, 0};
    asm volatile("lidt %0; ud2" ::"m"(nothing));
    __builtin_unreachable();
}
