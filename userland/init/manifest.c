#include "init/manifest.h"
#include "lib/string.h"

void manifest_open(struct manifest *manifest, const char *text, usize size_bytes) {
    *manifest = (struct manifest){.at = text, .end = text + size_bytes};
}

// Copies the next line without its comment; false at the end. A line that is too long is copied as
// far as it goes, with *is_whole false.
static bool line_copy(struct manifest *manifest, char *to, bool *is_whole) {
    if (manifest->at == manifest->end) {
        return false;
    }
    usize room = (usize)(manifest->end - manifest->at);
    const char *newline = memchr(manifest->at, '\n', room);
    usize size = newline ? (usize)(newline - manifest->at) : room;
    const char *hash = memchr(manifest->at, '#', size);
    usize text_size = hash ? (usize)(hash - manifest->at) : size;
    *is_whole = text_size < MANIFEST_LINE_MAX;
    text_size = min(text_size, (usize)MANIFEST_LINE_MAX - 1);
    memcpy(to, manifest->at, text_size);
    to[text_size] = 0;
    manifest->at += size + (newline != NULL);
    manifest->number++;
    return true;
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// Cuts the text into words; returns how many there are, which may be more than `room`.
static u32 words_cut(char *text, const char **words, u32 room) {
    u32 count = 0;
    while (*text) {
        while (is_blank(*text)) {
            *text++ = 0;
        }
        if (*text && count++ < room) {
            words[count - 1] = text;
        }
        while (*text && !is_blank(*text)) {
            text++;
        }
    }
    return count;
}

static const char *line_parse(struct manifest_line *line) {
    static const char *const kinds[] = {"namespace", "template", "service"};
    const char *words[MANIFEST_WORDS_MAX + 2];
    u32 count = words_cut(line->text, words, ARRAY_SIZE(words));
    if (count < 2) {
        return "it has no name";
    }
    if (count > ARRAY_SIZE(words)) {
        return "it has too many words";
    }
    u32 kind = 0;
    while (kind < ARRAY_SIZE(kinds) && strcmp(words[0], kinds[kind]) != 0) {
        kind++;
    }
    if (kind == ARRAY_SIZE(kinds)) {
        return "it is no namespace, template or service";
    }
    for (u32 i = 1; i < count; i++) {
        if (strlen(words[i]) > MANIFEST_WORD_MAX) {
            return "a word is longer than 47 bytes";
        }
    }
    line->kind = kind;
    line->name = words[1];
    line->words_count = count - 2;
    for (u32 i = 2; i < count; i++) {
        line->words[i - 2] = words[i];
    }
    return NULL;
}

static bool is_empty(const char *text) {
    while (is_blank(*text)) {
        text++;
    }
    return *text == 0;
}

enum manifest_result manifest_next(struct manifest *manifest, struct manifest_line *line,
                                   const char **problem) {
    bool is_whole;
    do {
        if (!line_copy(manifest, line->text, &is_whole)) {
            return MANIFEST_END;
        }
    } while (is_whole && is_empty(line->text));
    line->number = manifest->number;
    *problem = is_whole ? line_parse(line) : "it is longer than 511 bytes";
    return *problem ? MANIFEST_BAD : MANIFEST_LINE;
}

bool manifest_has_word(const struct manifest_line *line, const char *word) {
    for (u32 i = 0; i < line->words_count; i++) {
        if (strcmp(line->words[i], word) == 0) {
            return true;
        }
    }
    return false;
}

void manifest_copy(struct manifest_line *to, const struct manifest_line *from) {
    *to = *from;
    to->name = to->text + (from->name - from->text);
    for (u32 i = 0; i < from->words_count; i++) {
        to->words[i] = to->text + (from->words[i] - from->text);
    }
}

u64 manifest_number(const struct manifest_line *line, const char *prefix) {
    u64 number = 0;
    for (u32 i = 0; i < line->words_count; i++) {
        if (strncmp(line->words[i], prefix, strlen(prefix)) != 0) continue;
        for (const char *at = line->words[i] + strlen(prefix); *at >= '0' && *at <= '9'; at++)
            number = min(number * 10 + (u64)(*at - '0'), 1ul << 40);
    }
    return number;
}
