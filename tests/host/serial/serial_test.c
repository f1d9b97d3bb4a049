// The serial driver against a model of two UARTs, whose lines take a FIFO at a time, or nothing. Each
// test is a process: `serial_test NAME`.
#include "drivers/serial.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/errors.h"
#include "arch/arch.h"
#include "lib/print.h"

enum { COM1 = 0x3f8, COM2 = 0x2f8, DATA = 0, INTERRUPTS = 1, WHICH = 2, STATUS = 5, SCRATCH = 7 };
enum { WRITABLE = 1 << 1, SENT_MAX = 1 << 16, LINES = 200, CONSOLE_BYTES = 4000 };

#define CHECK(condition)                                                            \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                \
        }                                                                           \
    } while (0)

static struct uart {
    u8 interrupts, scratch;
    bool is_empty_told; // the interrupt "writable" waits to be read
    u32 fifo;           // bytes in it
    bool is_stuck;
    arch_irq_handler handler;
    void *argument;
    char sent[SENT_MAX];
    u32 sent_count;
} uarts[2] = {{.is_empty_told = true}, {.is_empty_told = true}};

static void (*log_out)(const char *text, usize length);
static u32 told_writable;

static struct uart *uart_of(u16 port) { return &uarts[(port & ~7) == COM2]; }

u8 arch_port_read8(u16 port) {
    struct uart *uart = uart_of(port);
    switch (port & 7) {
    case WHICH: {
        bool is_pending = uart->is_empty_told && (uart->interrupts & WRITABLE);
        if (is_pending) uart->is_empty_told = false;
        return is_pending ? 2 : 1;
    }
    case STATUS: return uart->fifo == 0 ? 0x60 : 0;
    case SCRATCH: return uart->scratch;
    default: return 0;
    }
}

void arch_port_write8(u16 port, u8 value) {
    struct uart *uart = uart_of(port);
    switch (port & 7) {
    case DATA:
        if (!uart->handler && value != '\n' && value < ' ') return; // the divisor
        CHECK(uart->fifo < SERIAL_FIFO);
        CHECK(uart->sent_count < SENT_MAX - 1);
        uart->fifo++;
        uart->is_empty_told = false;
        uart->sent[uart->sent_count++] = (char)value;
        return;
    case INTERRUPTS:
        if (value & ~uart->interrupts & WRITABLE) uart->is_empty_told = uart->fifo == 0;
        uart->interrupts = value;
        return;
    case SCRATCH: uart->scratch = value; return;
    default: return;
    }
}

// The line takes what is in the FIFO, and the interrupt says so. False: there was nothing.
static bool uart_step(struct uart *uart) {
    if (uart->is_stuck) return false;
    bool has_moved = uart->fifo > 0;
    uart->fifo = 0;
    uart->is_empty_told |= has_moved;
    if (uart->is_empty_told && (uart->interrupts & WRITABLE)) {
        uart->handler(uart->argument);
        has_moved = true;
    }
    return has_moved;
}

static void uart_run(struct uart *uart) {
    while (uart_step(uart)) {
    }
}

status_t arch_irq_alloc_isa(u32 irq, arch_irq_handler handler, void *argument) {
    uarts[irq == 3].handler = handler;
    uarts[irq == 3].argument = argument;
    return OK;
}

void arch_spin_poll(void) {}
u64 arch_time_ns(void) {
    static u64 now;
    return now += 1000000;
}
bool panic_running(void) { return false; }
void panic(const char *, ...) { abort(); }
void klog(enum log_level, const char *, ...) {}
void log_set_output(void (*output)(const char *text, usize length)) { log_out = output; }
void lock_wait(struct lock *) { CHECK(!"a lock is taken twice"); }
void lock_check_acquire(struct lock *) {}

usize ksnprintf(char *buffer, usize size, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int length = vsnprintf(buffer, size, format, args);
    va_end(args);
    return (usize)length;
}

static void line_log(u32 number) {
    char text[80];
    int size = snprintf(text, sizeof(text), "log line %u, as long as many are\n", number);
    log_out(text, (usize)size);
}

static void writable(void *) { told_writable++; }

static void begin(void) {
    static const struct serial_port_handlers handlers = {.writable = writable};
    serial_init();
    uarts[0].sent_count = uarts[1].sent_count = 0;
    uarts[0].fifo = uarts[1].fifo = 0;
    serial_init_interrupts();
    serial_port_set_handlers(0, &handlers);
    serial_port_set_handlers(1, &handlers);
    CHECK(log_out);
}

static u32 counted(const char *text, char byte) {
    u32 count = 0;
    for (; *text; text++)
        count += *text == byte;
    return count;
}

