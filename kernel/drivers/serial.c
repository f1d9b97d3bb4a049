// Serial ports COM1 and COM2 (16550A UART): raw bytes in and out, and the kernel's log on COM1.
//
// The log waits in a ring until the UART takes it, which an interrupt tells; before there are
// interrupts, when the ring is full, and in a panic, it waits for the UART, a bounded time. Where that
// was not enough, the oldest bytes are lost, and a line in their place says how many. What others send
// on that port waits in a ring of its own, and never makes its sender wait: when both have something,
// each gets as many bytes as the other, with no line of the log cut. Receiving and "room again" are told
// from the interrupt; handlers are called without the lock.
#include "drivers/serial.h"
#include "arch/arch.h"
#include "lib/print.h"

enum {
    UART_DATA = 0,
    UART_INTERRUPTS = 1,
    UART_FIFO = 2, // read: which interrupt
    UART_LINE = 3,
    UART_MODEM = 4,
    UART_STATUS = 5,
    UART_SCRATCH = 7,
    INTERRUPT_RECEIVED = 1 << 0,
    INTERRUPT_WRITABLE = 1 << 1,
    FIFO_NONE_PENDING = 1 << 0,
    FIFO_ENABLE_CLEAR = 7,
    LINE_8N1 = 3,
    LINE_DIVISOR = 1 << 7,
    MODEM_DTR_RTS_OUT2 = 0xb,
    STATUS_RECEIVED = 1 << 0,
    STATUS_WRITABLE = 1 << 5,
    STATUS_ALL_SENT = 1 << 6,
    LOG_WAIT_LOOPS = 100000,
    LOG_STUCK_LOOPS = 2000, // in which a line that moves again has sent a FIFO
    LOG_RING = 4096,
    CONSOLE_RING = 256,
};

struct port {
    struct lock lock;
    u16 base;
    u8 irq;
    u32 present;
    bool has_interrupt;
    u32 interrupts GUARDED_BY(&lock);  // what UART_INTERRUPTS holds
    bool is_awaited GUARDED_BY(&lock); // after a short write
    struct serial_port_handlers handlers;
};

// The log on its way to COM1, under that port's lock.
static char log_ring[LOG_RING];
static u32 log_head, log_tail;
static bool log_is_stuck;  // nobody waits long a second time for a line that did not move
static bool log_is_inside; // a line of it has been sent in part
static u32 log_lost;       // bytes, of which nothing was said yet
static struct {
    char text[48];
    u32 size, at;
} log_mark; // what is said of them, before the rest of the log
// What others send on COM1, under the same lock.
static u8 console_ring[CONSOLE_RING];
static u32 console_head, console_tail;
static u32 console_credit; // bytes that the log has had before it

static struct port ports[SERIAL_PORTS] = {
    {.lock = LOCK_INIT(LOCK_SERIAL), .base = 0x3f8, .irq = 4},
    {.lock = LOCK_INIT(LOCK_SERIAL), .base = 0x2f8, .irq = 3},
};

static u8 uart_read(const struct port *port, u32 reg) {
    return arch_port_read8((u16)(port->base + reg));
}

static void uart_write(const struct port *port, u32 reg, u32 value) {
    arch_port_write8((u16)(port->base + reg), (u8)value);
}

static void port_init(struct port *port) {
    enum { PROBE = 0x5a, DIVISOR_115200 = 1 };
    uart_write(port, UART_SCRATCH, PROBE);
    port->present = uart_read(port, UART_SCRATCH) == PROBE;
    if (!port->present) return;
    uart_write(port, UART_INTERRUPTS, 0);
    uart_write(port, UART_LINE, LINE_DIVISOR);
    uart_write(port, UART_DATA, DIVISOR_115200);
    uart_write(port, UART_INTERRUPTS, 0);
    uart_write(port, UART_LINE, LINE_8N1);
    uart_write(port, UART_FIFO, FIFO_ENABLE_CLEAR);
    uart_write(port, UART_MODEM, MODEM_DTR_RTS_OUT2);
}

// Waits until the FIFO is empty; gives up on a line that does not move, soon until it has moved again.
static void wait_writable(const struct port *port) {
    for (u32 i = log_is_stuck ? LOG_STUCK_LOOPS : LOG_WAIT_LOOPS; i > 0; i--) {
        if (uart_read(port, UART_STATUS) & STATUS_WRITABLE) return;
        arch_spin_poll();
    }
    log_is_stuck = true;
}

