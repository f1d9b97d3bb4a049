// `cp`: files and trees from container to container.
#include "cloister.h"

#include "lib/string.h"
#include "shell/client.h"
#include "shell/output.h"

// `NAME:PATH` into its two records; a path without a slash at its beginning is from the root.
static bool side_add(struct records_writer *writer, const char *word) {
    enum { PATH_MAX = 4096 };
    char text[PATH_MAX];
    const char *colon = strchr(word, ':');
    usize name_size = colon ? (usize)(colon - word) : 0;
    if (name_size == 0 || name_size > MANAGER_NAME_MAX || !colon[1] || strlen(colon) >= PATH_MAX)
        return false;
    memcpy(text, word, name_size);
    text[name_size] = 0;
    records_add(writer, 'n', text);
    text[0] = '/';
    memcpy(text + 1, colon + 1, strlen(colon + 1) + 1);
    records_add(writer, 'n', colon[1] == '/' ? colon + 1 : text);
    return true;
}

i32 cp_verb(const struct words *words) {
    i32 status;
    const struct manager_reply *reply;
    const char *from = words_next(words, words_next(words, NULL));
    const char *to = from ? words_next(words, from) : NULL;
    if (!to || words_next(words, to)) return usage_error("cp", "copy what, and where to?");
    struct records_writer *writer = request_begin(MANAGER_COPY, 0, 0);
    if (!side_add(writer, from) || !side_add(writer, to))
        return usage_error("cp", "`%.64s` or `%.64s` is no NAME:PATH", from, to);
    request_send(&reply, STATUS_FAILED, &status);
    return status;
}
