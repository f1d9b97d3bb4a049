// virtio entropy device (VIRTIO 1.2, section 5.4): one buffer, asked for at boot and whenever the
// generator wants new entropy. One device is enough; others are left alone. Lock: rng_lock, shared
// with the interrupt.
#include "drivers/drivers.h"

#include "abi/errors.h"
#include "drivers/random.h"
#include "drivers/virtio.h"
#include "lib/print.h"
#include "lib/string.h"

enum : u32 { SEED_SIZE = 64, SEED_SIZE_MIN = 32 };

static struct lock rng_lock = LOCK_INIT(LOCK_DRIVER);
static struct virtio_device device; // set at boot
static u8 *buffer;                  // the device writes it
static struct virtqueue queue GUARDED_BY(&rng_lock);

// One request at a time: the queue has one descriptor's worth of them.
static void rng_request(void) {
    lock_acquire(&rng_lock);
    struct virtqueue_segment segment = {arch_paddr(buffer), SEED_SIZE};
    if (!queue.broken && queue.in_flight == 0 && virtqueue_add(&queue, &segment, 0, 1) == OK)
        virtqueue_kick(&queue);
    lock_release(&rng_lock);
}

static void rng_interrupt([[maybe_unused]] void *argument) {
    u8 seed[SEED_SIZE];
    u16 head;
    u32 size = 0;
    lock_acquire(&rng_lock);
    status_t status = virtqueue_take(&queue, &head, &size);
    if (status == OK) memcpy(seed, buffer, size);
    random_wipe(buffer, SEED_SIZE);
    lock_release(&rng_lock);
    if (status == OK) random_mix(seed, size, size >= SEED_SIZE_MIN ? RANDOM_STRONG : RANDOM_WEAK);
    random_wipe(seed, sizeof(seed));
}

static status_t rng_setup(const struct pci_device *pci)
    NO_THREAD_SAFETY_ANALYSIS // nobody else knows it yet
{
    status_t status = virtio_open(&device, pci, 0);
    if (status == OK) status = virtqueue_init(&queue, &device, 0, 1, rng_interrupt, nullptr);
    if (status != OK) return status;
    buffer = virtio_page_alloc();
    return buffer ? OK : ERR_NO_RESOURCES;
}

status_t virtio_rng_init(const struct pci_device *pci) {
    if (buffer) return OK;
    status_t status = rng_setup(pci);
    if (status != OK) return status;
    virtio_start(&device);
    random_source_set(rng_request);
    rng_request();
    klog(LOG_DEBUG, "virtio-rng: there\n");
    return OK;
}
