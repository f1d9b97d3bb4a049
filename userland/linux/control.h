// The control channel to the manager (lib/container_protocol.h).
#pragma once

#include "lib/records.h"
#include "lib/types.h"

// Takes the start message into a buffer of its own. 0, or a negative Linux error.
int control_receive(handle_t channel, struct records *records, char **buffer);

// Sends the report and ends the personality.
[[noreturn]] void control_report(handle_t channel, u32 kind, i32 status);

// A memory object's size in bytes; 0 when it can't be asked.
u64 memobj_size(handle_t memobj);

// What the container's namespace may use and uses, in pages; zeros when it can't be asked.
void ledger_pages(handle_t ns, u64 *limit_pages, u64 *used_pages);
