// Handle tables. Four chunk pointers are in the process itself, 512 more in a page of their own.
// A free slot's `rights` holds the value of the next free one.
#include "object/handle_table.h"

#include "object/namespace.h"

enum : u32 { CAPACITY_MAX = (HANDLE_CHUNKS_DIRECT + HANDLE_CHUNKS_MORE) * HANDLE_CHUNK };

void handle_table_init(struct handle_table *table, struct object *process) {
    handle_holder_init(&table->holder, process, &process->ns->ledger);
}

static struct handle *slot_at(struct handle_table *table, u32 place) REQUIRES(&table->holder.lock) {
    u32 chunk = place / HANDLE_CHUNK;
    struct handle *slots = chunk < HANDLE_CHUNKS_DIRECT ? table->chunks[chunk]
                                                        : table->more[chunk - HANDLE_CHUNKS_DIRECT];
    return &slots[place % HANDLE_CHUNK];
}

struct handle *handle_table_slot(struct handle_table *table, handle_t value) {
    if (value - 1 >= table->capacity) return nullptr;
    struct handle *slot = slot_at(table, value - 1);
    return slot->holder ? slot : nullptr;
}

static bool table_grow(struct handle_table *table) REQUIRES(&table->holder.lock) {
    struct ledger *ledger = table->holder.ledger;
    u32 chunk = table->capacity / HANDLE_CHUNK;
    if (table->capacity == CAPACITY_MAX) return false;
    if (chunk >= HANDLE_CHUNKS_DIRECT && !table->more) {
        table->more = heap_alloc(ledger, PAGE_SIZE);
        if (!table->more) return false;
    }
    struct handle *slots = heap_alloc(ledger, HANDLE_CHUNK * sizeof(struct handle));
    if (!slots) return false;
    if (chunk < HANDLE_CHUNKS_DIRECT)
        table->chunks[chunk] = slots;
    else
        table->more[chunk - HANDLE_CHUNKS_DIRECT] = slots;
    for (u32 i = HANDLE_CHUNK; i-- > 0;) {
        slots[i].rights = table->free_first;
        table->free_first = table->capacity + i + 1;
    }
    table->capacity += HANDLE_CHUNK;
    table->free_count += HANDLE_CHUNK;
    return true;
}

static struct handle *slot_take(struct handle_table *table, handle_t *value)
    REQUIRES(&table->holder.lock) {
    *value = table->free_first;
    struct handle *slot = slot_at(table, *value - 1);
    table->free_first = slot->rights;
    table->free_count--;
    return slot;
}

bool handle_table_reserve(struct handle_table *table, u32 count) {
    while (table->free_count - table->reserved < count)
        if (!table_grow(table)) return false;
    table->reserved += count;
    return true;
}

void handle_table_unreserve(struct handle_table *table, u32 count) { table->reserved -= count; }

struct handle *handle_table_take(struct handle_table *table, handle_t *value) {
    if (table->free_count == table->reserved && !table_grow(table)) return nullptr;
    return slot_take(table, value);
}

struct handle *handle_table_take_reserved(struct handle_table *table, handle_t *value) {
    table->reserved--;
    return slot_take(table, value);
}

void handle_table_release(struct handle_table *table, struct handle *slot, handle_t value) {
    slot->holder = nullptr;
    slot->rights = table->free_first;
    table->free_first = value;
    table->free_count++;
}

struct handle *handle_table_next(struct handle_table *table, handle_t *value) {
    for (u32 place = *value - 1; place < table->capacity; place++) {
        struct handle *slot = slot_at(table, place);
        if (!slot->holder) continue;
        *value = place + 1;
        return slot;
    }
    return nullptr;
}

void handle_table_free(struct handle_table *table) NO_THREAD_SAFETY_ANALYSIS // no one else
{
    for (u32 chunk = 0; chunk < table->capacity / HANDLE_CHUNK; chunk++)
        heap_free(slot_at(table, chunk * HANDLE_CHUNK));
    heap_free(table->more);
}
