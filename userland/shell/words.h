// From a line of text to commands of words, with the quoting of a POSIX shell: single quotes, double
// quotes (in which a backslash quotes `"`, `\`, `$` and `` ` ``), backslash. `;` and a newline end a
// command. There are no expansions, pipes or redirections: their characters must be quoted, but for
// `$`, `*`, `?`, `[`, `~`, `#` and `=`, which stand for themselves.
#pragma once

#include "lib/records.h"

enum {
    LINE_BYTES_MAX = 65536,
    LINE_CUT_MAX = 2 * LINE_BYTES_MAX + 4, // `a;` is a word of three bytes and an end of one
};

// A command's words: a byte 1, the word and a zero for each.
struct words {
    const char *bytes;
    u32 size_bytes;
};

// Cuts a line of at most LINE_BYTES_MAX bytes into commands. `to` has room for LINE_CUT_MAX
// bytes. NULL: it is done, and
// *used is the size of that. Else what is wrong with the line.
const char *line_cut(const char *line, usize size_bytes, char *to, u32 *used);

// The command that begins at *place, which moves on; false: there are no more.
bool line_command(const char *cut, u32 used, u32 *place, struct words *words);

// A command of the `a` records. `to` has room for LINE_CUT_MAX bytes. False: it is too long.
bool words_gather(struct words *words, char *to, const struct records *records);

// The next word after `previous` (NULL: the first), or NULL.
const char *words_next(const struct words *words, const char *previous);