// The log is full at each moment, and the console writes whenever it is told to: it gets its half.
static void fair(void) {
    u32 written = 0, number = 0, told = 0;
    struct uart *uart = &uarts[0];
    while (written < CONSOLE_BYTES) {
        static u8 bytes[100];
        while (serial_log_has_room(100))
            line_log(number++);
        memset(bytes, '#', sizeof(bytes));
        while (told <= told_writable) {
            u32 done = (u32)serial_port_write(0, bytes, sizeof(bytes));
            written += done;
            if (done < sizeof(bytes)) told = told_writable + 1;
        }
        uart_step(uart);
        CHECK(uart->sent_count < 4 * CONSOLE_BYTES);
    }
    uart->sent[uart->sent_count] = 0;
    u32 shown = counted(uart->sent, '#');
    printf("%u of %u bytes are the console's\n", shown, uart->sent_count);
    CHECK(shown * 100 > uart->sent_count * 40 && shown * 100 < uart->sent_count * 60);
    CHECK(told_writable > 0);
    // No line of the log is cut.
    for (const char *at = uart->sent; (at = strstr(at, "log line")); at++)
        CHECK(!memchr(at, '#', (usize)((strchr(at, '\n') ?: at) - at)));
}

// Nothing is lost, whatever comes first, and the interrupt is off when nothing is left.
static void whole(void) {
    struct uart *uart = &uarts[0];
    u32 written = 0;
    for (u32 number = 0; number < LINES; number++) {
        if (number % 3 == 0 && serial_log_has_room(100)) line_log(number);
        u8 byte = (u8)('a' + number % 26);
        written += (u32)serial_port_write(0, &byte, 1);
        if (number % 2) uart_step(uart);
    }
    uart_run(uart);
    uart->sent[uart->sent_count] = 0;
    CHECK(strstr(uart->sent, "log line 0, as long as many are\r\n"));
    CHECK(written == LINES);
    CHECK(!(uart->interrupts & WRITABLE));
    for (u32 number = 0; number < LINES; number += 3) {
        char text[80];
        snprintf(text, sizeof(text), "log line %u, as long as many are\r\n", number);
        char *at = strstr(uart->sent, text);
        CHECK(at);
        memset(at, '.', strlen(text));
    }
    u32 number = 0;
    for (const char *at = uart->sent; *at; at++)
        if (*at != '.') CHECK(*at == (char)('a' + number++ % 26));
    CHECK(number == LINES);
}

// A line that does not move loses the oldest of the log, and says how much; the console's waits.
static void stuck(void) {
    struct uart *uart = &uarts[0];
    u32 logged = 0, lost, shown;
    uart->is_stuck = true;
    CHECK(serial_port_write(0, (const u8 *)"console!", 8) == 8);
    for (u32 number = 0; number < LINES; number++, logged += 36)
        log_out("a line that is thirty-six bytes lon\n", 36);
    uart->is_stuck = false;
    uart_run(uart);
    uart->sent[uart->sent_count] = 0;
    const char *mark = strstr(uart->sent, "\r\n[");
    CHECK(mark && sscanf(mark, "\r\n[%u bytes of the log are lost]", &lost) == 1);
    CHECK(strstr(uart->sent, "console!"));
    mark = strstr(mark, "lost]\r\n");
    shown = uart->sent_count - (u32)(mark + 7 - uart->sent);
    printf("%u bytes lost, %u shown\n", lost, shown);
    CHECK(lost > 0 && lost + shown == logged + LINES); // a return before each newline
    line_log(7);
    uart_run(uart);
    uart->sent[uart->sent_count] = 0;
    CHECK(strstr(uart->sent, "log line 7"));
    CHECK(!strstr(mark, "\r\n["));
}

// What waits is out before the power is off; the other port has no ring.
static void drained(void) {
    u8 bytes[40];
    memset(bytes, 'x', sizeof(bytes));
    CHECK(serial_port_write(1, bytes, sizeof(bytes)) == SERIAL_FIFO);
    uart_step(&uarts[1]);
    CHECK(told_writable == 1);
    CHECK(serial_port_write(0, bytes, sizeof(bytes)) == sizeof(bytes));
    uart_run(&uarts[0]);
    CHECK(uarts[0].sent_count == sizeof(bytes));
}

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {{"fair", fair}, {"whole", whole}, {"stuck", stuck}, {"drained", drained}};

int main(int argc, char **argv) {
    begin();
    for (u32 i = 0; i < ARRAY_SIZE(tests); i++) {
        if (argc != 2 || strcmp(tests[i].name, argv[1]) != 0) continue;
        tests[i].run();
        return 0;
    }
    return 2;
}
