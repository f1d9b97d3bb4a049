// `update`: other limits for containers that are there.
#include "cloister.h"

#include "shell/client.h"
#include "shell/options.h"
#include "shell/output.h"

struct update {
    u64 memory_bytes;
    u64 reserved_bytes;
    u64 shares;
};

// One option at *word, which moves on; false: there is none. *problem is set when its value is wrong.
static bool option_read(const struct words *words, const char **word, struct update *update,
                        const char **problem) {
    const char *value;
    bool is_fine;
    if (option_take(words, word, "-m", "--memory", &value)) {
        *problem = "-m needs a size: 16m, 1g";
        is_fine = value && size_read(value, &update->memory_bytes);
    } else if (option_take(words, word, "--memory-reservation", "--memory-reservation", &value)) {
        *problem = "--memory-reservation needs a size: 16m, 1g";
        is_fine = value && size_read(value, &update->reserved_bytes);
    } else if (option_take(words, word, "-c", "--cpu-shares", &value)) {
        *problem = "-c needs a number of shares";
        is_fine = value && number_read(value, &update->shares) && update->shares > 0;
    } else {
        return false;
    }
    if (is_fine) *problem = NULL;
    return is_fine;
}

static i32 container_update(const char *name, const struct update *update) {
    i32 status;
    const struct manager_reply *reply;
    struct records_writer *writer = request_begin(MANAGER_UPDATE, 0, 0);
    records_add(writer, 'n', name);
    number_write(writer, "memory", update->memory_bytes);
    number_write(writer, "reservation", update->reserved_bytes);
    number_write(writer, "shares", update->shares);
    if (request_send(&reply, STATUS_FAILED, &status)) output_print("%s\n", name);
    return status;
}

i32 update_verb(const struct words *words) {
    struct update update = {};
    const char *problem = NULL;
    const char *word = words_next(words, words_next(words, NULL));
    while (option_read(words, &word, &update, &problem)) {
    }
    if (problem) return usage_error("update", "%s", problem);
    if (!word) return usage_error("update", "which container?");
    if (word[0] == '-') return usage_error("update", "option `%.64s` is not known", word);
    i32 first_status = STATUS_OK;
    for (; word; word = words_next(words, word)) {
        i32 status = container_update(word, &update);
        if (first_status == STATUS_OK) first_status = status;
    }
    return first_status;
}
