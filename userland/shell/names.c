// `names`, `acl`, `bind`, `unbind`: who may open what in the namespaces of containers.
#include "cloister.h"

#include "abi/names.h"
#include "lib/format.h"
#include "lib/string.h"
#include "shell/client.h"
#include "shell/options.h"
#include "shell/output.h"
#include "shell/rights.h"

enum { PATH_TEXT_MAX = 256 };

static const char *first_word(const struct words *words) {
    return words_next(words, words_next(words, NULL));
}

// ---- tables ----

static void access_print(const struct cl_ns_entry *entry) {
    char text[RIGHTS_TEXT_MAX];
    if (entry->is_child) {
        output_print("  (made here: its owner's)\n");
        return;
    }
    output_print("  everyone=%s", rights_format(text, entry->everyone));
    for (u32 i = 0; i < entry->access_count && i < ARRAY_SIZE(entry->users); i++)
        output_print(" %u=%s", entry->users[i], rights_format(text, entry->rights[i]));
    output_print("\n");
}

static void head_print(void) {
    output_print("%-24s %-10s %8s  %s  %s\n", "NAME", "TYPE", "NUMBER", "CEILING", "ACCESS");
}

static void entry_print(const struct cl_ns_entry *entry) {
    char name[sizeof(entry->name) + 1] = {};
    char rights[RIGHTS_TEXT_MAX];
    memcpy(name, entry->name, min((usize)entry->name_size, sizeof(entry->name)));
    text_disarm(name);
    output_print("%-24s %-10s %8lu  %s", name, cl_object_name(entry->object_type), entry->koid,
                 rights_format(rights, entry->ceiling));
    access_print(entry);
}

i32 names_verb(const struct words *words) {
    i32 status;
    u64 position = 0;
    const struct manager_reply *reply;
    const char *path = first_word(words);
    if (path && words_next(words, path)) return usage_error("names", "name one container");
    head_print();
    do {
        records_add(request_begin(MANAGER_NAMES, 0, position), 'n', path ? path : "");
        if (!request_send(&reply, STATUS_FAILED, &status)) return status;
        const struct cl_ns_entry *entries = reply_data(reply);
        for (u32 i = 0; i < reply->count; i++)
            entry_print(&entries[i]);
        position = reply->next_position;
    } while (position != 0);
    return STATUS_OK;
}

// ---- what is changed ----

// `NAME:OBJECT` into its two records. False: it is none.
static bool place_add(struct records_writer *writer, const char *word) {
    char path[PATH_TEXT_MAX];
    const char *colon = word ? strchr(word, ':') : NULL;
    usize size = colon ? (usize)(colon - word) : 0;
    if (size == 0 || size >= sizeof(path) || !colon[1]) return false;
    memcpy(path, word, size);
    path[size] = 0;
    records_add(writer, 'n', path);
    records_add(writer, 'n', colon + 1);
    return true;
}

// `USER=RIGHTS` into a record. False: it is none.
static bool user_add(struct records_writer *writer, const char *word) {
    char text[64];
    char user[24] = {};
    u64 number;
    u32 rights;
    const char *equals = strchr(word, '=');
    usize size = equals ? (usize)(equals - word) : sizeof(user);
    if (size >= sizeof(user)) return false;
    memcpy(user, word, size);
    if (strcmp(user, "everyone") != 0 && !number_read(user, &number)) return false;
    if (equals[1] && !rights_read(equals + 1, &rights)) return false;
    if (equals[1])
        format_text(text, sizeof(text), "%s=%u", user, rights);
    else
        format_text(text, sizeof(text), "%s=", user);
    records_add(writer, 'u', text);
    return true;
}

// The users from `word` on. False: a usage error was said.
static bool users_add(struct records_writer *writer, const char *verb, const struct words *words,
                      const char *word) {
    for (; word; word = words_next(words, word)) {
        if (user_add(writer, word)) continue;
        usage_error(verb, "`%.64s` is no USER=RIGHTS (`names` shows the words)", word);
        return false;
    }
    return true;
}

i32 acl_verb(const struct words *words) {
    i32 status;
    const struct manager_reply *reply;
    const char *word = first_word(words);
    struct records_writer *writer = request_begin(MANAGER_ACCESS, 0, 0);
    if (!place_add(writer, word))
        return usage_error("acl", "`%.64s` is no NAME:OBJECT", word ? word : "");
    if (!users_add(writer, "acl", words, words_next(words, word))) return STATUS_OURS;
    if (!request_send(&reply, STATUS_FAILED, &status)) return status;
    head_print();
    entry_print(reply_data(reply));
    return STATUS_OK;
}

i32 unbind_verb(const struct words *words) {
    i32 status;
    const struct manager_reply *reply;
    const char *word = first_word(words);
    struct records_writer *writer = request_begin(MANAGER_UNBIND, 0, 0);
    if (!place_add(writer, word) || words_next(words, word))
        return usage_error("unbind", "name one NAME:OBJECT");
    request_send(&reply, STATUS_FAILED, &status);
    return status;
}

static void number_add(struct records_writer *writer, const char *key, u64 number) {
    char text[24];
    format_text(text, sizeof(text), "%lu", number);
    records_add_pair(writer, 'o', key, text);
}

// NAME:OBJECT, NAME:#N or NAME.
static bool source_add(struct records_writer *writer, const char *word) {
    char path[PATH_TEXT_MAX];
    u64 koid;
    const char *colon = strchr(word, ':');
    usize size = colon ? (usize)(colon - word) : strlen(word);
    bool is_number = colon && colon[1] == '#';
    if (colon && !is_number) return place_add(writer, word);
    if (size == 0 || size >= sizeof(path)) return false;
    if (is_number && (!number_read(colon + 2, &koid) || koid == 0)) return false;
    memcpy(path, word, size);
    path[size] = 0;
    records_add(writer, 'n', path);
    records_add(writer, 'n', "");
    if (is_number) number_add(writer, "koid", koid);
    return true;
}

// The options of `bind`; NULL, or what is wrong with one.
static const char *bind_options(struct records_writer *writer, const struct words *words,
                                const char **word) {
    const char *value;
    u32 rights;
    u64 user;
    for (;;) {
        if (option_take(words, word, "-r", "--rights", &value)) {
            if (!value || !rights_read(value, &rights)) return "-r needs rights: open,read";
            number_add(writer, "ceiling", rights);
        } else if (option_take(words, word, "-u", "--user", &value)) {
            if (!value || !number_read(value, &user) || user >= ~0u) return "-u needs a number";
            number_add(writer, "user", user);
        } else {
            return NULL;
        }
    }
}

i32 bind_verb(const struct words *words) {
    i32 status;
    const struct manager_reply *reply;
    const char *word = first_word(words);
    struct records_writer *writer = request_begin(MANAGER_BIND, 0, 0);
    const char *problem = bind_options(writer, words, &word);
    if (problem) return usage_error("bind", "%s", problem);
    const char *to = word ? words_next(words, word) : NULL;
    if (!to) return usage_error("bind", "which object, and where?");
    if (!place_add(writer, to)) return usage_error("bind", "`%.64s` is no NAME:OBJECT", to);
    if (!source_add(writer, word)) return usage_error("bind", "`%.64s` is no source", word);
    if (!users_add(writer, "bind", words, words_next(words, to))) return STATUS_OURS;
    request_send(&reply, STATUS_FAILED, &status);
    return status;
}
