// What the files of the attacker share: handles that it keeps.
#pragma once

#include "cloister.h"

#include "lib/format.h"
#include "lib/message.h"
#include "lib/string.h"

enum { MADE_MAX = 1 << 16 };

extern handle_t made[MADE_MAX];
extern u32 made_count;
extern handle_t own_ns;
static const struct cl_channel_options small = {.call_bytes_max = 64, .call_handles_max = 4};

// Closes it when there is no room for it.
void keep(handle_t handle);
void all_close(void);

// `run` uses hardly any stack, or is the only one on it.
status_t thread_make(void (*run)(u64 argument), u64 argument, handle_t *thread);

// All objects of one type that it may have, then none of them, for ever; returns when there is no
// such type.
void objects_of(const char *type);
// The same of many types at once.
void objects(void);

// A server in one container, and who calls it, in others.
void door_serve(void);
void door_knock(void);
void door_visit(void);
