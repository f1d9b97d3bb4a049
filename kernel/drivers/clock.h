// The clock and the CPUs' timers; what they offer is arch_time_ns(), arch_boot_wall_s() and
// arch_timer_set_ns() of arch/arch.h.
#pragma once

void clock_init(void);     // starts the calibration; after apic_init()
void clock_finish(void);   // ends it: the time and the boot CPU's timer work from here
void clock_init_cpu(void); // each other CPU
// The timer interrupt: calls timer_interrupt() when the deadline has passed.
void clock_interrupt(void);
