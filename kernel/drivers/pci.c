// PCI enumeration through ECAM. Owns nothing but the mappings that it makes: one of 1 MiB for each
// bus that is there, and what drivers ask for of BARs.
#include "drivers/pci.h"

#include "abi/errors.h"
#include "drivers/acpi.h"
#include "drivers/mmio.h"

enum : u32 {
    CONFIG_VENDOR = 0x00,
    CONFIG_DEVICE = 0x02,
    CONFIG_COMMAND = 0x04,
    CONFIG_STATUS = 0x06,
    CONFIG_HEADER_TYPE = 0x0e,
    CONFIG_BAR0 = 0x10,
    CONFIG_SECONDARY_BUS = 0x19,
    CONFIG_CAPABILITIES = 0x34,
    CONFIG_STANDARD_END = 0x40, // capabilities lie above

    COMMAND_MEMORY = 1 << 1,
    COMMAND_BUS_MASTER = 1 << 2,
    COMMAND_INTX_DISABLE = 1 << 10,
    STATUS_CAPABILITIES = 1 << 4,
    HEADER_MULTIFUNCTION = 0x80,
    HEADER_BRIDGE = 1,
    VENDOR_NONE = 0xffff,

    BAR_IO = 1 << 0,
    BAR_TYPE = 3 << 1,
    BAR_64 = 2 << 1,
    BAR_FLAGS = 0xf,

    MSIX_CONTROL = 2,
    MSIX_TABLE = 4,
    MSIX_ENABLE = 1 << 15,
    MSIX_MASK_ALL = 1 << 14,
    MSIX_SIZE = 0x7ff,
    MSIX_ENTRY_SIZE = 16,
    MSIX_ENTRY_ADDRESS = 0,
    MSIX_ENTRY_DATA = 8,
    MSIX_ENTRY_CONTROL = 12,
    MSIX_ENTRY_MASKED = 1,
};

enum : u64 { BUS_SIZE = MIB(1), FUNCTION_SIZE = KIB(4), BUS_FUNCTIONS = 256, BUSES = 256 };

u8 pci_read8(const struct pci_device *device, u32 offset) {
    return mmio_read8(device->config + offset);
}

u16 pci_read16(const struct pci_device *device, u32 offset) {
    return mmio_read16(device->config + offset);
}

u32 pci_read32(const struct pci_device *device, u32 offset) {
    return mmio_read32(device->config + offset);
}

static void pci_write16(const struct pci_device *device, u32 offset, u16 value) {
    mmio_write16(device->config + offset, value);
}

static void pci_write32(const struct pci_device *device, u32 offset, u32 value) {
    mmio_write32(device->config + offset, value);
}

// One bus; marks the buses behind its bridges in `there`.
static void bus_scan(u8 *config, u32 bus, bool there[BUSES],
                     void (*found)(const struct pci_device *device)) {
    for (u32 i = 0; i < BUS_FUNCTIONS; i++) {
        struct pci_device device = {
            .config = config + i * FUNCTION_SIZE, .bus = (u8)bus, .slot_function = (u8)i};
        device.vendor = pci_read16(&device, CONFIG_VENDOR);
        if (device.vendor == VENDOR_NONE) {
            if (i % 8 == 0) i += 7; // without function 0 there are no others
            continue;
        }
        device.device = pci_read16(&device, CONFIG_DEVICE);
        u8 header = pci_read8(&device, CONFIG_HEADER_TYPE);
        if ((header & ~HEADER_MULTIFUNCTION) == HEADER_BRIDGE)
            there[pci_read8(&device, CONFIG_SECONDARY_BUS)] = true;
        else
            found(&device);
        if (i % 8 == 0 && !(header & HEADER_MULTIFUNCTION)) i += 7;
    }
}

// A bus behind a bridge has a higher number than the bus of the bridge, so one ascending pass
// sees all of them, and a bridge that points backwards is not followed.
void pci_scan(void (*found)(const struct pci_device *device)) {
    if (acpi.ecam_paddr == 0) return;
    bool there[BUSES] = {[0] = true};
    for (u32 bus = 0; bus <= acpi.ecam_last_bus && bus < BUSES; bus++) {
        if (!there[bus]) continue;
        u8 *config = arch_mmio_map(acpi.ecam_paddr + bus * BUS_SIZE, BUS_SIZE);
        if (config) bus_scan(config, bus, there, found);
    }
}

u32 pci_capability_find(const struct pci_device *device, u32 kind, u32 after) {
    if (!(pci_read16(device, CONFIG_STATUS) & STATUS_CAPABILITIES)) return 0;
    u32 offset = pci_read8(device, after ? after + 1 : CONFIG_CAPABILITIES) & ~3u;
    for (u32 i = 0; i < PCI_CONFIG_SIZE / 4 && offset >= CONFIG_STANDARD_END; i++) {
        if (pci_read8(device, offset) == kind) return offset;
        offset = pci_read8(device, offset + 1) & ~3u;
    }
    return 0;
}

