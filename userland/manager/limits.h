// The limits of a container as requests say them: options with numbers, `shares` as in Docker (1024 is
// what a container has by itself), sizes in bytes, the cap of the CPU in thousandths of one.
#pragma once

#include "abi/types.h"
#include "lib/records.h"

enum { LIMIT_KEYS = 14 };
extern const char *const limit_keys[LIMIT_KEYS];

// What is not said stays, or is the default.
void limits_read(const struct records *records, struct cl_ns_limits *limits);

// How many processes there may be; false: that is not said.
bool limits_pids(const struct records *records, u32 *pids);

// The words of a container with the limits of a request in the place of those before, for the next
// start from its image. NULL: no memory; else heap, and *size_bytes of them.
char *limits_join(const char *words, u32 words_bytes, const struct records *records,
                  u32 *size_bytes);
