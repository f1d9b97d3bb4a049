// Interrupt controllers: each CPU's local APIC (x2APIC where there is one), the I/O APIC for ISA
// interrupts, and the vectors of devices. Intel SDM volume 3, chapter 11; 82093AA data sheet.
//
// A vector belongs to one handler on all CPUs and is never given back. Device interrupts go to the
// boot CPU.
#include "drivers/apic.h"

#include "abi/errors.h"
#include "arch/arch.h"
#include "drivers/acpi.h"
#include "lib/print.h"
#include "x86.h"

enum {
    APIC_ID = 0x20,
    APIC_TASK_PRIORITY = 0x80,
    APIC_EOI = 0xb0,
    APIC_SPURIOUS = 0xf0,
    APIC_COMMAND = 0x300,
    APIC_COMMAND_HIGH = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_CURRENT = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0,
    APIC_ENABLE = 1 << 8,
    APIC_MASKED = 1 << 16,
    APIC_DIVIDE_BY_1 = 0xb,
};
enum : u32 {
    COMMAND_NMI = 4 << 8,
    COMMAND_INIT = 5 << 8,
    COMMAND_STARTUP = 6 << 8,
    COMMAND_PENDING = 1 << 12,
    COMMAND_ASSERT = 1 << 14,
    COMMAND_OTHERS = 3 << 18,
};
enum : u32 { MSR_APIC_BASE = 0x1b, MSR_X2APIC = 0x800 }; // the latter: + register offset / 16
enum { BASE_X2APIC = 1 << 10, BASE_ENABLE = 1 << 11 };
enum { PIC1_DATA = 0x21, PIC2_DATA = 0xa1 };
enum { IOAPIC_WINDOW = 4, IOAPIC_REDIRECTION = 0x10 }; // the window: in words of 32 bits
enum { ISA_ACTIVE_LOW = 3, ISA_LEVEL = 3 << 2 };       // MADT flags

static struct lock irq_lock = LOCK_INIT(LOCK_CPU);
static u32 vector_next GUARDED_BY(&irq_lock) = VECTOR_DEVICE_FIRST;
static struct {
    arch_irq_handler handler;
    void *argument;
} irqs[256]; // set once, before the device can interrupt

static volatile u32 *registers; // xAPIC
static volatile u32 *ioapic;
static u32 x2apic;
static u32 apic_ids[MAX_CPUS]; // of each CPU that runs

static u32 apic_read(u32 reg) {
    return x2apic ? (u32)msr_read(MSR_X2APIC + reg / 16) : registers[reg / 4];
}

static void apic_write(u32 reg, u32 value) {
    if (x2apic)
        msr_write(MSR_X2APIC + reg / 16, value);
    else
        registers[reg / 4] = value;
}

void apic_init(void) {
    enum { CPUID_X2APIC = 1 << 21 };
    x2apic = cpuid(1, 0).ecx & CPUID_X2APIC ? 1 : 0;
    if (!x2apic) registers = arch_mmio_map(acpi.lapic_paddr, PAGE_SIZE);
    arch_port_write8(PIC1_DATA, 0xff);
    arch_port_write8(PIC2_DATA, 0xff);
    apic_init_cpu();
}

void apic_init_cpu(void) {
    u64 base = msr_read(MSR_APIC_BASE) | BASE_ENABLE;
    msr_write(MSR_APIC_BASE, base);
    if (x2apic) msr_write(MSR_APIC_BASE, base | BASE_X2APIC);
    apic_write(APIC_TASK_PRIORITY, 0);
    apic_write(APIC_LVT_LINT0, APIC_MASKED);
    // An operator's NMI goes to the boot CPU, for a report (trap.c).
    apic_write(APIC_LVT_LINT1, arch_cpu_id() == 0 ? COMMAND_NMI : APIC_MASKED);
    apic_write(APIC_LVT_ERROR, APIC_MASKED);
    apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_1);
    apic_write(APIC_SPURIOUS, APIC_ENABLE | VECTOR_SPURIOUS);
    apic_ids[arch_cpu_id()] = x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
}