static bool bar_is_wide(u32 low) { return (low & BAR_TYPE) == BAR_64; }

// A BAR answers what was written to it, but for the bits below its size.
static struct pci_bar bar_probe(const struct pci_device *device, u32 offset, u32 low) {
    u32 high = bar_is_wide(low) ? pci_read32(device, offset + 4) : 0;
    u64 base = (u64)high << 32 | (low & ~BAR_FLAGS);
    pci_write32(device, offset, ~0u);
    u64 mask = 0xffffffff00000000 | (pci_read32(device, offset) & ~BAR_FLAGS);
    pci_write32(device, offset, low);
    if (bar_is_wide(low)) {
        pci_write32(device, offset + 4, ~0u);
        mask = (u64)pci_read32(device, offset + 4) << 32 | (u32)mask;
        pci_write32(device, offset + 4, high);
    }
    return (struct pci_bar){base, base ? ~mask + 1 : 0};
}

void pci_bars_probe(struct pci_device *device) {
    u16 command = pci_read16(device, CONFIG_COMMAND);
    command &= (u16) ~(COMMAND_MEMORY | COMMAND_BUS_MASTER);
    pci_write16(device, CONFIG_COMMAND, command);
    for (u32 i = 0; i < PCI_BARS; i++) {
        u32 offset = CONFIG_BAR0 + 4 * i;
        u32 low = pci_read32(device, offset);
        if ((low & BAR_IO) || (i == PCI_BARS - 1 && bar_is_wide(low))) continue;
        device->bars[i] = bar_probe(device, offset, low);
        if (bar_is_wide(low)) i++;
    }
}

status_t pci_bar_map(const struct pci_device *device, u32 bar, u64 offset, u64 size, u8 **mapped) {
    if (bar >= PCI_BARS || device->bars[bar].size == 0) return ERR_NOT_FOUND;
    const struct pci_bar *range = &device->bars[bar];
    if (size == 0 || offset > range->size || size > range->size - offset) return ERR_OUT_OF_RANGE;
    *mapped = arch_mmio_map(range->base + offset, size);
    return *mapped ? OK : ERR_NO_RESOURCES;
}

void pci_device_enable(const struct pci_device *device) {
    u16 command = pci_read16(device, CONFIG_COMMAND);
    command |= COMMAND_MEMORY | COMMAND_BUS_MASTER | COMMAND_INTX_DISABLE;
    pci_write16(device, CONFIG_COMMAND, command);
}

static void msix_entry_mask(const struct pci_device *device, u32 index, u32 masked) {
    mmio_write32(device->msix_table + index * MSIX_ENTRY_SIZE + MSIX_ENTRY_CONTROL, masked);
}

status_t pci_msix_enable(struct pci_device *device) {
    u32 capability = pci_capability_find(device, PCI_CAPABILITY_MSIX, 0);
    if (capability == 0) return ERR_NOT_FOUND;
    u16 control = pci_read16(device, capability + MSIX_CONTROL);
    u32 table = pci_read32(device, capability + MSIX_TABLE);
    device->msix_entries = (control & MSIX_SIZE) + 1u;
    status_t status = pci_bar_map(device, table & 7, table & ~7u,
                                  device->msix_entries * MSIX_ENTRY_SIZE, &device->msix_table);
    if (status != OK) return status;
    pci_write16(device, capability + MSIX_CONTROL, control | MSIX_ENABLE | MSIX_MASK_ALL);
    for (u32 i = 0; i < device->msix_entries; i++)
        msix_entry_mask(device, i, MSIX_ENTRY_MASKED);
    control = (u16)((control | MSIX_ENABLE) & ~MSIX_MASK_ALL);
    pci_write16(device, capability + MSIX_CONTROL, control);
    return OK;
}

status_t pci_msix_connect(struct pci_device *device, u32 index, arch_irq_handler handler,
                          void *argument) {
    if (index >= device->msix_entries) return ERR_OUT_OF_RANGE;
    u64 address;
    u32 data;
    status_t status = arch_irq_alloc_msi(handler, argument, &address, &data);
    if (status != OK) return status;
    u8 *entry = device->msix_table + index * MSIX_ENTRY_SIZE;
    mmio_write32(entry + MSIX_ENTRY_ADDRESS, (u32)address);
    mmio_write32(entry + MSIX_ENTRY_ADDRESS + 4, (u32)(address >> 32));
    mmio_write32(entry + MSIX_ENTRY_DATA, data);
    msix_entry_mask(device, index, 0);
    return OK;
}
