// The modern PCI transport of virtio (VIRTIO 1.2, section 4.1): finds the register blocks through
// vendor capabilities, negotiates, sets queues up. States of a device, as its status register
// has them: reset -> acknowledged, driver -> features agreed -> running; or failed.
#include "drivers/virtio.h"

#include "abi/errors.h"
#include "drivers/mmio.h"
#include "drivers/virtqueue_rings.h"
#include "mm/page.h"

// A vendor capability says in which BAR a block of registers lies.
enum : u32 {
    CAP_LENGTH = 2,
    CAP_KIND = 3,
    CAP_BAR = 4,
    CAP_OFFSET = 8,
    CAP_SIZE = 12,
    CAP_NOTIFY_MULTIPLIER = 16,
};
enum block_kind : u8 { BLOCK_COMMON = 1, BLOCK_NOTIFY = 2, BLOCK_DEVICE = 4 };

// The common configuration.
enum : u32 {
    COMMON_DEVICE_FEATURE_SELECT = 0,
    COMMON_DEVICE_FEATURE = 4,
    COMMON_DRIVER_FEATURE_SELECT = 8,
    COMMON_DRIVER_FEATURE = 12,
    COMMON_CONFIG_MSIX = 16,
    COMMON_STATUS = 20,
    COMMON_GENERATION = 21,
    COMMON_QUEUE_SELECT = 22,
    COMMON_QUEUE_SIZE = 24,
    COMMON_QUEUE_MSIX = 26,
    COMMON_QUEUE_ENABLE = 28,
    COMMON_QUEUE_NOTIFY_OFFSET = 30,
    COMMON_QUEUE_DESCRIPTORS = 32,
    COMMON_QUEUE_AVAILABLE = 40,
    COMMON_QUEUE_USED = 48,
    COMMON_SIZE = 56,
};

enum : u8 {
    STATUS_ACKNOWLEDGE = 1,
    STATUS_DRIVER = 2,
    STATUS_DRIVER_OK = 4,
    STATUS_FEATURES_OK = 8
};
enum : u16 { MSIX_NONE = 0xffff };
enum : u32 { RESET_POLLS_MAX = 100000, CONFIG_READS_MAX = 16, BLOCK_SIZE_MAX = KIB(64) };

static struct ledger *page_payer; // set at boot

// Maps the first block of this kind that can be mapped (devices list the preferred one first).
static status_t block_map(struct virtio_device *device, enum block_kind kind, u32 size_min,
                          u8 **mapped, u32 *size, u32 *capability) {
    const struct pci_device *pci = &device->pci;
    u32 cap = pci_capability_find(pci, PCI_CAPABILITY_VENDOR, 0);
    // The list may loop: no more turns than there can be capabilities.
    for (u32 i = 0; i < PCI_CONFIG_SIZE / 4 && cap != 0;
         i++, cap = pci_capability_find(pci, PCI_CAPABILITY_VENDOR, cap)) {
        if (pci_read8(pci, cap + CAP_KIND) != kind || pci_read8(pci, cap + CAP_LENGTH) < 16)
            continue;
        *size = min(pci_read32(pci, cap + CAP_SIZE), BLOCK_SIZE_MAX);
        if (*size < size_min) continue;
        *capability = cap;
        if (pci_bar_map(pci, pci_read8(pci, cap + CAP_BAR), pci_read32(pci, cap + CAP_OFFSET),
                        *size, mapped) == OK)
            return OK;
    }
    return ERR_NOT_FOUND;
}

static status_t blocks_map(struct virtio_device *device) {
    u32 size;
    u32 cap;
    if (block_map(device, BLOCK_COMMON, COMMON_SIZE, &device->common, &size, &cap) != OK)
        return ERR_NOT_SUPPORTED;
    if (block_map(device, BLOCK_NOTIFY, 2, &device->notify, &device->notify_size, &cap) != OK ||
        pci_read8(&device->pci, cap + CAP_LENGTH) < CAP_NOTIFY_MULTIPLIER + 4)
        return ERR_NOT_SUPPORTED;
    device->notify_multiplier = pci_read32(&device->pci, cap + CAP_NOTIFY_MULTIPLIER);
    // Not every device has a configuration of its own.
    if (block_map(device, BLOCK_DEVICE, 1, &device->config, &device->config_size, &cap) != OK)
        device->config_size = 0;
    return OK;
}

static void status_add(struct virtio_device *device, u8 bits) {
    u8 *status = device->common + COMMON_STATUS;
    mmio_write8(status, mmio_read8(status) | bits);
}

status_t virtio_reset(struct virtio_device *device) {
    mmio_write8(device->common + COMMON_STATUS, 0);
    for (u32 i = 0; i < RESET_POLLS_MAX; i++) {
        if (mmio_read8(device->common + COMMON_STATUS) == 0) return OK;
        arch_spin_poll();
    }
    return ERR_IO_ERROR;
}

