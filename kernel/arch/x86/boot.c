// From the loader's state to kmain(): the order in which the boot CPU brings everything up.
#include "cpu.h"
#include "lib/print.h"

// Called by boot.S, on the boot stack and the boot page table.
NORETURN void boot_main(u64 start_info_paddr)
{
    cpu_set_base(&cpu_boot);
    serial_init();
    boot_memory_init(start_info_paddr);
    cpu_check_features();
    mmu_init();
    cpu_add_stacks(&cpu_boot);
    cpu_setup(&cpu_boot);
    acpi_init();
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
