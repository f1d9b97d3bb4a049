// `top` and `stats`: what runs in containers, and what they use.
#include "cloister.h"

#include "lib/container_protocol.h"
#include "lib/format.h"
#include "lib/string.h"
#include "shell/client.h"
#include "shell/input.h"
#include "shell/limits.h"
#include "shell/options.h"
#include "shell/output.h"

enum : u64 { NS_PER_S = 1'000'000'000 };
enum { ROWS_MAX = 64, KEY_CONSOLE = 1 };

i32 top_verb(const struct words *words) {
    i32 status;
    u64 now_ns = 0;
    const struct manager_reply *reply;
    const char *name = words_next(words, words_next(words, NULL));
    if (!name || words_next(words, name)) return usage_error("top", "name one container");
    records_add(request_begin(MANAGER_TOP, 0, 0), 'n', name);
    if (!request_send(&reply, STATUS_FAILED, &status)) return status;
    clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    const struct container_process *process = reply_data(reply);
    u32 count = reply->count / sizeof(*process);
    output_print("%8s %8s %8s %-5s %10s  %s\n", "UID", "PID", "PPID", "STATE", "SECONDS",
                 "COMMAND");
    for (; count > 0; count--, process++) {
        char command[CONTAINER_COMMAND_MAX + 1] = {};
        memcpy(command, process->command, CONTAINER_COMMAND_MAX);
        line_disarm(command);
        u64 age_ns = now_ns > process->start_ns ? now_ns - process->start_ns : 0;
        output_print("%8u %8d %8d %-5c %10lu  %.71s\n", process->uid, process->pid, process->parent,
                     process->state, age_ns / NS_PER_S, command);
    }
    return STATUS_OK;
}

// What a container has used, at a time.
struct sample {
    char name[MANAGER_NAME_MAX + 1];
    u64 at_ns;
    struct cl_ns_info ledger;
};

static bool sample_take(const char *name, struct sample *sample) {
    i32 status;
    const struct manager_reply *reply;
    records_add(request_begin(MANAGER_INSPECT, 0, 0), 'n', name);
    if (!request_send(&reply, STATUS_FAILED, &status)) return false;
    const struct manager_details *details = reply_data(reply);
    if (!details->has_ledger || details->container.state != MANAGER_STATE_RUNNING) return false;
    memcpy(sample->name, details->container.name, sizeof(sample->name));
    sample->ledger = details->ledger;
    clock_get(CL_CLOCK_MONOTONIC, &sample->at_ns);
    return true;
}

// The running containers, the first ROWS_MAX of them.
static u32 samples_take(struct sample *samples) {
    i32 status;
    u32 count = 0;
    u64 position = 0;
    const struct manager_reply *reply;
    while (count < ROWS_MAX) {
        request_begin(MANAGER_LIST, 0, position);
        if (!request_send(&reply, STATUS_FAILED, &status) || reply->count == 0) break;
        // One at a time: the next request overwrites the reply.
        struct manager_container facts;
        memcpy(&facts, reply_data(reply), sizeof(facts));
        position = facts.id;
        if (facts.state == MANAGER_STATE_RUNNING && sample_take(facts.name, &samples[count]))
            count++;
    }
    return count;
}

static u32 samples_named(const struct words *words, const char *word, struct sample *samples) {
    u32 count = 0;
    for (; word && count < ROWS_MAX; word = words_next(words, word))
        count += sample_take(word, &samples[count]);
    return count;
}

static const char *size_format(char *text, usize size, u64 pages) {
    static const char *const units[] = {"KiB", "MiB", "GiB"};
    u64 tenths = pages * (CL_PAGE_SIZE / 1024) * 10;
    u32 unit = 0;
    for (; tenths >= 10240 && unit + 1 < ARRAY_SIZE(units); unit++)
        tenths /= 1024;
    format_text(text, size, "%lu.%lu%s", tenths / 10, tenths % 10, units[unit]);
    return text;
}

static void sample_print(const struct sample *before, struct sample *sample) {
    char used[24], limit[24], read[24], written[24];
    const struct cl_ns_info *ledger = &sample->ledger;
    u64 elapsed_ns = max(sample->at_ns - before->at_ns, 1ull);
    u64 hundredths = (ledger->cpu_ns - before->ledger.cpu_ns) * 10000 / elapsed_ns;
    u64 percent = ledger->memory_used_pages * 10000 / max(ledger->memory_limit_pages, 1ull);
    output_print("%-20s %4lu.%02lu%% %10s / %-10s %4lu.%02lu%% %10s / %-10s %8lu", sample->name,
                 hundredths / 100, hundredths % 100,
                 size_format(used, sizeof(used), ledger->memory_used_pages),
                 size_format(limit, sizeof(limit), ledger->memory_limit_pages), percent / 100,
                 percent % 100,
                 size_format(read, sizeof(read), ledger->disk_read_bytes / CL_PAGE_SIZE),
                 size_format(written, sizeof(written), ledger->disk_write_bytes / CL_PAGE_SIZE),
                 ledger->objects);
    limits_print(ledger);
}

// Waits for a second. False: Ctrl-C.
static bool second_pass(void) {
    u32 observed;
    u64 now_ns = 0;
    clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    u64 deadline_ns = now_ns + NS_PER_S;
    if (!shell.has_input) {
        object_wait(shell.port, SIGNAL_READABLE, 0, deadline_ns, &observed);
        return true;
    }
    while (object_wait(console_input(&shell.console), SIGNAL_READABLE, 0, deadline_ns, &observed) ==
           OK) {
        input_poll(INPUT_DROP);
        if (input_interrupted()) return false;
    }
    return true;
}

static bool samples_print(const struct words *words, const char *first) {
    static struct sample before[ROWS_MAX];
    struct sample sample;
    u32 count = first ? samples_named(words, first, before) : samples_take(before);
    if (!second_pass()) return false;
    output_print("%-20s %8s %10s / %-10s %8s %10s / %-10s %8s", "NAME", "CPU", "MEMORY", "LIMIT",
                 "USED", "BLOCK READ", "WRITTEN", "OBJECTS");
    limits_head_print();
    for (u32 i = 0; i < count; i++) {
        if (sample_take(before[i].name, &sample)) sample_print(&before[i], &sample);
    }
    output_flush();
    return true;
}

i32 stats_verb(const struct words *words) {
    const char *word = words_next(words, words_next(words, NULL));
    bool is_once = option_flag(words, &word, "--no-stream", "--no-stream") || !shell.has_input;
    if (word && word[0] == '-') return usage_error("stats", "option `%.64s` is not known", word);
    while (samples_print(words, word) && !is_once) {
    }
    return STATUS_OK;
}
