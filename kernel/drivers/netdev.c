// What all network cards share: the list of cards, and who is told when one is ready.
#include "drivers/netdev.h"

#include "abi/errors.h"
#include "lib/string.h"

enum : u32 { NETDEVS_MAX = 8 };

// Filled at boot, then constant.
static struct netdev *cards[NETDEVS_MAX];
static u32 card_count;

status_t netdev_send(struct netdev *card, const void *frame, usize size) {
    if (size < NETDEV_FRAME_MIN || size > NETDEV_FRAME_MAX) return ERR_OUT_OF_RANGE;
    lock_acquire(&card->lock);
    status_t status = card->driver->send(card, frame, (u32)size);
    lock_release(&card->lock);
    return status;
}

status_t netdev_receive(struct netdev *card, void *buffer, usize *size) {
    u32 received = 0;
    lock_acquire(&card->lock);
    status_t status = card->driver->receive(card, buffer, &received);
    lock_release(&card->lock);
    *size = received;
    return status;
}

void netdev_ready_set(struct netdev *card, void (*ready)(void *argument, u32 events),
                      void *argument) {
    lock_acquire(&card->lock);
    card->ready = ready;
    card->ready_argument = argument;
    lock_release(&card->lock);
}

void netdev_notify(struct netdev *card, u32 events) {
    lock_acquire(&card->lock);
    void (*ready)(void *argument, u32 events) = card->ready;
    void *argument = card->ready_argument;
    lock_release(&card->lock);
    if (ready) ready(argument, events);
}

struct netdev *netdev_get(u32 index) { return index < card_count ? cards[index] : nullptr; }

status_t netdev_register(struct netdev *card, const struct netdev_driver *driver,
                         const u8 mac[NETDEV_MAC_SIZE]) {
    if (card_count == NETDEVS_MAX) return ERR_LIMIT;
    *card = (struct netdev){.driver = driver};
    lock_init(&card->lock, LOCK_DRIVER);
    memcpy(card->mac, mac, NETDEV_MAC_SIZE);
    cards[card_count++] = card;
    return OK;
}
