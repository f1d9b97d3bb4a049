// The manager around this container, if init runs in one: to it init is what a personality is
// (lib/container_protocol.h).
#pragma once

#include "lib/types.h"

// Has `key`, and those above it, come out of the port when it asks for something, or what it has asked
// for is over.
void outside_watch(handle_t port, u64 key);

// Does what it asks for: SIGTERM and the like end the system, EXEC is one more shell. Nothing else is
// for init to do.
void outside_serve(void);

// What is to be done when a key above that one has come out.
void session_ended(u64 key);