static void interrupts_set(struct port *port, u32 interrupts) REQUIRES(&port->lock) {
    if (interrupts != port->interrupts) uart_write(port, UART_INTERRUPTS, interrupts);
    port->interrupts = interrupts;
}

static bool has_log(const struct port *port) {
    return port == &ports[0] && (log_tail != log_head || log_lost || log_mark.at < log_mark.size);
}

static bool has_console(const struct port *port) {
    return port == &ports[0] && console_tail != console_head;
}

static bool has_output(const struct port *port) { return has_log(port) || has_console(port); }

static void log_mark_make(void) {
    log_mark.at = 0;
    log_mark.size = (u32)ksnprintf(log_mark.text, sizeof(log_mark.text),
                                   "\r\n[%u bytes of the log are lost]\r\n", log_lost);
    log_lost = 0;
}

// The next byte of the log, of which there is one.
static char log_take(void) {
    if (log_mark.at == log_mark.size && log_lost) log_mark_make();
    if (log_mark.at < log_mark.size) return log_mark.text[log_mark.at++];
    return log_ring[log_tail++ % LOG_RING];
}

// A FIFO's worth of the log, if the UART takes it, or up to the end of a line where the console waits.
// Returns how many bytes.
static u32 log_push(const struct port *port) {
    u32 count = 0;
    if (!(uart_read(port, UART_STATUS) & STATUS_WRITABLE)) return 0;
    log_is_stuck = false;
    while (count < SERIAL_FIFO && has_log(port)) {
        char c = log_take();
        uart_write(port, UART_DATA, (u8)c);
        count++;
        log_is_inside = c != '\n';
        if (!log_is_inside && has_console(port)) break;
    }
    console_credit = min(console_credit + count, (u32)CONSOLE_RING);
    return count;
}

static u32 console_push(const struct port *port) {
    u32 count = 0;
    if (!(uart_read(port, UART_STATUS) & STATUS_WRITABLE)) return 0;
    log_is_stuck = false;
    for (; count < SERIAL_FIFO && has_console(port); count++)
        uart_write(port, UART_DATA, console_ring[console_tail++ % CONSOLE_RING]);
    console_credit -= min(console_credit, count);
    return count;
}

// What is next, as much as the UART takes. Returns how many bytes.
static u32 output_push(const struct port *port) {
    bool is_consoles = !has_log(port) || (!log_is_inside && console_credit > 0);
    return has_console(port) && is_consoles ? console_push(port) : log_push(port);
}

static void log_put(const struct port *port, char c) {
    if (log_head - log_tail == LOG_RING) {
        wait_writable(port);
        log_push(port);
    }
    if (log_head - log_tail == LOG_RING) { // the line does not move
        log_tail++;
        log_lost++;
    }
    log_ring[log_head++ % LOG_RING] = c;
}

static void log_flush(const struct port *port) {
    do
        wait_writable(port);
    while (log_push(port) > 0 && has_log(port));
}

// The log is under its own lock; in a panic nobody else runs, and locks may be held for ever.
static void log_output(const char *text, usize length) NO_THREAD_SAFETY_ANALYSIS {
    struct port *port = &ports[0];
    bool waits = panic_running() || !port->has_interrupt;
    if (!panic_running()) lock_acquire(&port->lock);
    for (usize i = 0; i < length; i++) {
        if (text[i] == '\n') log_put(port, '\r');
        log_put(port, text[i]);
    }
    if (waits)
        log_flush(port);
    else
        output_push(port);
    if (!panic_running()) {
        if (has_output(port)) interrupts_set(port, port->interrupts | INTERRUPT_WRITABLE);
        lock_release(&port->lock);
    }
}

bool serial_log_has_room(usize length) {
    struct port *port = &ports[0];
    lock_acquire(&port->lock);
    bool has_room = !port->present || LOG_RING - (log_head - log_tail) >= length;
    lock_release(&port->lock);
    return has_room;
}

void serial_init(void) {
    for (u32 i = 0; i < SERIAL_PORTS; i++)
        port_init(&ports[i]);
    if (ports[0].present) log_set_output(log_output);
}

static void interrupts_change(struct port *port, u32 clear, u32 set) {
    lock_acquire(&port->lock);
    interrupts_set(port, (port->interrupts & ~clear) | set);
    lock_release(&port->lock);
}

void serial_port_resume(u32 index) { interrupts_change(&ports[index], 0, INTERRUPT_RECEIVED); }

