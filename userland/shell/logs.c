// `logs`: what a container has written, from its log; with -f what it writes, until it ends.
#include "cloister.h"

#include "abi/names.h"
#include "lib/format.h"
#include "lib/message.h"
#include "lib/string.h"
#include "shell/client.h"
#include "shell/input.h"
#include "shell/log_reader.h"
#include "shell/options.h"
#include "shell/output.h"

enum : u64 { NS_PER_S = 1'000'000'000, ALL_LINES = ~0ull };
enum { KEY_FOLLOW = 1, KEY_CONSOLE = 2, FOLLOW_TAKEN_MAX = 64 };
enum { FOLLOW_BYTES_MAX = 1024 }; // a few messages, with what each takes beside its bytes

struct logs {
    const char *name;
    bool follows;
    bool has_times;
    u64 lines_max;
    u64 lines_skipped; // still to be
    handle_t memobj;
    handle_t follow;
    bool is_inside_line[LOG_SYSTEM + 1];
    struct log_reader reader;
};

// Days since 1970 to a date, by the rules of the Gregorian calendar (years from March on).
static void date_of(u64 days, u32 *year, u32 *month, u32 *day) {
    enum { DAYS_PER_ERA = 146097, DAYS_TO_1970 = 719468 };
    u64 shifted = days + DAYS_TO_1970;
    u64 era = shifted / DAYS_PER_ERA;
    u64 in_era = shifted % DAYS_PER_ERA;
    u64 year_in_era = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    u64 in_year = in_era - (365 * year_in_era + year_in_era / 4 - year_in_era / 100);
    u64 shifted_month = (5 * in_year + 2) / 153;
    *day = (u32)(in_year - (153 * shifted_month + 2) / 5 + 1);
    *month = (u32)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    *year = (u32)(year_in_era + era * 400) + (*month <= 2);
}

static void time_print(enum output_stream stream, u64 time_ns) {
    char text[48];
    u32 year, month, day;
    u64 seconds = time_ns / NS_PER_S;
    date_of(seconds / 86400, &year, &month, &day);
    usize size =
        format_text(text, sizeof(text), "%04u-%02u-%02uT%02lu:%02lu:%02lu.%09luZ ", year, month,
                    day, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60, time_ns % NS_PER_S);
    output_write(stream, text, min(size, sizeof(text) - 1));
}

static u64 lines_count(const char *bytes, u32 size) {
    u64 count = 0;
    const char *end = bytes + size;
    while ((bytes = memchr(bytes, '\n', (usize)(end - bytes)))) {
        bytes++;
        count++;
    }
    return count;
}

static void piece_show(struct logs *logs, const struct log_record *record, const char *bytes,
                       usize size) {
    enum output_stream stream = record->stream == LOG_STDOUT ? STREAM_OUTPUT : STREAM_ERROR;
    if (logs->has_times && !logs->is_inside_line[record->stream])
        time_print(stream, record->time_ns);
    logs->is_inside_line[record->stream] = bytes[size - 1] != '\n';
    output_write(stream, bytes, size);
}

static void record_show(struct logs *logs, const struct log_record *record) {
    const char *at = (const char *)(record + 1);
    const char *end = at + record->size_bytes;
    while (at < end) {
        const char *newline = memchr(at, '\n', (usize)(end - at));
        const char *next = newline ? newline + 1 : end;
        if (logs->lines_skipped == 0)
            piece_show(logs, record, at, (usize)(next - at));
        else
            logs->lines_skipped -= newline != NULL;
        at = next;
    }
}

static void records_show(struct logs *logs) {
    const struct log_record *record;
    log_reader_go_on(&logs->reader);
    while ((record = log_reader_next(&logs->reader))) {
        if (logs->reader.has_lost && logs->lines_skipped == 0)
            error_print("a part of the log of %s was overwritten before it could be read",
                        logs->name);
        logs->reader.has_lost = false;
        record_show(logs, record);
    }
}

// How many lines come before those that are wanted. An end without a newline is a line, too.
static void lines_skip(struct logs *logs) {
    const struct log_record *record;
    u64 count = 0;
    bool is_inside = false;
    log_reader_begin(&logs->reader, logs->memobj);
    while (logs->lines_max != ALL_LINES && (record = log_reader_next(&logs->reader))) {
        const char *bytes = (const char *)(record + 1);
        count += lines_count(bytes, record->size_bytes);
        if (record->size_bytes > 0) is_inside = bytes[record->size_bytes - 1] != '\n';
    }
    count += is_inside;
    logs->lines_skipped = count > logs->lines_max ? count - logs->lines_max : 0;
    log_reader_begin(&logs->reader, logs->memobj);
}

// Takes the messages that wait; false: the container's first process has ended. Those that come
// meanwhile are another event.
static bool follow_take(struct logs *logs) {
    char byte;
    struct cl_received received;
    status_t status = OK;
    for (u32 i = 0; i < FOLLOW_TAKEN_MAX && status == OK; i++)
        status = message_receive(logs->follow, &byte, sizeof(byte), NULL, 0, CL_DEADLINE_POLL,
                                 &received);
    return status == OK || status == ERR_SHOULD_WAIT;
}

// False: Ctrl-C.
static bool console_take(void) {
    input_poll(shell.console.is_terminal ? INPUT_DROP : INPUT_KEEP);
    if (input_has_ended()) port_unregister(shell.port, KEY_CONSOLE);
    return !shell.console.is_terminal || !input_interrupted();
}

static void logs_follow(struct logs *logs) {
    bool has_console = console_watch(KEY_CONSOLE);
    bool goes_on = port_register(shell.port, logs->follow, SIGNAL_READABLE | SIGNAL_PEER_CLOSED,
                                 KEY_FOLLOW, 0) == OK;
    while (goes_on) {
        u64 key;
        u32 signals;
        records_show(logs);
        output_flush();
        goes_on = port_wait(shell.port, 0, CL_DEADLINE_NEVER, &key, &signals) == OK &&
                  (key == KEY_FOLLOW ? follow_take(logs) : console_take());
    }
    port_unregister(shell.port, KEY_FOLLOW);
    if (has_console) port_unregister(shell.port, KEY_CONSOLE);
}

static status_t follow_make(struct logs *logs, struct records_writer *writer) {
    struct cl_channel_options options = {.send_bytes_max = FOLLOW_BYTES_MAX};
    handle_t theirs = CL_HANDLE_INVALID;
    status_t status = channel_create(0, 0, &options, &logs->follow, &theirs);
    if (status == OK) records_add_handle(writer, "follow", theirs);
    return status;
}

static i32 logs_run(struct logs *logs) {
    i32 status;
    const struct manager_reply *reply;
    struct records_writer *writer = request_begin(MANAGER_LOGS, 0, 0);
    records_add(writer, 'n', logs->name);
    if (logs->follows && follow_make(logs, writer) != OK) {
        request_drop();
        error_print("there is no memory to follow the log");
        return STATUS_FAILED;
    }
    if (!request_send(&reply, STATUS_FAILED, &status)) return status;
    logs->memobj = request_handle_take();
    if (!logs->memobj) {
        error_print("the manager gave no log");
        return STATUS_FAILED;
    }
    lines_skip(logs);
    if (logs->follows) logs_follow(logs);
    records_show(logs);
    handle_close(logs->memobj);
    return STATUS_OK;
}

// False: a usage error was said.
static bool options_read(const struct words *words, struct logs *logs) {
    const char *value;
    const char *word = words_next(words, words_next(words, NULL));
    logs->lines_max = ALL_LINES;
    while (word && word[0] == '-') {
        if (option_flag(words, &word, "-f", "--follow")) {
            logs->follows = true;
        } else if (option_flag(words, &word, "-t", "--timestamps")) {
            logs->has_times = true;
        } else if (option_take(words, &word, "-n", "--tail", &value)) {
            bool is_all = value && strcmp(value, "all") == 0;
            if (!is_all && (!value || !number_read(value, &logs->lines_max))) {
                usage_error("logs", "`%.64s` is no number of lines", value ? value : "");
                return false;
            }
        } else {
            usage_error("logs", "option `%.64s` is not known", word);
            return false;
        }
    }
    logs->name = word;
    if (word && !words_next(words, word)) return true;
    usage_error("logs", "name one container");
    return false;
}

i32 logs_verb(const struct words *words) {
    static struct logs logs;
    memset(&logs, 0, sizeof(logs));
    if (!options_read(words, &logs)) return STATUS_OURS;
    i32 status = logs_run(&logs);
    if (logs.follow) handle_close(logs.follow);
    return status;
}
