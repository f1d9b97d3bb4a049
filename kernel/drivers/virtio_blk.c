// virtio block devices (VIRTIO 1.2, section 5.2). A request is one chain: header, data pages,
// status byte. Header and status live in a page of slots, one for each head descriptor.
// Lock: the disk's (struct blockdev), shared with the interrupt. When the device breaks a rule it
// is reset, and everything it was given, and all that waited, ends with IO_ERROR.
#include "drivers/drivers.h"

#include "abi/errors.h"
#include "drivers/blockdev.h"
#include "drivers/virtio.h"
#include "lib/print.h"
#include "lib/string.h"

enum : u64 { FEATURE_SEG_MAX = 1 << 2, FEATURE_READ_ONLY = 1 << 5, FEATURE_FLUSH = 1 << 9 };
enum : u32 { CONFIG_CAPACITY = 0, CONFIG_SEG_MAX = 12 };
enum : u32 { TYPE_READ = 0, TYPE_WRITE = 1, TYPE_FLUSH = 4 };
enum : u8 { STATUS_OK = 0, STATUS_UNSUPPORTED = 2, STATUS_NONE = 0xff };
enum : u32 { DISKS_MAX = 4, HEADER_SIZE = 16 };

// Shared with the device.
struct slot {
    u32 type;
    u32 reserved;
    u64 sector;
    u8 status; // the device writes it
    u8 padding[15];
};
static_assert(sizeof(struct slot) * VIRTQUEUE_SIZE_MAX <= PAGE_SIZE);

struct virtio_blk {
    struct blockdev disk;
    struct virtio_device device;
    struct slot *slots; // one page
    // under disk.lock:
    struct virtqueue queue;
    struct block_request *requests[VIRTQUEUE_SIZE_MAX]; // by head
};

// Filled at boot.
static struct virtio_blk devices[DISKS_MAX];
static u32 device_count;

static u32 operation_type(enum block_operation operation) {
    switch (operation) {
    case BLOCK_READ: return TYPE_READ;
    case BLOCK_WRITE: return TYPE_WRITE;
    default: return TYPE_FLUSH;
    }
}

// Fills in the data segments; returns how many.
static u32 data_segments(const struct block_request *request, struct virtqueue_segment *segments) {
    u32 count = 0;
    u32 left = request->sector_count * BLOCK_SECTOR_SIZE;
    while (left > 0) {
        u32 size = min(left, (u32)PAGE_SIZE);
        segments[count] = (struct virtqueue_segment){request->pages[count], size};
        count++;
        left -= size;
    }
    return count;
}

static status_t blk_start(struct blockdev *disk, struct block_request *request) {
    struct virtio_blk *blk = container_of(disk, struct virtio_blk, disk);
    u16 head = virtqueue_next_head(&blk->queue);
    if (blk->queue.free_count == 0) return ERR_SHOULD_WAIT;
    struct slot *slot = &blk->slots[head];
    u64 slot_paddr = arch_paddr(slot);
    struct virtqueue_segment segments[BLOCK_REQUEST_PAGES_MAX + 2];
    segments[0] = (struct virtqueue_segment){slot_paddr, HEADER_SIZE};
    u32 data = data_segments(request, segments + 1);
    segments[1 + data] = (struct virtqueue_segment){slot_paddr + offsetof(struct slot, status), 1};

    u32 data_out = request->operation == BLOCK_WRITE ? data : 0;
    *slot = (struct slot){.type = operation_type(request->operation),
                          .sector = request->sector_count ? request->sector : 0,
                          .status = STATUS_NONE};
    status_t status = virtqueue_add(&blk->queue, segments, 1 + data_out, data - data_out + 1);
    if (status == OK) blk->requests[head] = request;
    return status;
}

static void blk_kick(struct blockdev *disk) {
    virtqueue_kick(&container_of(disk, struct virtio_blk, disk)->queue);
}

static const struct blockdev_driver blk_driver = {.start = blk_start, .kick = blk_kick};

