// What init has: the handles from the kernel, and the namespaces, templates and services that it
// made of them. One thread; no locks.
#pragma once

#include "init/manifest.h"
#include "lib/startup.h"

enum { MACHINE_NAMESPACES_MAX = 24, MACHINE_PATH_MAX = 63 };

struct machine_namespace {
    char path[MACHINE_PATH_MAX + 1]; // from the root, without a slash before it; "" is the root
    handle_t ns;
};

struct machine {
    struct startup *startup;
    handle_t root;
    handle_t outside; // the control channel of the manager around this container; 0: a machine
    handle_t bundle;
    char processors[12]; // how many the machine has, as a word
    u32 namespaces_count;
    struct machine_namespace namespaces[MACHINE_NAMESPACES_MAX];
};

extern struct machine machine;

void machine_open(struct startup *startup);

// A namespace by its path, made if it is not there: `services/storage`. 0 and a line on the log when
// that fails.
handle_t machine_namespace(const char *path);

// Sets pages aside for a namespace: they are its own however short memory is elsewhere.
void machine_reserve(handle_t ns, u64 pages, const char *name);

// A copy of a handle with these rights and TRANSFER, or fewer, to send to somebody else; 0 and a line on the log when
// that fails. `what` names it.
handle_t machine_copy(handle_t handle, u32 rights, const char *what);

// Switches the machine off, or ends the container that is taken for one; does not come back.
[[noreturn]] void machine_poweroff(u32 status);
