// A message from the kernel. Like message_create() and send, but the bytes are the kernel's and
// the handles are made for it.
#include "object/channel_boot.h"

#include "object/namespace.h"

static status_t slots_fill(struct message *message, struct channel *end,
                           struct object *const *objects, const u32 *rights, u32 count) {
    status_t status = message_slots_alloc(count, &end->base, &message->handles);
    for (u32 i = 0; status == OK && i < count; i++) {
        struct handle_info what = {.object = objects[i], .rights = rights[i]};
        status = handle_slot_make(&message->handles[i], &end->holder, &what);
    }
    return status;
}

status_t channel_post_kernel(struct channel *end, const void *bytes, u32 size,
                             struct object *const *objects, const u32 *rights, u32 count) {
    struct ledger *payer = &end->base.ns->ledger;
    i64 charge = (i64)message_charge(size, count);
    struct message *message = heap_alloc(payer, sizeof(*message));
    struct page *page = page_alloc(payer, PAGE_KERNEL);
    if (!message || !page || slots_fill(message, end, objects, rights, count) != OK ||
        ledger_count_add(payer, LEDGER_MESSAGE_BYTES, charge) != OK)
        return ERR_NO_RESOURCES; // at boot this ends in a panic: nothing is given back
    memcpy(page_address(page), bytes, size);
    message->pages[0] = page;
    message->page_count = 1;
    message->bytes_size = size;
    message->handles_count = (u8)count;
    message->handles_charged = (u8)count;
    object_get(&end->base);
    message->owner = &end->base;
    lock_acquire(&end->lock);
    list_insert_tail(&end->inbox, &message->link);
    end->inbox_count++;
    end->inbox_charge += (u64)charge;
    channel_show_readable_locked(end);
    lock_release(&end->lock);
    return OK;
}
