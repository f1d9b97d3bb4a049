// Virtio devices over PCI, modern transport only (VIRTIO 1.2, section 4.1), with split queues.
//
// Rules:
// - The device is not trusted: nothing that it can write is used before it is checked, and what
//   the driver must remember is kept out of the memory that the device can reach. (An IOMMU is
//   not driven: a device that does DMA where it likes is not defended against.)
// - A queue has no lock of its own: the driver's lock covers it, interrupt handlers included.
// - A queue that broke a rule is dead: virtqueue_take() says IO_ERROR from then on, and its driver
//   resets the device.
// - Setting up: virtio_open, virtqueue_init for each queue, virtio_start. Boot CPU only.
#pragma once

#include "arch/arch.h"
#include "drivers/pci.h"
#include "lib/types.h"

struct ledger;

enum : u16 {
    VIRTIO_PCI_VENDOR = 0x1af4,
    VIRTIO_PCI_DEVICE_BASE = 0x1040, // + device type
};

enum : u16 { VIRTIO_TYPE_NET = 1, VIRTIO_TYPE_BLOCK = 2, VIRTIO_TYPE_RNG = 4 };

enum : u64 { VIRTIO_FEATURE_VERSION_1 = 1ul << 32, VIRTIO_FEATURE_ACCESS_PLATFORM = 1ul << 33 };

// A queue of this many descriptors fits in one page with both of its rings.
enum : u32 { VIRTQUEUE_SIZE_MAX = 128 };

struct virtio_device {
    struct pci_device pci;
    u8 *common; // registers of the common configuration
    u8 *notify;
    u8 *config; // the device type's own; nullptr when it has none
    u32 notify_size;
    u32 notify_multiplier;
    u32 config_size;
    u64 features; // negotiated
};

struct virtqueue_rings;

struct virtqueue {
    struct virtqueue_rings *rings; // the page shared with the device
    u8 *notify;                    // register that tells the device to look
    u16 index;                     // of the queue in its device
    u16 size;                      // descriptors; a power of two
    u16 free_head;                 // first free descriptor, in `next`
    u16 free_count;
    u16 available_next; // what we have published
    u16 used_next;      // what we have taken back
    u16 in_flight;      // chains
    bool broken;
    u16 next[VIRTQUEUE_SIZE_MAX];         // the next descriptor of a chain, or of the free ones
    u16 chain_length[VIRTQUEUE_SIZE_MAX]; // by head; 0: no chain in flight starts here
    u32 writable[VIRTQUEUE_SIZE_MAX];     // by head: bytes that the device may write
};

// Physically contiguous bytes.
struct virtqueue_segment {
    u64 paddr;
    u32 size;
};

// Resets the device and negotiates: `wanted` features where offered; VERSION_1 is demanded.
// NOT_SUPPORTED for a device without the modern interface, or one that refuses.
status_t virtio_open(struct virtio_device *device, const struct pci_device *pci, u64 wanted);
// A queue with at most `size_max` descriptors (a power of two), its interrupt going to `handler`.
status_t virtqueue_init(struct virtqueue *queue, struct virtio_device *device, u16 index,
                        u32 size_max, arch_irq_handler handler, void *argument);
void virtio_start(struct virtio_device *device);
// The device stops and forgets its queues; IO_ERROR when it does not answer in time.
status_t virtio_reset(struct virtio_device *device);

// A field of the device's own configuration; 0 where there is none.
u8 virtio_config_read8(const struct virtio_device *device, u32 offset);
u32 virtio_config_read32(const struct virtio_device *device, u32 offset);
u64 virtio_config_read64(const struct virtio_device *device, u32 offset);

// One zeroed page for sharing with a device; nullptr when there is none. Never given back: a
// device that failed might still write to it.
void *virtio_page_alloc(void);
// Who pays for these pages. Boot CPU, before all else here.
void virtio_payer_set(struct ledger *payer);

// The descriptor that the next virtqueue_add() returns as the chain's head. Drivers index what
// they keep about a chain by it, and so need it before.
static inline u16 virtqueue_next_head(const struct virtqueue *queue) { return queue->free_head; }

// Publishes a chain: first `read_count` segments that the device reads, then `write_count` that
// it writes. SHOULD_WAIT when there are too few free descriptors.
status_t virtqueue_add(struct virtqueue *queue, const struct virtqueue_segment *segments,
                       u32 read_count, u32 write_count);
// Tells the device about chains added since the last kick, unless it wants not to be told.
void virtqueue_kick(struct virtqueue *queue);
// Takes back one chain that the device is done with: its head, and how many bytes it says it
// wrote (never more than it was given). SHOULD_WAIT: none. IO_ERROR: the device broke a rule.
status_t virtqueue_take(struct virtqueue *queue, u16 *head, u32 *written);

// Whether the device shall interrupt for chains that it is done with. After ON, look once more:
// what was done before has not interrupted.
enum virtqueue_interrupts : u16 { VIRTQUEUE_INTERRUPTS_ON = 0, VIRTQUEUE_INTERRUPTS_OFF = 1 };
void virtqueue_interrupts_set(struct virtqueue *queue, enum virtqueue_interrupts wanted);
