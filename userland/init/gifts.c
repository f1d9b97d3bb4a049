#include "cloister.h"

#include "abi/names.h"
#include "init/gifts.h"
#include "lib/format.h"
#include "lib/log.h"
#include "lib/string.h"

enum : u32 {
    CLIENT_RIGHTS = RIGHT_CALL | RIGHT_WAIT | RIGHT_INSPECT,
    NAMES_RIGHTS = RIGHT_OPEN | RIGHT_LIST | RIGHT_INSPECT,
};

// The text after `prefix`, or NULL.
static const char *after(const char *word, const char *prefix) {
    usize size = strlen(prefix);
    return strncmp(word, prefix, size) == 0 ? word + size : NULL;
}

static void give_ledgers(struct records_writer *records) {
    char name[MACHINE_PATH_MAX + 16];
    for (u32 i = 0; i < machine.namespaces_count; i++) {
        const struct machine_namespace *known = &machine.namespaces[i];
        format_text(name, sizeof(name), "ledger:/%s", known->path);
        records_add_handle(records, name, machine_copy(known->ns, RIGHT_INSPECT, name));
    }
}

static void give_namespace(struct records_writer *records, const char *word, const char *format,
                           const char *name, u32 rights) {
    char path[MACHINE_PATH_MAX + 1];
    format_text(path, sizeof(path), format, name);
    handle_t ns = machine_namespace(path);
    if (ns) {
        records_add_handle(records, word, machine_copy(ns, rights, word));
    }
}

// A new channel: the first end under a name for clients, the second for the service.
static void give_server(struct records_writer *records, struct service *service) {
    static const struct cl_acl access = {.everyone = CLIENT_RIGHTS};
    static const char name[] = "channel";
    struct cl_channel_options options = {.call_bytes_max = CL_MESSAGE_BYTES_MAX,
                                         .call_handles_max = CL_MESSAGE_HANDLES_MAX};
    handle_t server;
    if (service->client) {
        ns_unbind(service->ns, name, sizeof(name) - 1);
        handle_close(service->client);
        service->client = 0;
    }
    status_t status = channel_create(service->ns, service->ns, &options, &service->client, &server);
    if (status == OK) {
        status = ns_bind(service->ns, name, sizeof(name) - 1, service->client, &access);
        records_add_handle(records, "server", server);
    }
    if (status != OK) {
        log_line("init: service %s has no channel: %s", service->line.name, cl_error_name(status));
    }
}

// What the kernel gave to init: not every machine has everything.
static void give_own(struct records_writer *records, const char *word) {
    handle_t handle = startup_handle(machine.startup, word);
    if (handle) records_add_handle(records, word, machine_copy(handle, RIGHT_MASK, word));
}

static bool give_device(struct records_writer *records, const char *word) {
    static const char *const words[] = {"block0", "nic0", "console", "command", "system", "bundle"};
    for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            give_own(records, word);
            return true;
        }
    }
    return false;
}

// What a container has in the place of a console.
static void give_streams(struct records_writer *records, const struct records *session) {
    static const char *const words[] = {"stdin", "stdout", "stderr", "log"};
    for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
        handle_t stream = records_handle(session, words[i]);
        if (stream)
            records_add_handle(records, words[i], machine_copy(stream, RIGHT_MASK, words[i]));
    }
}

// How the console is meant, and the arguments: the machine's, or the container's command.
static void give_words(struct records_writer *records, const struct records *session) {
    static const char kinds[] = {'a', 'o'};
    for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
        const char *word = NULL;
        while ((word = records_next(session, kinds[i], word)))
            records_add(records, kinds[i], word);
    }
}

// Words that say how a service is run, not what it is given.
static bool is_manner(const char *word) {
    return strcmp(word, "wait") == 0 || strcmp(word, "restart") == 0 || strcmp(word, "last") == 0 ||
           after(word, "reserve=") || after(word, "disk-reserve=");
}

static void give(struct records_writer *records, struct service *service,
                 const struct records *session, const char *word) {
    const char *name;
    if (give_device(records, word) || is_manner(word)) return;
    if (strcmp(word, "serve") == 0) {
        give_server(records, service);
    } else if (strcmp(word, "streams") == 0) {
        give_streams(records, session);
    } else if (strcmp(word, "outside") == 0) {
        records_add_handle(records, word, machine_copy(machine.root, NAMES_RIGHTS, word));
    } else if (strcmp(word, "processors") == 0) {
        records_add_pair(records, 'o', "cpus", machine.processors);
    } else if (strcmp(word, "ledgers") == 0) {
        give_ledgers(records);
    } else if ((name = after(word, "template:"))) {
        records_add_handle(records, word, template_copy(name));
    } else if ((name = after(word, "owner:"))) {
        give_namespace(records, word, "%s", name, RIGHT_MASK);
    } else if ((name = after(word, "names:"))) {
        give_namespace(records, word, "services/%s", name, NAMES_RIGHTS);
    } else {
        log_line("init: manifest line %u: `%s` is not known", service->line.number, word);
    }
}

void gifts_give(struct records_writer *records, struct service *service,
                const struct records *session) {
    records_add_handle(records, "ns",
                       machine_copy(service->ns, RIGHT_MASK & ~RIGHT_OWNER, "its namespace"));
    for (u32 i = 0; i < service->line.words_count; i++) {
        give(records, service, session, service->line.words[i]);
    }
    if (manifest_has_word(&service->line, "console")) give_words(records, session);
}
