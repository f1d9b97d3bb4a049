// `inspect`: a container as JSON, its ledger with the names of the ABI's ns_info.
#include "cloister.h"

#include "lib/format.h"
#include "lib/string.h"
#include "shell/client.h"
#include "shell/output.h"

static const struct {
    const char *name;
    usize offset;
} ledger_fields[] = {
#define FIELD(name) {#name, __builtin_offsetof(struct cl_ns_info, name)}
    FIELD(koid),
    FIELD(parent_koid),
    FIELD(memory_limit_pages),
    FIELD(memory_reserved_pages),
    FIELD(memory_drawn_pages),
    FIELD(memory_idle_pages),
    FIELD(memory_children_pages),
    FIELD(memory_used_pages),
    FIELD(kernel_pages),
    FIELD(dying_pages),
    FIELD(objects),
    FIELD(handles),
    FIELD(handles_limit),
    FIELD(threads),
    FIELD(threads_limit),
    FIELD(names),
    FIELD(names_limit),
    FIELD(timers),
    FIELD(timers_limit),
    FIELD(message_bytes),
    FIELD(message_bytes_limit),
    FIELD(children),
    FIELD(cpu_ns),
    FIELD(cpu_weight),
    FIELD(cpu_cap),
    FIELD(log_bytes_limit),
    FIELD(disk_read_bytes),
    FIELD(disk_read_bytes_limit),
    FIELD(disk_read_requests),
    FIELD(disk_read_requests_limit),
    FIELD(disk_write_bytes),
    FIELD(disk_write_bytes_limit),
    FIELD(disk_write_requests),
    FIELD(disk_write_requests_limit),
    FIELD(is_dying),
#undef FIELD
};
static_assert(ARRAY_SIZE(ledger_fields) * sizeof(u64) == sizeof(struct cl_ns_info));

// Texts of a manager_container. What is no UTF-8, as one that was cut, is `?`.
static void json_text(const char *name, const char *text) {
    char escaped[6 * (MANAGER_COMMAND_MAX + 1)];
    usize size = 0;
    for (; *text && size + 7 < sizeof(escaped); text++) {
        bool is_quoted = *text == '"' || *text == '\\';
        const char *format = (u8)*text < ' ' ? "\\u%04x" : is_quoted ? "\\%c" : "%c";
        size += format_text(escaped + size, sizeof(escaped) - size, format, *text);
    }
    escaped[size] = 0;
    output_print("        \"%s\": \"%s\",\n", name, escaped);
}

static void json_number(const char *name, i64 number) {
    output_print("        \"%s\": %ld,\n", name, number);
}

static void json_flag(const char *name, u64 value) {
    output_print("        \"%s\": %s,\n", name, value ? "true" : "false");
}

static void ledger_print(const struct manager_details *details) {
    if (!details->has_ledger) {
        output_print("        \"Ledger\": null\n");
        return;
    }
    output_print("        \"Ledger\": {\n");
    for (u32 i = 0; i < ARRAY_SIZE(ledger_fields); i++) {
        u64 number;
        memcpy(&number, (const char *)&details->ledger + ledger_fields[i].offset, sizeof(number));
        output_print("            \"%s\": %lu%s\n", ledger_fields[i].name, number,
                     i + 1 < ARRAY_SIZE(ledger_fields) ? "," : "");
    }
    output_print("        }\n");
}

static void details_print(const struct manager_details *details) {
    static const char *const states[] = {"unknown", "running", "ending", "exited"};
    const struct manager_container *facts = &details->container;
    output_print("[\n    {\n");
    json_number("Id", (i64)facts->id);
    json_text("Name", facts->name);
    json_text("Image", facts->image);
    json_text("Command", facts->command);
    json_text("State", states[facts->state < ARRAY_SIZE(states) ? facts->state : 0]);
    json_number("ExitCode", facts->status);
    json_flag("Tty", facts->traits & MANAGER_TRAIT_TERMINAL);
    json_flag("OpenStdin", facts->traits & MANAGER_TRAIT_STDIN);
    json_number("NamespaceUser", (i64)details->user);
    json_flag("HasFiles", details->has_ledger && !(facts->traits & MANAGER_TRAIT_NATIVE));
    json_number("CreatedNs", (i64)facts->created_ns);
    json_number("StartedNs", (i64)facts->started_ns);
    json_number("FinishedNs", (i64)facts->ended_ns);
    ledger_print(details);
    output_print("    }\n]\n");
}

i32 inspect_verb(const struct words *words) {
    const char *name = words_next(words, words_next(words, NULL));
    if (!name || words_next(words, name)) {
        return usage_error("inspect", "name one container");
    }
    i32 status;
    const struct manager_reply *reply;
    records_add(request_begin(MANAGER_INSPECT, 0, 0), 'n', name);
    if (request_send(&reply, STATUS_FAILED, &status)) {
        details_print(reply_data(reply));
    }
    return status;
}
