// A word is stored as a byte 1 and its text, so that an empty word ('') and the end of a command (a
// byte 2) are told apart.
#include "shell/words.h"
#include "lib/string.h"

enum { WORD_BEGIN = 1, COMMAND_END = 2 };

struct cutting {
    const char *at;
    const char *end;
    char *to;
    bool in_word;
    bool in_command;
};

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static void byte_put(struct cutting *cutting, char byte) { *cutting->to++ = byte; }

static void word_begin(struct cutting *cutting) {
    if (!cutting->in_word) {
        byte_put(cutting, WORD_BEGIN);
        cutting->in_word = true;
        cutting->in_command = true;
    }
}

static void word_end(struct cutting *cutting) {
    if (cutting->in_word) {
        byte_put(cutting, 0);
        cutting->in_word = false;
    }
}

static void command_end(struct cutting *cutting) {
    word_end(cutting);
    if (cutting->in_command) {
        byte_put(cutting, COMMAND_END);
        cutting->in_command = false;
    }
}

static const char *single_quoted(struct cutting *cutting) {
    while (cutting->at < cutting->end && *cutting->at != '\'') {
        byte_put(cutting, *cutting->at++);
    }
    if (cutting->at == cutting->end) {
        return "a single quote has no end";
    }
    cutting->at++;
    return NULL;
}

static const char *double_quoted(struct cutting *cutting) {
    while (cutting->at < cutting->end && *cutting->at != '"') {
        char c = *cutting->at++;
        if (c == '\\' && cutting->at < cutting->end && strchr("\"\\$`\n", *cutting->at)) {
            c = *cutting->at++;
            if (c == '\n') {
                continue;
            }
        }
        byte_put(cutting, c);
    }
    if (cutting->at == cutting->end) {
        return "a double quote has no end";
    }
    cutting->at++;
    return NULL;
}

static const char *backslashed(struct cutting *cutting) {
    if (cutting->at == cutting->end) {
        return "a backslash at the end quotes nothing";
    }
    char c = *cutting->at++;
    if (c != '\n') {
        word_begin(cutting);
        byte_put(cutting, c);
    }
    return NULL;
}

static const char *character_cut(struct cutting *cutting) {
    char c = *cutting->at++;
    if (is_blank(c)) {
        word_end(cutting);
    } else if (c == ';' || c == '\n' || c == '\r') {
        command_end(cutting);
    } else if (c == '\\') {
        return backslashed(cutting);
    } else if (strchr("|&<>()", c)) {
        return "`|`, `&`, `<`, `>`, `(` and `)` must be quoted: pipes and redirections are for the "
               "shell in a container (sh -c '...')";
    } else {
        word_begin(cutting);
        if (c == '\'') {
            return single_quoted(cutting);
        }
        if (c == '"') {
            return double_quoted(cutting);
        }
        byte_put(cutting, c);
    }
    return NULL;
}

const char *line_cut(const char *line, usize size_bytes, char *to, u32 *used) {
    struct cutting cutting = {.at = line, .end = line + size_bytes, .to = to};
    const char *problem = memchr(line, 0, size_bytes) ? "there is a zero byte in it" : NULL;
    while (!problem && cutting.at < cutting.end) {
        problem = character_cut(&cutting);
    }
    command_end(&cutting);
    *used = (u32)(cutting.to - to);
    return problem;
}

bool line_command(const char *cut, u32 used, u32 *place, struct words *words) {
    u32 at = *place;
    words->bytes = cut + at;
    while (at < used && cut[at] == WORD_BEGIN) {
        at += (u32)strlen(cut + at) + 1;
    }
    words->size_bytes = at - *place;
    *place = at + (at < used);
    return words->size_bytes > 0;
}

bool words_gather(struct words *words, char *to, const struct records *records) {
    const char *word = NULL;
    *words = (struct words){.bytes = to};
    while ((word = records_next(records, 'a', word))) {
        usize size = strlen(word) + 1;
        if (size > LINE_CUT_MAX - words->size_bytes - 1) return false;
        to[words->size_bytes] = WORD_BEGIN;
        memcpy(to + words->size_bytes + 1, word, size);
        words->size_bytes += (u32)size + 1;
    }
    return true;
}

const char *words_next(const struct words *words, const char *previous) {
    const char *at = previous ? previous + strlen(previous) + 1 : words->bytes;
    return at < words->bytes + words->size_bytes ? at + 1 : NULL;
}
