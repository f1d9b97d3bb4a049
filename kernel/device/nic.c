// Network cards.
#include "device/nic.h"

#include "kernel/handlers.h"
#include "object/namespace.h"
#include "object/user.h"

static void nic_ready(void *argument, u32 events) {
    struct nic *nic = argument;
    u32 set = (events & NETDEV_READABLE ? SIGNAL_READABLE : 0) |
              (events & NETDEV_WRITABLE ? SIGNAL_WRITABLE : 0);
    object_signal(&nic->base, 0, set);
}

status_t nic_create(struct netdev *card, struct nic **out) {
    struct nic *nic = object_alloc(ns_root, OBJ_NIC, sizeof(*nic));
    if (!nic) return ERR_NO_RESOURCES;
    nic->card = card;
    object_get(&nic->base); // the card's own, for ever
    object_signal(&nic->base, 0, SIGNAL_WRITABLE);
    netdev_ready_set(card, nic_ready, nic);
    object_publish(&nic->base);
    *out = nic;
    return OK;
}

static void nic_describe(struct object *object, u64 detail[4]) {
    memcpy(&detail[0], ((struct nic *)object)->card->mac, NETDEV_MAC_SIZE);
}

const struct object_ops nic_object_ops = {.describe = nic_describe};

status_t sys_nic_send(struct nic *nic, struct user_in bytes) {
    u8 frame[NETDEV_FRAME_MAX];
    status_t status = user_copy_in(frame, bytes.address, bytes.size);
    if (status != OK) return status;
    object_signal(&nic->base, SIGNAL_WRITABLE, 0);
    status = netdev_send(nic->card, frame, bytes.size);
    if (status != ERR_SHOULD_WAIT) object_signal(&nic->base, 0, SIGNAL_WRITABLE);
    return status;
}

status_t sys_nic_receive(struct nic *nic, struct user_out bytes, u64 *received) {
    u8 frame[NETDEV_FRAME_MAX];
    usize size = sizeof(frame);
    object_signal(&nic->base, SIGNAL_READABLE, 0);
    status_t status = netdev_receive(nic->card, frame, &size);
    if (status != OK) return status;
    object_signal(&nic->base, 0, SIGNAL_READABLE);
    *received = size;
    return user_copy_out(bytes.address, frame, size);
}