static status_t features_negotiate(struct virtio_device *device, u64 wanted) {
    u8 *common = device->common;
    u64 offered = 0;
    for (u32 half = 0; half < 2; half++) {
        mmio_write32(common + COMMON_DEVICE_FEATURE_SELECT, half);
        offered |= (u64)mmio_read32(common + COMMON_DEVICE_FEATURE) << (32 * half);
    }
    // A device that offers ACCESS_PLATFORM may insist; without an IOMMU it changes nothing.
    device->features =
        offered & (wanted | VIRTIO_FEATURE_VERSION_1 | VIRTIO_FEATURE_ACCESS_PLATFORM);
    if (!(device->features & VIRTIO_FEATURE_VERSION_1)) return ERR_NOT_SUPPORTED;
    for (u32 half = 0; half < 2; half++) {
        mmio_write32(common + COMMON_DRIVER_FEATURE_SELECT, half);
        mmio_write32(common + COMMON_DRIVER_FEATURE, (u32)(device->features >> (32 * half)));
    }
    status_add(device, STATUS_FEATURES_OK);
    bool agreed = mmio_read8(common + COMMON_STATUS) & STATUS_FEATURES_OK;
    return agreed ? OK : ERR_NOT_SUPPORTED;
}

status_t virtio_open(struct virtio_device *device, const struct pci_device *pci, u64 wanted) {
    *device = (struct virtio_device){.pci = *pci};
    pci_bars_probe(&device->pci);
    status_t status = blocks_map(device);
    if (status != OK) return status;
    pci_device_enable(&device->pci);
    status = virtio_reset(device);
    if (status != OK) return status;
    status = pci_msix_enable(&device->pci);
    if (status != OK) return status;
    status_add(device, STATUS_ACKNOWLEDGE);
    status_add(device, STATUS_DRIVER);
    mmio_write16(device->common + COMMON_CONFIG_MSIX, MSIX_NONE);
    return features_negotiate(device, wanted);
}

static void common_write64(struct virtio_device *device, u32 offset, u64 value) {
    mmio_write32(device->common + offset, (u32)value);
    mmio_write32(device->common + offset + 4, (u32)(value >> 32));
}

// The queue's notify register; nullptr when it would lie outside the block.
static u8 *notify_register(const struct virtio_device *device) {
    u64 offset =
        (u64)mmio_read16(device->common + COMMON_QUEUE_NOTIFY_OFFSET) * device->notify_multiplier;
    return offset <= device->notify_size - 2 ? device->notify + offset : nullptr;
}

// The largest power of two that neither side finds too large; 0 when the queue is not there.
static u16 queue_size_choose(const struct virtio_device *device, u32 size_max) {
    u32 size = min(mmio_read16(device->common + COMMON_QUEUE_SIZE), (u16)size_max);
    while (size & (size - 1))
        size &= size - 1;
    return (u16)size;
}

status_t virtqueue_init(struct virtqueue *queue, struct virtio_device *device, u16 index,
                        u32 size_max, arch_irq_handler handler, void *argument) {
    u8 *common = device->common;
    mmio_write16(common + COMMON_QUEUE_SELECT, index);
    u16 size = queue_size_choose(device, size_max);
    u8 *notify = notify_register(device);
    if (size == 0 || !notify) return ERR_NOT_SUPPORTED;
    struct virtqueue_rings *rings = virtio_page_alloc();
    if (!rings) return ERR_NO_RESOURCES;
    virtqueue_rings_init(queue, rings, size);
    queue->index = index;
    queue->notify = notify;

    status_t status = pci_msix_connect(&device->pci, index, handler, argument);
    if (status != OK) return status;
    mmio_write16(common + COMMON_QUEUE_MSIX, index);
    if (mmio_read16(common + COMMON_QUEUE_MSIX) != index) return ERR_NO_RESOURCES;
    u64 paddr = arch_paddr(rings);
    mmio_write16(common + COMMON_QUEUE_SIZE, size);
    common_write64(device, COMMON_QUEUE_DESCRIPTORS, paddr);
    common_write64(device, COMMON_QUEUE_AVAILABLE,
                   paddr + offsetof(struct virtqueue_rings, available_flags));
    common_write64(device, COMMON_QUEUE_USED, paddr + offsetof(struct virtqueue_rings, used_flags));
    mmio_write16(common + COMMON_QUEUE_ENABLE, 1);
    return OK;
}

void virtio_start(struct virtio_device *device) { status_add(device, STATUS_DRIVER_OK); }

u8 virtio_config_read8(const struct virtio_device *device, u32 offset) {
    return offset < device->config_size ? mmio_read8(device->config + offset) : 0;
}

u32 virtio_config_read32(const struct virtio_device *device, u32 offset) {
    return offset + 4 <= device->config_size ? mmio_read32(device->config + offset) : 0;
}

// Two reads, again when the device changed its configuration in between.
u64 virtio_config_read64(const struct virtio_device *device, u32 offset) {
    u64 value = 0;
    for (u32 i = 0; i < CONFIG_READS_MAX; i++) {
        u8 generation = mmio_read8(device->common + COMMON_GENERATION);
        value = virtio_config_read32(device, offset) | (u64)virtio_config_read32(device, offset + 4)
                                                           << 32;
        if (mmio_read8(device->common + COMMON_GENERATION) == generation) break;
    }
    return value;
}

void virtio_payer_set(struct ledger *payer) { page_payer = payer; }

void *virtio_page_alloc(void) {
    struct page *page = page_alloc(page_payer, PAGE_KERNEL);
    return page ? page_address(page) : nullptr;
}
