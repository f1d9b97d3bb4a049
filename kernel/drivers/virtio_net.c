// virtio network cards (VIRTIO 1.2, section 5.1): one receive and one send queue, no offloads, no
// EVENT_IDX. Each queue has a buffer of half a page for each descriptor; a chain is one descriptor,
// so descriptor n always carries buffer n. A received frame stays in its buffer, on the used ring,
// until somebody takes it; a card whose frames nobody takes runs dry and drops them.
// Lock: the card's (struct netdev), shared with the interrupts.
#include "drivers/drivers.h"

#include "abi/errors.h"
#include "drivers/netdev.h"
#include "drivers/random.h"
#include "drivers/virtio.h"
#include "lib/print.h"
#include "lib/string.h"

enum : u64 { FEATURE_MAC = 1 << 5 };
enum : u16 { QUEUE_RECEIVE = 0, QUEUE_SEND = 1 };
enum : u32 { CARDS_MAX = 4, BUFFERS = 32, BUFFER_SIZE = PAGE_SIZE / 2 };

// Before each frame; all zero when sending without offloads.
struct header {
    u8 flags;
    u8 offload;
    u16 header_size;
    u16 segment_size;
    u16 checksum_start;
    u16 checksum_offset;
    u16 buffers;
};
static_assert(sizeof(struct header) == 12);
static_assert(sizeof(struct header) + NETDEV_FRAME_MAX <= BUFFER_SIZE);

struct ring {
    struct virtqueue queue;
    u8 *buffers[BUFFERS];
};

struct virtio_net {
    struct netdev card;
    struct virtio_device device;
    // under card.lock:
    struct ring receive;
    struct ring send;
};

// Filled at boot.
static struct virtio_net devices[CARDS_MAX];
static u32 device_count;

static void receive_buffer_give(struct ring *ring) {
    u8 *buffer = ring->buffers[virtqueue_next_head(&ring->queue)];
    struct virtqueue_segment segment = {arch_paddr(buffer), BUFFER_SIZE};
    status_t status = virtqueue_add(&ring->queue, &segment, 0, 1);
    DASSERT(status == OK);
}

static void card_failed(struct virtio_net *net) {
    if (virtio_reset(&net->device) != OK) klog(LOG_ERROR, "virtio-net: does not reset\n");
    net->receive.queue.broken = true;
    net->send.queue.broken = true;
}

// A chain from the device's side of the ring; a device that breaks a rule is stopped.
static status_t ring_take(struct virtio_net *net, struct ring *ring, u16 *head, u32 *size)

{
    bool failed_before = ring->queue.broken;
    status_t status = virtqueue_take(&ring->queue, head, size);
    if (status == ERR_IO_ERROR && !failed_before) card_failed(net);
    return status;
}

// The frame is the device's to scribble on until it is copied: only its size is relied on.
static status_t net_receive(struct netdev *card, void *buffer, u32 *size) {
    struct virtio_net *net = container_of(card, struct virtio_net, card);
    struct ring *ring = &net->receive;
    for (u32 i = 0; i < BUFFERS; i++) {
        u16 head;
        u32 written;
        status_t status = ring_take(net, ring, &head, &written);
        if (status != OK) return status;
        u32 frame_size = written - (u32)sizeof(struct header);
        bool good = written >= sizeof(struct header) && frame_size >= NETDEV_FRAME_MIN &&
                    frame_size <= NETDEV_FRAME_MAX;
        if (good) memcpy(buffer, ring->buffers[head] + sizeof(struct header), frame_size);
        receive_buffer_give(ring); // the one just taken: the newest free descriptor is reused
        virtqueue_kick(&ring->queue);
        if (good) {
            *size = frame_size;
            return OK;
        }
    }
    return ERR_SHOULD_WAIT;
}

static status_t sent_reclaim(struct virtio_net *net) {
    u16 head;
    u32 written;
    status_t status;
    do {
        status = ring_take(net, &net->send, &head, &written);
    } while (status == OK);
    return status == ERR_SHOULD_WAIT ? OK : status;
}

