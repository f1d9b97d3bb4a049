// Serial ports (16550A): raw bytes. Port 0 = COM1 (console and kernel log), 1 = COM2.
#pragma once

#include "lib/types.h"

enum { SERIAL_PORTS = 2 };

// Finds and sets up the ports; from here on the log goes to COM1.
void serial_init(void);
// When interrupts can be had.
void serial_init_interrupts(void);

bool serial_port_present(u32 port);
// Whether so much of the log can be taken without a wait.
bool serial_log_has_room(usize length);
// Called from the interrupt: whether SERIAL_FIFO bytes can be taken; bytes came in; there is room to
// send again (after a short write). While bytes can't be taken they stay in the UART, where a virtual
// one makes its other side wait: then serial_port_resume has them come.
enum { SERIAL_FIFO = 16 };
struct serial_port_handlers {
    bool (*has_room)(void *argument);
    void (*received)(void *argument, const u8 *bytes, usize count);
    void (*writable)(void *argument);
    void *argument;
};
void serial_port_set_handlers(u32 port, const struct serial_port_handlers *handlers);
void serial_port_resume(u32 port);
// Writes what fits without waiting; returns how many bytes. After a short write `writable` comes.
usize serial_port_write(u32 port, const u8 *bytes, usize count);
// Waits until all that was written has left, before the power goes; at most a second for a port.
void serial_drain(void);
