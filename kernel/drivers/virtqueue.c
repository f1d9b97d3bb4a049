// Split virtqueues (VIRTIO 1.2, section 2.7). One page is shared with the device: descriptors,
// the available ring (we write), the used ring (the device writes). The descriptors are written
// and never read back; chains and free descriptors are kept in struct virtqueue.
#include "drivers/virtio.h"

#include "abi/errors.h"
#include "drivers/mmio.h"
#include "drivers/virtqueue_rings.h"
#include "lib/print.h"

enum : u16 { DESCRIPTOR_NEXT = 1 << 0, DESCRIPTOR_WRITE = 1 << 1, USED_NO_NOTIFY = 1 << 0 };

void virtqueue_rings_init(struct virtqueue *queue, struct virtqueue_rings *rings, u16 size) {
    *queue = (struct virtqueue){.rings = rings, .size = size, .free_count = size};
    for (u16 i = 0; i < size; i++)
        queue->next[i] = i + 1;
}

status_t virtqueue_add(struct virtqueue *queue, const struct virtqueue_segment *segments,
                       u32 read_count, u32 write_count) {
    u32 count = read_count + write_count;
    ASSERT(count > 0 && count <= queue->size);
    if (queue->free_count < count) return ERR_SHOULD_WAIT;

    struct virtqueue_rings *rings = queue->rings;
    u16 head = queue->free_head;
    u32 writable = 0;
    for (u32 i = 0; i < count; i++) {
        u16 here = queue->free_head;
        u16 flags = i >= read_count ? DESCRIPTOR_WRITE : 0;
        if (i + 1 < count) flags |= DESCRIPTOR_NEXT;
        rings->descriptors[here] = (struct virtqueue_descriptor){
            .paddr = segments[i].paddr,
            .size = segments[i].size,
            .flags = flags,
            .next = queue->next[here],
        };
        if (i >= read_count) writable += segments[i].size;
        queue->free_head = queue->next[here];
    }
    queue->free_count -= (u16)count;
    queue->chain_length[head] = (u16)count;
    queue->writable[head] = writable;
    queue->in_flight++;
    rings->available[queue->available_next % queue->size] = head;
    queue->available_next++;
    // The device must not see the index before the entry and its descriptors.
    __atomic_store_n(&rings->available_index, queue->available_next, __ATOMIC_RELEASE);
    return OK;
}

void virtqueue_kick(struct virtqueue *queue) {
    // Publish the index before looking whether the device sleeps; it does the reverse.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!(__atomic_load_n(&queue->rings->used_flags, __ATOMIC_RELAXED) & USED_NO_NOTIFY))
        mmio_write16(queue->notify, queue->index);
}

static void chain_free(struct virtqueue *queue, u16 head) {
    u16 tail = head;
    for (u16 i = 1; i < queue->chain_length[head]; i++)
        tail = queue->next[tail];
    queue->next[tail] = queue->free_head;
    queue->free_head = head;
    queue->free_count += queue->chain_length[head];
    queue->chain_length[head] = 0;
    queue->in_flight--;
}

status_t virtqueue_take(struct virtqueue *queue, u16 *head, u32 *written) {
    if (queue->broken) return ERR_IO_ERROR;
    struct virtqueue_rings *rings = queue->rings;
    u16 used_index = __atomic_load_n(&rings->used_index, __ATOMIC_ACQUIRE);
    u16 done = used_index - queue->used_next;
    if (done == 0) return ERR_SHOULD_WAIT;
    // Each read once: the device can change them at any moment.
    struct virtqueue_used *entry = &rings->used[queue->used_next % queue->size];
    u32 id = __atomic_load_n(&entry->id, __ATOMIC_RELAXED);
    u32 size = __atomic_load_n(&entry->size, __ATOMIC_RELAXED);
    if (done > queue->in_flight || id >= queue->size || queue->chain_length[id] == 0 ||
        size > queue->writable[id]) {
        queue->broken = true;
        klog(LOG_ERROR, "virtio: queue %u broken: %u done of %u, id %u, %u bytes\n", queue->index,
             done, queue->in_flight, id, size);
        return ERR_IO_ERROR;
    }
    queue->used_next++;
    chain_free(queue, (u16)id);
    *head = (u16)id;
    *written = size;
    return OK;
}

void virtqueue_interrupts_set(struct virtqueue *queue, enum virtqueue_interrupts wanted) {
    __atomic_store_n(&queue->rings->available_flags, wanted, __ATOMIC_RELAXED);
    // Before the caller looks at the used ring: the device looks at the flag after filling it.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
