#include "shell/rights.h"

#include "abi/names.h"
#include "lib/format.h"
#include "lib/string.h"

enum { RIGHTS_COUNT = 32 - __builtin_clz(RIGHT_MASK) };

static bool word_is(const char *word, usize size, const char *name) {
    if (strlen(name) != size) return false;
    for (usize i = 0; i < size; i++)
        if ((word[i] | 0x20) != (name[i] | 0x20)) return false;
    return true;
}

static bool word_read(const char *word, usize size, u32 *rights) {
    if (word_is(word, size, "none")) return true;
    if (word_is(word, size, "all")) {
        *rights = RIGHT_MASK;
        return true;
    }
    for (u32 bit = 0; bit < RIGHTS_COUNT; bit++) {
        if (!word_is(word, size, cl_right_name(bit))) continue;
        *rights |= 1u << bit;
        return true;
    }
    return false;
}

bool rights_read(const char *text, u32 *rights) {
    *rights = 0;
    for (;;) {
        const char *comma = strchr(text, ',');
        if (!word_read(text, comma ? (usize)(comma - text) : strlen(text), rights)) return false;
        if (!comma) return true;
        text = comma + 1;
    }
}

const char *rights_format(char text[RIGHTS_TEXT_MAX], u32 rights) {
    usize size = 0;
    format_text(text, RIGHTS_TEXT_MAX, "none");
    for (u32 bit = 0; bit < RIGHTS_COUNT; bit++)
        if (rights & 1u << bit)
            size += format_text(text + size, RIGHTS_TEXT_MAX - size, size ? ",%s" : "%s",
                                cl_right_name(bit));
    for (char *at = text; *at; at++)
        if (*at >= 'A' && *at <= 'Z') *at |= 0x20;
    return text;
}
