// Which driver takes which PCI device.
#include "drivers/drivers.h"

#include "abi/errors.h"
#include "drivers/virtio.h"
#include "lib/print.h"

struct driver {
    u16 vendor;
    u16 device;
    status_t (*init)(const struct pci_device *pci);
};

// Transitional devices have numbers of their own and the modern interface beside the legacy one.
static const struct driver drivers[] = {
    {VIRTIO_PCI_VENDOR, 0x1000, virtio_net_init},
    {VIRTIO_PCI_VENDOR, 0x1001, virtio_blk_init},
    {VIRTIO_PCI_VENDOR, 0x1005, virtio_rng_init},
    {VIRTIO_PCI_VENDOR, VIRTIO_PCI_DEVICE_BASE + VIRTIO_TYPE_NET, virtio_net_init},
    {VIRTIO_PCI_VENDOR, VIRTIO_PCI_DEVICE_BASE + VIRTIO_TYPE_BLOCK, virtio_blk_init},
    {VIRTIO_PCI_VENDOR, VIRTIO_PCI_DEVICE_BASE + VIRTIO_TYPE_RNG, virtio_rng_init},
};

static void device_found(const struct pci_device *pci) {
    for (u32 i = 0; i < ARRAY_SIZE(drivers); i++) {
        if (drivers[i].vendor != pci->vendor || drivers[i].device != pci->device) continue;
        status_t status = drivers[i].init(pci);
        if (status != OK)
            klog(LOG_WARNING, "pci %02x:%02x.%x (%04x:%04x): not started, error %ld\n", pci->bus,
                 pci->slot_function >> 3, pci->slot_function & 7, pci->vendor, pci->device, status);
    }
}

void drivers_init(struct ledger *payer) {
    virtio_payer_set(payer);
    pci_scan(device_found);
}