// What the device's answer means. A read that says it succeeded must have written all of it, or
// what the pages held before would pass for data.
static status_t result_of(const struct virtio_blk *blk, const struct block_request *request,
                          u16 head, u32 written) {
    u8 answer = __atomic_load_n(&blk->slots[head].status, __ATOMIC_RELAXED);
    if (request->operation == BLOCK_FLUSH && answer == STATUS_UNSUPPORTED &&
        !(blk->device.features & FEATURE_FLUSH))
        return OK; // it has no cache that could be flushed
    u32 needed = request->operation == BLOCK_READ ? request->sector_count * BLOCK_SECTOR_SIZE : 0;
    return answer == STATUS_OK && written > needed ? OK : ERR_IO_ERROR;
}

// Resets the device and moves all that it had, and all that waited, to `requests`.
static void fail_locked(struct virtio_blk *blk, struct list *requests) REQUIRES(&blk->disk.lock) {
    blk->disk.failed = true;
    if (virtio_reset(&blk->device) != OK) klog(LOG_ERROR, "virtio-blk: does not reset\n");
    for (u32 i = 0; i < VIRTQUEUE_SIZE_MAX; i++) {
        if (blk->requests[i]) list_insert_tail(requests, &blk->requests[i]->node);
        blk->requests[i] = nullptr;
    }
    list_splice_tail(requests, &blk->disk.waiting);
}

static void requests_end(struct list *requests, status_t status) {
    struct block_request *request;
    while ((request = list_take_first(requests, struct block_request, node)))
        request->done(request, status);
}

// One finished request, without the lock; false when there is no more.
static bool blk_complete_one(struct virtio_blk *blk) {
    struct list failed = LIST_INIT(failed);
    struct block_request *request = nullptr;
    status_t result = OK;
    u16 head;
    u32 written;
    lock_acquire(&blk->disk.lock);
    status_t status = virtqueue_take(&blk->queue, &head, &written);
    if (status == OK) {
        request = blk->requests[head];
        blk->requests[head] = nullptr;
        result = result_of(blk, request, head, written);
        blockdev_pump_locked(&blk->disk);
    } else if (status == ERR_IO_ERROR && !blk->disk.failed) {
        fail_locked(blk, &failed);
    }
    lock_release(&blk->disk.lock);
    if (request) request->done(request, result);
    requests_end(&failed, ERR_IO_ERROR);
    return request != nullptr;
}

// No more in one go than fit in the ring: what finishes later interrupts again.
static void blk_interrupt(void *argument) {
    struct virtio_blk *blk = argument;
    for (u32 i = 0; i < VIRTQUEUE_SIZE_MAX; i++)
        if (!blk_complete_one(blk)) return;
}

static status_t blk_setup(struct virtio_blk *blk, const struct pci_device *pci) {
    status_t status =
        virtio_open(&blk->device, pci, FEATURE_SEG_MAX | FEATURE_READ_ONLY | FEATURE_FLUSH);
    if (status != OK) return status;
    u64 features = blk->device.features;
    if ((features & FEATURE_SEG_MAX) &&
        virtio_config_read32(&blk->device, CONFIG_SEG_MAX) < BLOCK_REQUEST_PAGES_MAX)
        return ERR_NOT_SUPPORTED;
    status = virtqueue_init(&blk->queue, &blk->device, 0, VIRTQUEUE_SIZE_MAX, blk_interrupt, blk);
    if (status != OK) return status;
    if (blk->queue.size < BLOCK_REQUEST_PAGES_MAX + 2) return ERR_NOT_SUPPORTED;
    blk->slots = virtio_page_alloc();
    if (!blk->slots) return ERR_NO_RESOURCES;
    return blockdev_register(&blk->disk, &blk_driver,
                             virtio_config_read64(&blk->device, CONFIG_CAPACITY),
                             features & FEATURE_READ_ONLY ? BLOCKDEV_READ_ONLY : 0);
}

status_t virtio_blk_init(const struct pci_device *pci) {
    if (device_count == DISKS_MAX) return ERR_LIMIT;
    struct virtio_blk *blk = &devices[device_count];
    status_t status = blk_setup(blk, pci);
    if (status != OK) return status;
    device_count++;
    virtio_start(&blk->device);
    klog(LOG_DEBUG, "virtio-blk: %lu sectors%s\n", blk->disk.sectors,
         blk->disk.flags & BLOCKDEV_READ_ONLY ? ", read-only" : "");
    return OK;
}