// Room that was made before the interrupt was off is seen by the second look; what is made later is
// followed by a resume.
static bool receive_may(struct port *port) {
    const struct serial_port_handlers *handlers = &port->handlers;
    if (!handlers->received || handlers->has_room(handlers->argument)) return true;
    interrupts_change(port, INTERRUPT_RECEIVED, 0);
    if (!handlers->has_room(handlers->argument)) return false;
    interrupts_change(port, 0, INTERRUPT_RECEIVED);
    return true;
}

static void receive(struct port *port) {
    u8 bytes[SERIAL_FIFO];
    usize count = 0;
    if (!receive_may(port)) return;
    while (count < sizeof(bytes) && uart_read(port, UART_STATUS) & STATUS_RECEIVED)
        bytes[count++] = uart_read(port, UART_DATA);
    if (count && port->handlers.received)
        port->handlers.received(port->handlers.argument, bytes, count);
}

// True if somebody waits for room, and there is; the interrupt is switched off when nothing is left,
// until the next write that leaves something.
static bool writable_take(struct port *port) {
    lock_acquire(&port->lock);
    if (has_output(port)) output_push(port);
    bool is_more = has_output(port);
    bool has_room = !has_console(port) || console_head - console_tail <= CONSOLE_RING / 2;
    bool is_ready = port->is_awaited && has_room;
    port->is_awaited &= !has_room;
    interrupts_set(port, (port->interrupts & ~(u32)INTERRUPT_WRITABLE) |
                             (is_more ? (u32)INTERRUPT_WRITABLE : 0));
    lock_release(&port->lock);
    return is_ready;
}

// Edge-triggered: goes on until the UART has nothing more to say.
static void interrupt(void *argument) {
    struct port *port = argument;
    while (!(uart_read(port, UART_FIFO) & FIFO_NONE_PENDING)) {
        receive(port);
        if (uart_read(port, UART_STATUS) & STATUS_WRITABLE && writable_take(port) &&
            port->handlers.writable)
            port->handlers.writable(port->handlers.argument);
    }
}

void serial_init_interrupts(void) {
    for (u32 i = 0; i < SERIAL_PORTS; i++) {
        if (!ports[i].present) continue;
        if (arch_irq_alloc_isa(ports[i].irq, interrupt, &ports[i]) == 0)
            ports[i].has_interrupt = true;
        else
            klog(LOG_WARNING, "serial port %u has no interrupt\n", i);
    }
}

bool serial_port_present(u32 port) { return ports[port].present; }

void serial_port_set_handlers(u32 index, const struct serial_port_handlers *handlers) {
    struct port *port = &ports[index];
    lock_acquire(&port->lock);
    port->handlers = *handlers;
    lock_release(&port->lock);
    serial_port_resume(index);
}

// Into the ring beside the log, as far as there is room and an interrupt takes it out.
static usize console_put(const struct port *port, const u8 *bytes, usize count) {
    usize done = 0;
    if (port != &ports[0] || !port->has_interrupt) return 0;
    while (done < count && console_head - console_tail < CONSOLE_RING)
        console_ring[console_head++ % CONSOLE_RING] = bytes[done++];
    return done;
}

usize serial_port_write(u32 index, const u8 *bytes, usize count) {
    struct port *port = &ports[index];
    usize done = 0;
    lock_acquire(&port->lock);
    while (done < count && !has_output(port) && uart_read(port, UART_STATUS) & STATUS_WRITABLE) {
        for (u32 i = 0; i < SERIAL_FIFO && done < count; i++)
            uart_write(port, UART_DATA, bytes[done++]);
    }
    done += console_put(port, bytes + done, count - done);
    port->is_awaited |= done < count;
    if (port->is_awaited || has_output(port))
        interrupts_set(port, port->interrupts | INTERRUPT_WRITABLE);
    lock_release(&port->lock);
    return done;
}

void serial_drain(void) {
    enum : u64 { DRAIN_NS_MAX = 1'000'000'000 };
    lock_acquire(&ports[0].lock);
    do
        wait_writable(&ports[0]);
    while (ports[0].present && output_push(&ports[0]) > 0 && has_output(&ports[0]));
    lock_release(&ports[0].lock);
    for (u32 i = 0; i < SERIAL_PORTS; i++) {
        u64 end_ns = arch_time_ns() + DRAIN_NS_MAX;
        while (ports[i].present && !(uart_read(&ports[i], UART_STATUS) & STATUS_ALL_SENT) &&
               arch_time_ns() < end_ns)
            arch_spin_poll();
    }
}
