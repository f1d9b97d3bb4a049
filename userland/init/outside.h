// The manager around this container, if init runs in one: to it init is what a personality is
// (lib/container_protocol.h).
#pragma once

#include "lib/types.h"

// Has `key` come out of the port when it asks for something.
void outside_watch(handle_t port, u64 key);

// Does what it asks for. SIGTERM and the like end the system; nothing else is for init to do.
void outside_serve(void);
