// `update`: other limits for containers that are there.
#include "cloister.h"

#include "shell/client.h"
#include "shell/limits.h"
#include "shell/output.h"

static i32 container_update(const char *name, const struct limits *limits) {
    i32 status;
    const struct manager_reply *reply;
    struct records_writer *writer = request_begin(MANAGER_UPDATE, 0, 0);
    records_add(writer, 'n', name);
    limits_write(limits, writer);
    if (request_send(&reply, STATUS_FAILED, &status)) output_print("%s\n", name);
    return status;
}

i32 update_verb(const struct words *words) {
    struct limits limits = {};
    const char *problem;
    enum limit_found found;
    const char *word = words_next(words, words_next(words, NULL));
    const char *option = word;
    while (word && (found = limit_take(words, &word, &limits, &problem)) != LIMIT_NONE) {
        if (found == LIMIT_BAD) return usage_error("update", "option `%.64s` %s", option, problem);
        option = word = words_next(words, word);
    }
    if (!word) return usage_error("update", "which container?");
    if (word[0] == '-') return usage_error("update", "option `%.64s` is not known", word);
    i32 first_status = STATUS_OK;
    for (; word; word = words_next(words, word)) {
        i32 status = container_update(word, &limits);
        if (first_status == STATUS_OK) first_status = status;
    }
    return first_status;
}
