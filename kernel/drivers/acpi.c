// What the ACPI tables say: processors and interrupt controllers (MADT), PCI Express configuration
// space (MCFG), the power-management timer and the way to switch off (FADT, DSDT). ACPI 6.5,
// chapter 5. No AML is run: of the DSDT only the bytes of \_S5 are looked for, when needed.
#include "drivers/acpi.h"
#include "arch/arch.h"
#include "lib/print.h"
#include "lib/string.h"

struct acpi_info acpi;
static u64 fadt_paddr;

struct table {
    char signature[4];
    u32 length;
    u8 revision;
    u8 checksum;
    char oem[18];
    u32 creator[2];
} __attribute__((packed));
static_assert(sizeof(struct table) == 36);

enum { FADT_DSDT = 40, FADT_PM1A_CONTROL = 64, FADT_PM1B_CONTROL = 68, FADT_PM_TIMER = 76 };
enum { FADT_FLAGS = 112, FADT_RESET_ADDRESS = 120, FADT_RESET_VALUE = 128, FADT_RESET = 1 << 10 };
enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_ADDRESS = 5, MADT_X2APIC = 9 };

static u8 get8(const void *p, usize offset) { return ((const u8 *)p)[offset]; }

static u32 get32(const void *p, usize offset) {
    u32 value;
    memcpy(&value, (const u8 *)p + offset, sizeof(value));
    return value;
}

static u64 get64(const void *p, usize offset) {
    u64 value;
    memcpy(&value, (const u8 *)p + offset, sizeof(value));
    return value;
}

// Firmware may keep tables in memory that is not in the direct map.
static const void *memory_at(u64 paddr, u64 size) {
    u64 va = (u64)arch_direct(paddr);
    if (arch_kernel_mapped(va) && arch_kernel_mapped(va + size - 1)) return (const void *)va;
    return arch_mmio_map(paddr, size);
}

static const struct table *table_at(u64 paddr) {
    const struct table *table = memory_at(paddr, sizeof(*table));
    return table ? memory_at(paddr, max(table->length, (u32)sizeof(*table))) : nullptr;
}

static void cpu_found(u32 flags) {
    enum { ENABLED = 1 };
    if (flags & ENABLED) acpi.cpu_count++;
}

static void madt_entry(const u8 *e) {
    switch (e[0]) {
    case MADT_LAPIC: cpu_found(get32(e, 4)); break;
    case MADT_X2APIC: cpu_found(get32(e, 8)); break;
    case MADT_IOAPIC:
        if (acpi.ioapic_paddr == 0) {
            acpi.ioapic_paddr = get32(e, 4);
            acpi.ioapic_gsi_base = get32(e, 8);
        }
        break;
    case MADT_OVERRIDE:
        if (e[3] < 16) {
            acpi.isa_gsi[e[3]] = get32(e, 4);
            acpi.isa_flags[e[3]] = (u16)get32(e, 8);
        }
        break;
    case MADT_ADDRESS: acpi.lapic_paddr = get64(e, 4); break;
    }
}

static void madt_read(const struct table *madt) {
    acpi.lapic_paddr = get32(madt, 36);
    for (u32 offset = 44; offset + 2 <= madt->length;) {
        const u8 *entry = (const u8 *)madt + offset;
        if (entry[1] < 2 || offset + entry[1] > madt->length) break;
        madt_entry(entry);
        offset += entry[1];
    }
}

static void mcfg_read(const struct table *mcfg) {
    if (mcfg->length < 60) return;
    acpi.ecam_paddr = get64(mcfg, 44);
    acpi.ecam_last_bus = get8(mcfg, 55);
}

static void table_read(u64 paddr) {
    const struct table *table = table_at(paddr);
    if (!table) return;
    if (memcmp(table->signature, "APIC", 4) == 0) madt_read(table);
    if (memcmp(table->signature, "MCFG", 4) == 0) mcfg_read(table);
    if (memcmp(table->signature, "FACP", 4) == 0) {
        fadt_paddr = paddr;
        acpi.pm_timer_port = (u16)get32(table, FADT_PM_TIMER);
    }
}

