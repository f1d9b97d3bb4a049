// The shell as a client of the manager.
#pragma once

#include "lib/manager_protocol.h"
#include "lib/records.h"
#include "shell/shell.h"

// Begins a request; records are added to the writer afterwards. There is one request at a time.
struct records_writer *request_begin(enum manager_operation operation, u32 flags, u64 position);
// Of those that have an id.
void request_set_id(u32 id);

// Sends the request. True: *reply is what came, `count` structures behind it. False: an error line
// was said, and *status is the status for us to exit with (`status_ours` where the manager could
// not be asked). The handles have moved, or are closed. Where a container has to do it, Ctrl-C leaves
// it undone for us: false without a line.
bool request_send(const struct manager_reply **reply, i32 status_ours, i32 *status);

// Sends a request that may be answered late, and does not wait for what comes of it.
void request_post(void);

// The handle that came with the last reply, the caller's from now on; 0: none.
handle_t request_handle_take(void);

// Closes the handles of a request that will not be sent.
void request_drop(void);

// The structures behind a reply of a call for one or more of them.
static inline const void *reply_data(const struct manager_reply *reply) { return reply + 1; }
