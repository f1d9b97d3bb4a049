#include "shell/limits.h"

#include "lib/format.h"
#include "lib/string.h"
#include "shell/options.h"
#include "shell/output.h"

enum : u64 { MEMORY_BYTES_MIN = 1 << 20, LIMIT_NEVER = 1ull << 62 };
enum { CPUS_MAX = 64, CPU_PLACES = 3, CPU_WHOLE = 1000 };

// CPUs with up to three places behind the point: in thousandths.
static bool cpus_read(const char *text, u64 *thousandths) {
    char whole[8] = {};
    const char *point = strchr(text, '.');
    usize size = point ? (usize)(point - text) : strlen(text);
    usize places = point ? strlen(point + 1) : 0;
    u64 part = 0;
    if (size >= sizeof(whole) || size + places == 0 || places > CPU_PLACES) return false;
    memcpy(whole, text, size);
    if (size > 0 && !number_read(whole, thousandths)) return false;
    if (size == 0) *thousandths = 0;
    if (places > 0 && !number_read(point + 1, &part)) return false;
    for (; places < CPU_PLACES; places++)
        part *= 10;
    *thousandths = *thousandths * CPU_WHOLE + part;
    return *thousandths <= CPUS_MAX * CPU_WHOLE;
}

// `[/dev/NAME:]RATE`: there is one disk, by whatever name.
static const char *rate_of(const char *text) {
    static const char folder[] = "/dev/";
    const char *colon = strchr(text, ':');
    usize size = sizeof(folder) - 1;
    return strncmp(text, folder, size) == 0 && colon > text + size ? colon + 1 : text;
}

static bool rate_bytes_read(const char *text, u64 *rate) { return size_read(rate_of(text), rate); }

static bool rate_read(const char *text, u64 *rate) { return number_read(rate_of(text), rate); }

static const char rate_bytes_problem[] =
    "is no rate ([/dev/NAME:]BYTES a second, with b, k, m or g behind the number; 0: no limit)";
static const char rate_problem[] = "is no rate ([/dev/NAME:]REQUESTS a second; 0: no limit)";

static const struct {
    const char *short_text;
    const char *text;
    const char *key; // in a request
    bool (*read)(const char *text, u64 *value);
    u64 least;
    const char *problem;
} known[] = {
    {"-m", "--memory", "memory", size_read, MEMORY_BYTES_MIN,
     "is no size (at least 1m; with b, k, m or g behind the number)"},
    {"--memory-reservation", "--memory-reservation", "reservation", size_read, 0, "is no size"},
    {"-c", "--cpu-shares", "shares", number_read, 1,
     "is no number of shares (a container has 1024 by itself)"},
    {"--pids-limit", "--pids-limit", "pids", number_read, 1, "is no number of processes"},
    {"--handles-limit", "--handles-limit", "handles", number_read, 1, "is no number of handles"},
    {"--names-limit", "--names-limit", "names", number_read, 0, "is no number of names"},
    {"--timers-limit", "--timers-limit", "timers", number_read, 0, "is no number of timers"},
    {"--channel-bytes", "--channel-bytes", "channel-bytes", size_read, 1, "is no size"},
    {"--log-bytes", "--log-bytes", "log-bytes", size_read, 0, "is no number of bytes a second"},
    {"--cpus", "--cpus", "cpu-cap", cpus_read, 0,
     "is no number of CPUs (0.001 to 64, at most three digits behind the point; 0: no cap)"},
    {"--device-read-bps", "--device-read-bps", "read-bps", rate_bytes_read, 0, rate_bytes_problem},
    {"--device-read-iops", "--device-read-iops", "read-iops", rate_read, 0, rate_problem},
    {"--device-write-bps", "--device-write-bps", "write-bps", rate_bytes_read, 0,
     rate_bytes_problem},
    {"--device-write-iops", "--device-write-iops", "write-iops", rate_read, 0, rate_problem},
};
static_assert(ARRAY_SIZE(known) == LIMITS);