void apic_eoi(void) { apic_write(APIC_EOI, 0); }

static void command_send(u32 apic_id, u32 command) {
    command |= COMMAND_ASSERT;
    if (x2apic) {
        // Not ordered with stores before it (SDM 11.12.3), as the receiver expects.
        asm volatile("mfence; lfence" ::: "memory");
        msr_write(MSR_X2APIC + APIC_COMMAND / 16, (u64)apic_id << 32 | command);
        return;
    }
    while (apic_read(APIC_COMMAND) & COMMAND_PENDING)
        cpu_pause();
    apic_write(APIC_COMMAND_HIGH, apic_id << 24);
    apic_write(APIC_COMMAND, command);
}

void apic_send(u32 cpu_id, u32 vector) { command_send(apic_ids[cpu_id], vector); }

void apic_nmi_others(void) {
    if (registers || x2apic) command_send(0, COMMAND_OTHERS | COMMAND_NMI);
}

void apic_reset_others(void) { command_send(0, COMMAND_OTHERS | COMMAND_INIT); }

void apic_start_others(u64 paddr) {
    command_send(0, COMMAND_OTHERS | COMMAND_STARTUP | (u32)(paddr >> PAGE_SHIFT));
}

// ---- The timer ----------------------------------------------------------------------------------

void apic_timer_setup(enum apic_timer_mode mode) {
    apic_write(APIC_LVT_TIMER, mode | VECTOR_TIMER);
}

void apic_timer_start(u32 count) { apic_write(APIC_TIMER_INITIAL, count); }

u32 apic_timer_count(void) { return apic_read(APIC_TIMER_CURRENT); }

// ---- Devices ------------------------------------------------------------------------------------

// A free vector for this handler; 0 when there is none.
static u32 vector_alloc(arch_irq_handler handler, void *argument) {
    u32 vector = 0;
    lock_acquire(&irq_lock);
    if (vector_next <= VECTOR_DEVICE_LAST) vector = vector_next++;
    irqs[vector].handler = handler;
    irqs[vector].argument = argument;
    lock_release(&irq_lock);
    return vector;
}

void apic_irq(u32 vector) {
    if (irqs[vector].handler)
        irqs[vector].handler(irqs[vector].argument);
    else
        klog(LOG_WARNING, "interrupt %u, for which there is no handler\n", vector);
}

// Address and data of message-signalled interrupts: SDM 11.11.
status_t arch_irq_alloc_msi(arch_irq_handler handler, void *argument, u64 *address, u32 *data) {
    u32 vector = vector_alloc(handler, argument);
    if (vector == 0) return ERR_NO_RESOURCES;
    *address = 0xfee00000 | apic_ids[0] << 12;
    *data = vector;
    return 0;
}

static void ioapic_write(u32 reg, u32 value) {
    ioapic[0] = reg;
    ioapic[IOAPIC_WINDOW] = value;
}

status_t arch_irq_alloc_isa(u32 irq, arch_irq_handler handler, void *argument) {
    if (!ioapic && acpi.ioapic_paddr) ioapic = arch_mmio_map(acpi.ioapic_paddr, PAGE_SIZE);
    if (!ioapic) return ERR_NOT_SUPPORTED;
    u32 vector = vector_alloc(handler, argument);
    if (vector == 0) return ERR_NO_RESOURCES;
    u32 pin = acpi.isa_gsi[irq] - acpi.ioapic_gsi_base;
    u32 polarity = (acpi.isa_flags[irq] & ISA_ACTIVE_LOW) == ISA_ACTIVE_LOW ? 1 << 13 : 0;
    u32 trigger = (acpi.isa_flags[irq] & ISA_LEVEL) == ISA_LEVEL ? 1 << 15 : 0;
    ioapic_write(IOAPIC_REDIRECTION + 2 * pin + 1, apic_ids[0] << 24);
    ioapic_write(IOAPIC_REDIRECTION + 2 * pin, vector | polarity | trigger);
    return 0;
}