// Buffers that were sent are taken back here; only when none is left is the device asked to
// interrupt for the next.
static status_t net_send(struct netdev *card, const void *frame, u32 size) {
    struct virtio_net *net = container_of(card, struct virtio_net, card);
    struct virtqueue *queue = &net->send.queue;
    status_t status = sent_reclaim(net);
    if (status == OK && queue->free_count == 0) {
        virtqueue_interrupts_set(queue, VIRTQUEUE_INTERRUPTS_ON);
        status = sent_reclaim(net);
    }
    if (status != OK) return status;
    if (queue->free_count == 0) return ERR_SHOULD_WAIT;
    u8 *buffer = net->send.buffers[virtqueue_next_head(queue)];
    memset(buffer, 0, sizeof(struct header));
    memcpy(buffer + sizeof(struct header), frame, size);
    struct virtqueue_segment segment = {arch_paddr(buffer), (u32)sizeof(struct header) + size};
    status = virtqueue_add(queue, &segment, 1, 0);
    virtqueue_kick(queue);
    return status;
}

static const struct netdev_driver net_driver = {.send = net_send, .receive = net_receive};

static void receive_interrupt(void *argument) {
    struct virtio_net *net = argument;
    netdev_notify(&net->card, NETDEV_READABLE);
}

static void send_interrupt(void *argument) {
    struct virtio_net *net = argument;
    lock_acquire(&net->card.lock);
    virtqueue_interrupts_set(&net->send.queue, VIRTQUEUE_INTERRUPTS_OFF);
    lock_release(&net->card.lock);
    netdev_notify(&net->card, NETDEV_WRITABLE);
}

static status_t ring_init(struct ring *ring, struct virtio_net *net, u16 index,
                          arch_irq_handler handler) {
    status_t status = virtqueue_init(&ring->queue, &net->device, index, BUFFERS, handler, net);
    for (u32 i = 0; i < ring->queue.size && status == OK; i += 2) {
        ring->buffers[i] = virtio_page_alloc();
        if (!ring->buffers[i]) return ERR_NO_RESOURCES;
        if (i + 1 < BUFFERS) ring->buffers[i + 1] = ring->buffers[i] + BUFFER_SIZE;
    }
    return status;
}

// The card's own address, or one made up (locally administered, unicast).
static void mac_get(const struct virtio_device *device, u8 mac[NETDEV_MAC_SIZE]) {
    random_bytes(mac, NETDEV_MAC_SIZE);
    mac[0] = (u8)((mac[0] & ~1u) | 2);
    if (device->features & FEATURE_MAC)
        for (u32 i = 0; i < NETDEV_MAC_SIZE; i++)
            mac[i] = virtio_config_read8(device, i);
}

static status_t net_setup(struct virtio_net *net, const struct pci_device *pci) {
    status_t status = virtio_open(&net->device, pci, FEATURE_MAC);
    if (status == OK) status = ring_init(&net->receive, net, QUEUE_RECEIVE, receive_interrupt);
    if (status == OK) status = ring_init(&net->send, net, QUEUE_SEND, send_interrupt);
    if (status != OK) return status;
    u8 mac[NETDEV_MAC_SIZE];
    mac_get(&net->device, mac);
    virtqueue_interrupts_set(&net->send.queue, VIRTQUEUE_INTERRUPTS_OFF);
    for (u32 i = 0; i < net->receive.queue.size; i++)
        receive_buffer_give(&net->receive);
    return netdev_register(&net->card, &net_driver, mac);
}

status_t virtio_net_init(const struct pci_device *pci) {
    if (device_count == CARDS_MAX) return ERR_LIMIT;
    struct virtio_net *net = &devices[device_count];
    status_t status = net_setup(net, pci);
    if (status != OK) return status;
    device_count++;
    virtio_start(&net->device);
    virtqueue_kick(&net->receive.queue);
    const u8 *mac = net->card.mac;
    klog(LOG_DEBUG, "virtio-net: %02x:%02x:%02x:%02x:%02x:%02x\n", mac[0], mac[1], mac[2], mac[3],
         mac[4], mac[5]);
    return OK;
}
