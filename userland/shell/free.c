// `free`: exact pages and bytes, objects, handles and threads, of the machine and each namespace.
// The kernel recalls idle credit when a ledger is read; the root's is read first, so that every
// line is of one state, but for what goes on meanwhile.
#include "cloister.h"

#include "lib/format.h"
#include "lib/string.h"
#include "shell/client.h"
#include "shell/limits.h"
#include "shell/options.h"
#include "shell/output.h"

static const char ledger_prefix[] = "ledger:";

static void row_print(const char *name, u64 pages, const u64 *counts) {
    output_print("%-32s %10lu %14lu", name, pages, pages * CL_PAGE_SIZE);
    for (u32 i = 0; counts && i < 3; i++) {
        output_print(" %9lu", counts[i]);
    }
    output_print("\n");
}

// Of each namespace what it uses of what it may, instead of what there is.
static bool shows_limits;

static void ledger_print(const char *name, const struct cl_ns_info *info) {
    char text[LIMIT_TEXT_MAX];
    if (shows_limits) {
        output_print("%-32s %16s", name,
                     limit_format(text, info->memory_used_pages, info->memory_limit_pages));
        limits_print(info);
        return;
    }
    const u64 counts[] = {info->objects, info->handles, info->threads};
    row_print(name, info->memory_used_pages, counts);
}

static void head_print(void) {
    output_print("%-32s %10s %14s %9s %9s %9s\n", "", "PAGES", "BYTES", "OBJECTS", "HANDLES",
                 "THREADS");
}

static void machine_print(const struct cl_system_info *info) {
    const u64 counts[] = {info->objects, info->handles, info->threads};
    row_print("machine", info->memory_pages, counts);
    row_print("  free", info->memory_free_pages, NULL);
    row_print("  in use", info->memory_pages - info->memory_free_pages, NULL);
    row_print("  kernel's own", info->memory_shared_pages, NULL);
}

// In a container: what it may have, of the machine's.
static void limit_print(const struct cl_ns_info *root) {
    u64 used = root->memory_drawn_pages - root->memory_idle_pages;
    row_print("limit", root->memory_limit_pages, NULL);
    row_print("  free", root->memory_limit_pages - min(used, root->memory_limit_pages), NULL);
    row_print("  in use", used, NULL);
}

// The namespaces of the boot manifest, whose ledgers init has given to us.
static void services_print(void) {
    const struct records *records = &shell.startup->records;
    const char *name = NULL;
    while ((name = records_next(records, 'h', name))) {
        struct cl_ns_info info;
        usize size = sizeof(ledger_prefix) - 1;
        if (strncmp(name, ledger_prefix, size) == 0 &&
            ns_info(records_handle(records, name), &info) == OK) {
            ledger_print(name + size, &info);
        }
    }
}

static void container_print(const char *name) {
    char path[MANAGER_NAME_MAX + 16];
    i32 status;
    const struct manager_reply *reply;
    records_add(request_begin(MANAGER_INSPECT, 0, 0), 'n', name);
    if (request_send(&reply, STATUS_FAILED, &status)) {
        const struct manager_details *details = reply_data(reply);
        if (details->has_ledger) {
            format_text(path, sizeof(path), "/containers/%s", name);
            ledger_print(path, &details->ledger);
        }
    }
}

static i32 containers_print(void) {
    i32 status;
    u64 position = 0;
    const struct manager_reply *reply;
    for (;;) {
        request_begin(MANAGER_LIST, 0, position);
        if (!request_send(&reply, STATUS_FAILED, &status) || reply->count == 0) {
            return status;
        }
        // One at a time: the next request overwrites the reply.
        struct manager_container facts;
        memcpy(&facts, reply_data(reply), sizeof(facts));
        position = facts.id;
        container_print(facts.name);
    }
}

i32 free_verb(const struct words *words) {
    const char *word = words_next(words, words_next(words, NULL));
    shows_limits = option_flag(words, &word, "-l", "--limits");
    if (word) {
        return usage_error("free", "`%.64s` is not known", word);
    }
    struct cl_ns_info root;
    struct cl_system_info info = {};
    handle_t ledger = startup_handle(shell.startup, "ledger:/");
    if (ns_info(ledger, &root) != OK || (shell.system && system_info(shell.system, &info) != OK)) {
        error_print("the totals can't be read");
        return STATUS_FAILED;
    }
    if (shows_limits) {
        output_print("%-32s %16s", "", "PAGES");
        limits_head_print();
        services_print();
        return containers_print();
    }
    head_print();
    if (shell.system)
        machine_print(&info);
    else
        limit_print(&root);
    services_print();
    return containers_print();
}
