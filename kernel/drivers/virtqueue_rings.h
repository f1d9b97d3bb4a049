// The page that a split virtqueue shares with its device (VIRTIO 1.2, section 2.7). For
// virtqueue.c, virtio_pci.c and the device model of the tests. The layout of the three parts
// inside the page is ours; the device is told their addresses.
#pragma once

#include "drivers/virtio.h"

struct virtqueue_descriptor {
    u64 paddr;
    u32 size;
    u16 flags;
    u16 next;
};

struct virtqueue_used {
    u32 id;
    u32 size;
};

struct virtqueue_rings {
    struct virtqueue_descriptor descriptors[VIRTQUEUE_SIZE_MAX];
    // The available ring.
    u16 available_flags;
    u16 available_index;
    u16 available[VIRTQUEUE_SIZE_MAX];
    // The used ring, on cache lines of its own.
    alignas(64) u16 used_flags;
    u16 used_index;
    struct virtqueue_used used[VIRTQUEUE_SIZE_MAX];
};

static_assert(sizeof(struct virtqueue_descriptor) == 16 && sizeof(struct virtqueue_used) == 8);
static_assert(sizeof(struct virtqueue_rings) <= PAGE_SIZE);

// All descriptors free; `rings` is zeroed.
void virtqueue_rings_init(struct virtqueue *queue, struct virtqueue_rings *rings, u16 size);
