// Records: how native programs tell each other names, words and handles in one message.
//
// A message's bytes are NUL-ended records; the first letter of each says its kind, the rest is its
// text: `hNAME` (one for each handle of the message, in order), `aWORD` (arguments, in order),
// `eKEY=VALUE` (environment). Protocols add letters of their own.
//
// Rules:
// - a record set comes from outside: records_open checks all of it once, the readers need not; nothing
//   else makes one;
// - the texts are the message's own bytes; they live as long as the buffer;
// - nothing here allocates, blocks or locks.
#pragma once

#include "abi/types.h"
#include "lib/types.h"

enum { RECORDS_HANDLES_MAX = CL_MESSAGE_HANDLES_MAX, RECORDS_SPANS = 8 };

struct records {
    const char *bytes;
    u32 size_bytes;
    u32 handles_count;
    handle_t handles[RECORDS_HANDLES_MAX];
    // Between which bytes the records of a kind are: a look-up passes over few others.
    struct records_span {
        u32 first;
        u32 end; // 0: there are none
    } spans[RECORDS_SPANS];
};

// Takes a message's bytes and handles. False: the last record does not end, a record is empty, or
// the `h` records are not as many as the handles; the handles are the caller's to close then.
bool records_open(struct records *records, const char *bytes, u32 size_bytes,
                  const handle_t *handles, u32 handles_count);

// The next record of a kind after `previous` (a text that this gave before; NULL: the first), or
// NULL. The text is without its letter.
const char *records_next(const struct records *records, char kind, const char *previous);

// The value of the first `KEY=VALUE` of a kind with this key, or NULL.
const char *records_value(const struct records *records, char kind, const char *key);

// Whether there is a record `KEY=…` of this kind, with the key of the pair `KEY=VALUE` that is given.
bool records_has_key(const struct records *records, char kind, const char *pair, usize pair_size);

// The handle of this name, or 0; it stays in the records.
handle_t records_handle(const struct records *records, const char *name);

// The same, and the caller owns it from now on: records_close leaves it alone.
handle_t records_take(struct records *records, const char *name);

// Writing: into a buffer of the caller's. What does not fit sets `is_full` and is left out.
struct records_writer {
    char *bytes;
    u32 room_bytes;
    u32 size_bytes;
    u32 handles_count;
    handle_t handles[RECORDS_HANDLES_MAX];
    bool is_full;
};

void records_begin(struct records_writer *writer, char *buffer, u32 room_bytes);
void records_add(struct records_writer *writer, char kind, const char *text);
// Adds `KEY=VALUE`.
void records_add_pair(struct records_writer *writer, char kind, const char *key, const char *value);
// Adds an `h` record and the handle, which moves with the message. Handle 0 is left out. A handle whose
// record does not fit is the writer's too: who gives up the writer closes it with the others.
void records_add_handle(struct records_writer *writer, const char *name, handle_t handle);
