// Finding and starting the devices of the machine.
#pragma once

#include "drivers/pci.h"

struct ledger;

// Boot CPU, once, when memory and interrupts work; rings and buffers are paid by `payer`. A device
// that is missing or does not work is no error: blockdev_get() and netdev_get() tell what is there.
void drivers_init(struct ledger *payer);

// For drivers.c: one device of the kind. NOT_SUPPORTED, NO_RESOURCES, IO_ERROR, or LIMIT when the
// driver has as many as it can take.
status_t virtio_blk_init(const struct pci_device *pci);
status_t virtio_net_init(const struct pci_device *pci);
status_t virtio_rng_init(const struct pci_device *pci);
