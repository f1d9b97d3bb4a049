// `rm`, `kill`, `stop`, `wait`, `rename`: the end of containers, and their names.
#include "cloister.h"

#include "lib/string.h"
#include "shell/client.h"
#include "shell/options.h"
#include "shell/output.h"

enum : u64 { NS_PER_S = 1'000'000'000, STOP_SECONDS = 10, SECONDS_MAX = 1'000'000'000 };
enum { LINUX_SIGKILL = 9 };

struct each {
    const char *verb;
    const struct words *words;
    const char *first; // the first name
    enum manager_operation operation;
    u32 flags;
    u64 position;
    // What is said of one that it was done to; NULL: its name.
    void (*done)(const struct manager_reply *reply);
};

// Does something to each container that is named; the status of the first that failed.
static i32 each_named(const struct each *each) {
    i32 first_status = STATUS_OK;
    if (!each->first) return usage_error(each->verb, "which container?");
    if (each->first[0] == '-')
        return usage_error(each->verb, "option `%.64s` is not known", each->first);
    for (const char *word = each->first; word; word = words_next(each->words, word)) {
        i32 status;
        const struct manager_reply *reply;
        output_flush(); // this may take long
        records_add(request_begin(each->operation, each->flags, each->position), 'n', word);
        if (request_send(&reply, STATUS_FAILED, &status)) {
            if (each->done)
                each->done(reply);
            else
                output_print("%s\n", word);
        } else if (first_status == STATUS_OK) {
            first_status = status;
        }
    }
    return first_status;
}

static const char *first_word(const struct words *words) {
    return words_next(words, words_next(words, NULL));
}

i32 rm_verb(const struct words *words) {
    const char *word = first_word(words);
    u32 flags = option_flag(words, &word, "-f", "--force") ? MANAGER_FLAG_FORCE : 0;
    return each_named(&(struct each){"rm", words, word, MANAGER_REMOVE, flags, 0, NULL});
}

i32 kill_verb(const struct words *words) {
    const char *word = first_word(words);
    const char *value;
    u64 signal = LINUX_SIGKILL;
    u32 flags = option_flag(words, &word, "-f", "--force") ? MANAGER_FLAG_FORCE : 0;
    if (option_take(words, &word, "-s", "--signal", &value)) {
        signal = value ? signal_read(value) : 0;
        if (signal == 0)
            return usage_error("kill", "there is no signal `%.64s`", value ? value : "");
    }
    return each_named(&(struct each){"kill", words, word, MANAGER_KILL, flags, signal, NULL});
}

bool stop_timeout_read(const char *verb, const struct words *words, const char **word,
                       u64 *timeout_ns) {
    const char *value;
    u64 seconds = STOP_SECONDS;
    if (option_take(words, word, "-t", "--time", &value) &&
        (!value || !number_read(value, &seconds) || seconds > SECONDS_MAX)) {
        usage_error(verb, "`%.64s` is no number of seconds", value ? value : "");
        return false;
    }
    *timeout_ns = seconds * NS_PER_S;
    return true;
}

i32 stop_verb(const struct words *words) {
    const char *word = first_word(words);
    u64 timeout_ns;
    if (!stop_timeout_read("stop", words, &word, &timeout_ns)) return STATUS_OURS;
    return each_named(&(struct each){"stop", words, word, MANAGER_STOP, 0, timeout_ns, NULL});
}

i32 rename_verb(const struct words *words) {
    i32 status;
    const struct manager_reply *reply;
    const char *old = first_word(words);
    const char *name = old ? words_next(words, old) : NULL;
    if (!name || words_next(words, name))
        return usage_error("rename", "name one container, and what it is to be called");
    struct records_writer *writer = request_begin(MANAGER_RENAME, 0, 0);
    records_add(writer, 'n', old);
    records_add(writer, 'n', name);
    request_send(&reply, STATUS_FAILED, &status);
    return status;
}

static void status_print(const struct manager_reply *reply) {
    const struct manager_container *facts = reply_data(reply);
    output_print("%d\n", facts->status);
}

i32 wait_verb(const struct words *words) {
    return each_named(
        &(struct each){"wait", words, first_word(words), MANAGER_WAIT, 0, 0, status_print});
}
