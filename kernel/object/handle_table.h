// Handle tables: where a process keeps its handles.
//
// Rules:
// - A handle's value is its place + 1; places are reused, last freed first.
// - Chunks of one page are added as needed, paid by the process's namespace, and kept until the
//   process ends.
// - The table's lock (its holder's) is held for all of these.
#ifndef OBJECT_HANDLE_TABLE_H
#define OBJECT_HANDLE_TABLE_H

#include "object/handle.h"

// The slot of a handle or tombstone; nullptr when there is none of this value.
struct handle *handle_table_slot(struct handle_table *table, handle_t value)
    REQUIRES(&table->holder.lock);
// A free slot, not filled yet; nullptr when the namespace can't pay or the table is full.
struct handle *handle_table_take(struct handle_table *table, handle_t *value)
    REQUIRES(&table->holder.lock);
// Sets `count` free slots aside; false as for take.
bool handle_table_reserve(struct handle_table *table, u32 count) REQUIRES(&table->holder.lock);
void handle_table_unreserve(struct handle_table *table, u32 count) REQUIRES(&table->holder.lock);
// One of those that were set aside; never fails.
struct handle *handle_table_take_reserved(struct handle_table *table, handle_t *value)
    REQUIRES(&table->holder.lock);
// Makes a slot free again.
void handle_table_release(struct handle_table *table, struct handle *slot, handle_t value)
    REQUIRES(&table->holder.lock);
// The next slot in use at or after *value, which is set to its value; nullptr at the end.
struct handle *handle_table_next(struct handle_table *table, handle_t *value)
    REQUIRES(&table->holder.lock);

#endif
