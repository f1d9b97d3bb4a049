// The boot manifest: lines of words, `#` begins a comment (disk/manifest says what they mean).
// Rules: a line that can't be understood is reported and skipped, the others count.
#pragma once

#include "lib/types.h"

enum { MANIFEST_WORDS_MAX = 20, MANIFEST_WORD_MAX = 47, MANIFEST_LINE_MAX = 512 };

enum manifest_kind : u32 { MANIFEST_NAMESPACE, MANIFEST_TEMPLATE, MANIFEST_SERVICE };

struct manifest_line {
    enum manifest_kind kind;
    u32 number;                            // counted from 1
    const char *name;                      // in text
    u32 words_count;                       // after the name
    const char *words[MANIFEST_WORDS_MAX]; // in text
    char text[MANIFEST_LINE_MAX];
};

struct manifest {
    const char *at;
    const char *end;
    u32 number;
};

enum manifest_result : u32 { MANIFEST_END, MANIFEST_LINE, MANIFEST_BAD };

void manifest_open(struct manifest *manifest, const char *text, usize size_bytes);
// BAD: *problem says what is wrong with the line line->number.
enum manifest_result manifest_next(struct manifest *manifest, struct manifest_line *line,
                                   const char **problem);
// A line's words lie in the line itself: a plain assignment would leave them behind.
void manifest_copy(struct manifest_line *to, const struct manifest_line *from);
// The number behind a word that begins so, or 0 if there is none.
u64 manifest_number(const struct manifest_line *line, const char *prefix);
bool manifest_has_word(const struct manifest_line *line, const char *word);