static bool value_take(u32 index, const char *value, struct limits *limits) {
    u64 number;
    if (!value || !known[index].read(value, &number) || number < known[index].least) return false;
    limits->values[index] = number;
    limits->given |= 1u << index;
    return true;
}

enum limit_found limit_take(const struct words *words, const char **word, struct limits *limits,
                            const char **problem) {
    for (u32 i = 0; i < LIMITS; i++) {
        const char *value, *next = *word;
        if (!option_take(words, &next, known[i].short_text, known[i].text, &value)) continue;
        bool is_behind = value && (value < *word || value > *word + strlen(*word));
        if (is_behind) *word = value;
        *problem = value ? known[i].problem : "needs a value";
        return value_take(i, value, limits) ? LIMIT_TAKEN : LIMIT_BAD;
    }
    return LIMIT_NONE;
}

void limits_write(const struct limits *limits, struct records_writer *writer) {
    char text[24];
    for (u32 i = 0; i < LIMITS; i++) {
        if (!(limits->given & 1u << i)) continue;
        format_text(text, sizeof(text), "%lu", limits->values[i]);
        records_add_pair(writer, 'o', known[i].key, text);
    }
}

bool ulimit_is_valid(const char *text) {
    static const char key[] = "nofile=";
    char soft[24] = {};
    u64 number, most;
    if (strncmp(text, key, sizeof(key) - 1) != 0) return false;
    text += sizeof(key) - 1;
    const char *colon = strchr(text, ':');
    if (!colon) return number_read(text, &number);
    if ((usize)(colon - text) >= sizeof(soft)) return false;
    memcpy(soft, text, (usize)(colon - text));
    return number_read(soft, &number) && number_read(colon + 1, &most) && number <= most;
}

const char *limit_format(char text[LIMIT_TEXT_MAX], u64 used, u64 limit) {
    if (limit < LIMIT_NEVER)
        format_text(text, LIMIT_TEXT_MAX, "%lu/%lu", used, limit);
    else
        format_text(text, LIMIT_TEXT_MAX, "%lu/-", used);
    return text;
}

// A rate; none is `-`.
static const char *rate_format(char text[LIMIT_TEXT_MAX], u64 rate) {
    format_text(text, LIMIT_TEXT_MAX, rate && rate < LIMIT_NEVER ? "%lu" : "-", rate);
    return text;
}

static const char *cpus_format(char text[LIMIT_TEXT_MAX], u64 thousandths) {
    format_text(text, LIMIT_TEXT_MAX, thousandths ? "%lu.%03lu" : "-", thousandths / CPU_WHOLE,
                thousandths % CPU_WHOLE);
    return text;
}

void limits_head_print(void) {
    output_print(" %12s %14s %12s %12s %18s %8s %7s %12s %8s %12s %8s\n", "THREADS", "HANDLES",
                 "NAMES", "TIMERS", "CHANNEL BYTES", "LOG B/S", "CPUS", "READ B/S", "READ/S",
                 "WRITE B/S", "WRITE/S");
}

void limits_print(const struct cl_ns_info *ledger) {
    char text[LIMIT_TEXT_MAX];
    output_print(" %12s", limit_format(text, ledger->threads, ledger->threads_limit));
    output_print(" %14s", limit_format(text, ledger->handles, ledger->handles_limit));
    output_print(" %12s", limit_format(text, ledger->names, ledger->names_limit));
    output_print(" %12s", limit_format(text, ledger->timers, ledger->timers_limit));
    output_print(" %18s", limit_format(text, ledger->message_bytes, ledger->message_bytes_limit));
    output_print(" %8lu %7s", ledger->log_bytes_limit, cpus_format(text, ledger->cpu_cap));
    output_print(" %12s", rate_format(text, ledger->disk_read_bytes_limit));
    output_print(" %8s", rate_format(text, ledger->disk_read_requests_limit));
    output_print(" %12s", rate_format(text, ledger->disk_write_bytes_limit));
    output_print(" %8s\n", rate_format(text, ledger->disk_write_requests_limit));
}
