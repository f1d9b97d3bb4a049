// What the ACPI tables say of the machine; arch_poweroff() of arch/arch.h is done by them.
#pragma once

#include "arch/arch.h"

extern struct acpi_info {
    u32 cpu_count; // the boot CPU among them
    u64 lapic_paddr;
    u64 ioapic_paddr; // 0: none
    u32 ioapic_gsi_base;
    u32 isa_gsi[16];
    u16 isa_flags[16];
    u64 ecam_paddr; // 0: none
    u32 ecam_last_bus;
    u16 pm_timer_port; // 0: none
} acpi;

// Reads the tables; panics when there are none.
void acpi_init(u64 rsdp_paddr);
