// The manager's state: one thread, no locks, nothing that waits but the port.
#pragma once

#include "lib/startup.h"

struct manager {
    handle_t port;
    handle_t server;     // the second end of the clients' channel
    handle_t containers; // the namespace that the containers are children of, with OWNER
    handle_t names;      // the image store's namespace
    handle_t template;   // the frozen personality
    const char *cpus;    // how many there are, as a word; NULL: nobody said
};

extern struct manager manager;

// Keys of the port: 0 is the server; a container's address stands for its control channel, with
// KEY_NAMESPACE for its namespace.
enum : u64 { KEY_SERVER = 0, KEY_NAMESPACE = 1 };

// An answer in the making: what is wrong, in words for people, and the status for the client.
struct problem {
    i32 status;
    char text[256];
};

// Always false, so that a check can end with it.
bool problem_set(struct problem *problem, i32 status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
