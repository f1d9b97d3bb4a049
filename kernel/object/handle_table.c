// Handle tables. Four chunk pointers are in the process itself, 512 more in a page of their own.
// A free slot's `rights` holds the value of the next free one.
#include "object/handle_table.h"

#include "object/namespace.h"

enum : u32 { CAPACITY_MAX = (HANDLE_CHUNKS_DIRECT + HANDLE_CHUNKS_MORE) * HANDLE_CHUNK };

struct handle *handle_table_place(struct handle_table *table, handle_t value) {
    u32 place = value - 1, chunk = place / HANDLE_CHUNK;
    struct handle *slots = chunk < HANDLE_CHUNKS_DIRECT ? table->chunks[chunk]
                                                        : table->more[chunk - HANDLE_CHUNKS_DIRECT];
    return &slots[place % HANDLE_CHUNK];
}

struct handle *handle_table_slot(struct handle_table *table, handle_t value) {
    if (value - 1 >= table->capacity) return nullptr;
    struct handle *slot = handle_table_place(table, value);
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
    return true;
}

struct handle *handle_table_take(struct handle_table *table, handle_t *value) {
    if (table->free_first == 0 && !table_grow(table)) return nullptr;
    *value = table->free_first;
    struct handle *slot = handle_table_place(table, *value);
    table->free_first = slot->rights;
    return slot;
}

void handle_table_release(struct handle_table *table, handle_t value) {
    struct handle *slot = handle_table_place(table, value);
    slot->holder = nullptr;
    slot->rights = table->free_first;
    table->free_first = value;
}

struct handle *handle_table_next(struct handle_table *table, handle_t *value) {
    for (; *value <= table->capacity; (*value)++) {
        struct handle *slot = handle_table_place(table, *value);
        if (slot->holder) return slot;
    }
    return nullptr;
}

void handle_table_free(struct handle_table *table) NO_THREAD_SAFETY_ANALYSIS // no one else
{
    for (u32 chunk = 0; chunk < table->capacity / HANDLE_CHUNK; chunk++)
        heap_free(handle_table_place(table, chunk * HANDLE_CHUNK + 1));
    heap_free(table->more);
}
