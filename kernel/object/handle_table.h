// Handle tables: where a process keeps its handles.
//
// Rules:
// - A handle's value is its place + 1; places are reused, last freed first.
// - Chunks of one page are added as needed, paid by the process's namespace, and kept until the
//   process ends.
// - The table's lock (its holder's) is held for all of these.
#pragma once

#include "object/handle.h"

// The slot of a handle or tombstone; nullptr when there is none of this value.
struct handle *handle_table_slot(struct handle_table *table, handle_t value)
    REQUIRES(&table->holder.lock);
// The place itself, whatever is there.
struct handle *handle_table_place(struct handle_table *table, handle_t value)
    REQUIRES(&table->holder.lock);
// Takes a free place off the table's list, empty until it is filled: a handle that nobody finds.
// nullptr when the namespace can't pay or the table is full.
struct handle *handle_table_take(struct handle_table *table, handle_t *value)
    REQUIRES(&table->holder.lock);
// Makes a place free again.
void handle_table_release(struct handle_table *table, handle_t value) REQUIRES(&table->holder.lock);
// The next slot in use at or after *value, which is set to its value; nullptr at the end.
struct handle *handle_table_next(struct handle_table *table, handle_t *value)
    REQUIRES(&table->holder.lock);
