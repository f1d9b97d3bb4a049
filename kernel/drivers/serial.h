// Serial ports (16550A); what they offer is arch_serial_* of arch/arch.h.
#ifndef DRIVERS_SERIAL_H
#define DRIVERS_SERIAL_H

// Finds and sets up the ports; from here on the log goes to COM1.
void serial_init(void);
// When interrupts can be had.
void serial_init_interrupts(void);

#endif
