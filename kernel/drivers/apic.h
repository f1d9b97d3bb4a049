// Interrupt controllers (local APIC, I/O APIC), and which vector is whose. Devices get theirs by
// arch_irq_alloc_msi() and arch_irq_alloc_isa() of arch/arch.h.
#pragma once

#include "lib/types.h"

// 0x00-0x1f are exceptions.
enum {
    VECTOR_DEVICE_FIRST = 0x30,
    VECTOR_DEVICE_LAST = 0xef,
    VECTOR_TIMER = 0xf0,
    VECTOR_RESCHED = 0xf1,
    VECTOR_SHOOTDOWN = 0xf2,
    VECTOR_SPURIOUS = 0xff,
};

void apic_init(void);     // boot CPU: finds the registers
void apic_init_cpu(void); // each CPU: enables its own
void apic_eoi(void);
// Interrupts another CPU that has called apic_init_cpu().
void apic_send(u32 cpu_id, u32 vector);
// To all other CPUs, whatever they are doing: nothing happens before apic_init().
void apic_nmi_others(void);
// To all other CPUs: reset, then start in real mode at this page below 1 MiB.
void apic_reset_others(void);
void apic_start_others(u64 paddr);
// A device's vector came in.
void apic_irq(u32 vector);

// This CPU's timer; it counts down once from `count`, 0 stops it.
enum apic_timer_mode : u32 { APIC_TIMER_ONE_SHOT = 0, APIC_TIMER_DEADLINE = 2 << 17 };
void apic_timer_setup(enum apic_timer_mode mode);
void apic_timer_start(u32 count);
u32 apic_timer_count(void);
