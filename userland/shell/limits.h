// The limits that `run` and `update` set: their options, and what a request says of them.
#pragma once

#include "abi/types.h"
#include "lib/records.h"
#include "shell/shell.h"

enum { LIMITS = 14, LIMIT_TEXT_MAX = 40 };

struct limits {
    u32 given; // bit N: values[N] is
    u64 values[LIMITS];
};

enum limit_found : u32 { LIMIT_NONE, LIMIT_TAKEN, LIMIT_BAD };

// The option of a limit at *word, which moves on to the last word of it. LIMIT_BAD: *problem says what
// is wrong, behind the option's name.
enum limit_found limit_take(const struct words *words, const char **word, struct limits *limits,
                            const char **problem);

// Adds those that are given to a request.
void limits_write(const struct limits *limits, struct records_writer *writer);

// `SOFT[:HARD]` behind `nofile=`, as --ulimit takes it.
bool ulimit_is_valid(const char *text);

// `USED/LIMIT`; a limit that is none is `-`.
const char *limit_format(char text[LIMIT_TEXT_MAX], u64 used, u64 limit);

// The head and the figures of a table of limits, without what stands before them.
void limits_head_print(void);
void limits_print(const struct cl_ns_info *ledger);
