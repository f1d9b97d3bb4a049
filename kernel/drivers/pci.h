// PCI Express configuration space (ECAM), BARs, capabilities, MSI-X.
//
// Rules:
// - Only for the boot CPU, while drivers are set up; there is no lock.
// - A struct pci_device is a plain value: copy it. What it maps stays mapped for ever.
// - What a device says of itself (capabilities, BARs, offsets) is checked, not believed.
// Source: PCI Local Bus Specification 3.0, PCI Express Base 3.1 (7.2.2: ECAM).
#pragma once

#include "arch/arch.h"
#include "lib/types.h"

enum : u32 { PCI_CAPABILITY_VENDOR = 0x09, PCI_CAPABILITY_MSIX = 0x11 };
enum : u32 { PCI_BARS = 6, PCI_CONFIG_SIZE = 256 };

// A memory BAR; size 0: there is none, or it has no address.
struct pci_bar {
    u64 base;
    u64 size;
};

struct pci_device {
    u8 *config; // its configuration space
    u16 vendor;
    u16 device;
    u8 bus;
    u8 slot_function;              // slot << 3 | function
    struct pci_bar bars[PCI_BARS]; // set by pci_bars_probe()
    u8 *msix_table;                // set by pci_msix_enable()
    u32 msix_entries;
};

// Calls `found` for each function on bus 0 and behind the bridges that the firmware has set up.
// Does nothing on a machine without ECAM.
void pci_scan(void (*found)(const struct pci_device *device));

u8 pci_read8(const struct pci_device *device, u32 offset);
u16 pci_read16(const struct pci_device *device, u32 offset);
u32 pci_read32(const struct pci_device *device, u32 offset);

// Offset of the next capability of this kind after the one at `after` (0: from the start); 0 when
// there is none. The list is followed only so far as it can be one.
u32 pci_capability_find(const struct pci_device *device, u32 kind, u32 after);

// Finds out where the BARs are and how large. The device does not answer at them, and does no DMA,
// from here to pci_device_enable(): switching that is slow in virtual machines, so it is done once.
void pci_bars_probe(struct pci_device *device);
// Maps [offset, offset + size) of a memory BAR, uncached. NOT_FOUND: no such BAR. OUT_OF_RANGE:
// not inside it. NO_RESOURCES: no room to map it.
status_t pci_bar_map(const struct pci_device *device, u32 bar, u64 offset, u64 size, u8 **mapped);
// Lets the device answer at its BARs and do DMA; its INTx line is off.
void pci_device_enable(const struct pci_device *device);

// Maps the MSI-X table and switches MSI-X on with every entry masked. NOT_FOUND without MSI-X.
status_t pci_msix_enable(struct pci_device *device);
// Routes entry `index` to the handler and unmasks it. OUT_OF_RANGE, NO_RESOURCES.
status_t pci_msix_connect(struct pci_device *device, u32 index, arch_irq_handler handler,
                          void *argument);