void acpi_init(u64 rsdp_paddr) {
    for (u32 i = 0; i < 16; i++)
        acpi.isa_gsi[i] = i;
    const u8 *rsdp = rsdp_paddr ? memory_at(rsdp_paddr, 36) : nullptr;
    if (!rsdp || memcmp(rsdp, "RSD PTR ", 8) != 0) panic("no ACPI tables");
    u32 size = get8(rsdp, 15) >= 2 ? 8 : 4; // XSDT or RSDT
    const struct table *root = table_at(size == 8 ? get64(rsdp, 24) : get32(rsdp, 16));
    if (!root) panic("the ACPI root table can't be read");
    for (u32 offset = sizeof(*root); offset + size <= root->length; offset += size)
        table_read(size == 8 ? get64(root, offset) : get32(root, offset));
    if (acpi.lapic_paddr == 0) panic("the ACPI tables name no interrupt controller");
}

// ---- Switching off ------------------------------------------------------------------------------

// The integer at p in AML: a byte constant, ZeroOp or OneOp. Moves p behind it.
static u8 aml_byte(const u8 **p) {
    enum { BYTE_PREFIX = 0x0a };
    if (**p == BYTE_PREFIX) (*p)++;
    return *(*p)++;
}

// SLP_TYPa and SLP_TYPb out of the package \_S5; false when there is none.
static bool sleep_types(const struct table *dsdt, u8 types[2]) {
    enum { PACKAGE_OP = 0x12 };
    const u8 *end = (const u8 *)dsdt + dsdt->length - 12;
    for (const u8 *p = (const u8 *)dsdt + sizeof(*dsdt); p < end; p++) {
        if (memcmp(p, "_S5_", 4) != 0 || p[4] != PACKAGE_OP) continue;
        p += 5;
        p += (*p >> 6) + 2; // length of the package, count of elements
        types[0] = aml_byte(&p);
        types[1] = aml_byte(&p);
        return true;
    }
    return false;
}

static void poweroff(void) {
    enum { SLEEP_ENABLE = 1 << 13 };
    const struct table *fadt = fadt_paddr ? table_at(fadt_paddr) : nullptr;
    const struct table *dsdt = fadt ? table_at(get32(fadt, FADT_DSDT)) : nullptr;
    u8 types[2];
    if (!dsdt || !sleep_types(dsdt, types)) return;
    arch_port_write16((u16)get32(fadt, FADT_PM1A_CONTROL), (u16)(types[0] << 10 | SLEEP_ENABLE));
    if (get32(fadt, FADT_PM1B_CONTROL))
        arch_port_write16((u16)get32(fadt, FADT_PM1B_CONTROL),
                          (u16)(types[1] << 10 | SLEEP_ENABLE));
}

static void reset(void) {
    enum { RESET_CONTROL = 0xcf9, FULL_RESET = 0xe };
    const struct table *fadt = fadt_paddr ? table_at(fadt_paddr) : nullptr;
    if (fadt && fadt->length > FADT_RESET_VALUE && get32(fadt, FADT_FLAGS) & FADT_RESET)
        arch_port_write8((u16)get64(fadt, FADT_RESET_ADDRESS), get8(fadt, FADT_RESET_VALUE));
    arch_port_write8(RESET_CONTROL, FULL_RESET);
}

void arch_poweroff(enum arch_poweroff_kind kind) {
    arch_interrupts_disable();
    if (kind == ARCH_POWEROFF)
        poweroff();
    else
        reset();
    // Without ACPI: a triple fault ends QEMU with -no-reboot, and resets a real machine.
    const u8 no_table[10] = {};
    asm volatile("lidt %0; ud2" ::"m"(no_table));
    __builtin_unreachable();
}
