// The control channel to the manager (lib/container_protocol.h): messages in the kernel's terms.
#pragma once

#include "lib/records.h"
#include "lib/types.h"

struct launch;

// A message of the manager's: `head_size` bytes, then records.
struct control_message {
    char *buffer; // heap, also when it is refused
    u32 size_bytes;
    struct records records;
};

enum control_wait { CONTROL_POLL, CONTROL_WAIT };

// Takes the next message. -EAGAIN: there is none; -EPIPE: the manager is gone; -EINVAL.
int control_receive(struct control_message *message, u32 head_size, enum control_wait wait);
void control_message_free(struct control_message *message);

void control_open(handle_t channel);
handle_t control_channel(void);
// Sends a report with `size` bytes behind it. Waits only for a manager that is behind.
void control_report(u32 kind, u32 id, i32 status, const void *bytes, usize size);
[[noreturn]] void control_exit(void);

// A kick of the calling thread: where it is the first one, the manager may have sent the first
// request. From then on there is a watch for requests.
void control_kicked(void);
bool control_is_attended(void);

// Serves the requests that wait there; in the event thread. -EPIPE: the manager is gone.
int requests_serve(void);

// A memory object's size in bytes; 0 when it can't be asked.
u64 memobj_size(handle_t memobj);

// What the container's namespace may use and uses, in pages; zeros when it can't be asked.
void ledger_pages(handle_t ns, u64 *limit_pages, u64 *used_pages);
