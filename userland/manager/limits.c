#include "manager/limits.h"

#include "lib/heap.h"
#include "lib/string.h"

enum : u64 {
    NUMBER_MAX = 1ull << 50,
    THREADS_OWN = 16, // of the personality's: for events, and those on their way out
    SHARES_DEFAULT = 1024,
    WEIGHT_DEFAULT = 100,
    WEIGHT_MAX = 10000,
};

static u64 same_of(u64 number) { return number; }

static u64 pages_of(u64 bytes) { return bytes / CL_PAGE_SIZE; }

static u64 threads_of(u64 pids) { return pids + THREADS_OWN; }

static u64 weight_of(u64 shares) {
    u64 weight = (shares * WEIGHT_DEFAULT + SHARES_DEFAULT / 2) / SHARES_DEFAULT;
    return min(max(weight, (u64)1), (u64)WEIGHT_MAX);
}

static const char pids_key[] = "pids";
const char *const limit_keys[LIMIT_KEYS] = {
    "memory",        "reservation", "shares",  pids_key,   "handles",   "names",     "timers",
    "channel-bytes", "log-bytes",   "cpu-cap", "read-bps", "read-iops", "write-bps", "write-iops",
};

#define FIELD(name) __builtin_offsetof(struct cl_ns_limits, name)
static const struct {
    usize field;
    u64 (*convert)(u64 number);
} meant[LIMIT_KEYS] = {
    {FIELD(memory_pages), pages_of},    {FIELD(memory_reserved_pages), pages_of},
    {FIELD(cpu_weight), weight_of},     {FIELD(threads), threads_of},
    {FIELD(handles), same_of},          {FIELD(names), same_of},
    {FIELD(timers), same_of},           {FIELD(message_bytes), same_of},
    {FIELD(log_bytes), same_of},        {FIELD(cpu_cap), same_of},
    {FIELD(disk_read_bytes), same_of},  {FIELD(disk_read_requests), same_of},
    {FIELD(disk_write_bytes), same_of}, {FIELD(disk_write_requests), same_of},
};

static bool option_number(const struct records *records, const char *key, u64 *number) {
    const char *text = records_value(records, 'o', key);
    *number = 0;
    if (!text) return false;
    for (; *text >= '0' && *text <= '9' && *number < NUMBER_MAX; text++)
        *number = *number * 10 + (u64)(*text - '0');
    return true;
}

void limits_read(const struct records *records, struct cl_ns_limits *limits) {
    u64 number;
    memset(limits, 0xff, sizeof(*limits)); // CL_LIMIT_SAME
    for (u32 i = 0; i < LIMIT_KEYS; i++) {
        if (!option_number(records, limit_keys[i], &number)) continue;
        number = meant[i].convert(number);
        memcpy((char *)limits + meant[i].field, &number, sizeof(number));
    }
}

bool limits_pids(const struct records *records, u32 *pids) {
    u64 number;
    bool is_said = option_number(records, pids_key, &number);
    *pids = (u32)min(number, (u64)INT32_MAX);
    return is_said;
}

// Whether a record `oKEY=…` is of a limit that the request says.
static bool is_replaced(const char *record, const struct records *records) {
    for (u32 i = 0; i < LIMIT_KEYS; i++) {
        usize size = strlen(limit_keys[i]);
        if (record[0] == 'o' && strncmp(record + 1, limit_keys[i], size) == 0 &&
            record[1 + size] == '=')
            return records_value(records, 'o', limit_keys[i]) != NULL;
    }
    return false;
}

static void kept_add(struct records_writer *writer, const char *words, u32 words_bytes,
                     const struct records *records) {
    for (u32 at = 0; at < words_bytes; at += (u32)strlen(words + at) + 1)
        if (!is_replaced(words + at, records)) records_add(writer, words[at], words + at + 1);
}

char *limits_join(const char *words, u32 words_bytes, const struct records *records,
                  u32 *size_bytes) {
    struct records_writer writer;
    u32 room = words_bytes + records->size_bytes + 1;
    char *joined = heap_alloc(room);
    if (!joined) return NULL;
    records_begin(&writer, joined, room);
    kept_add(&writer, words, words_bytes, records);
    for (u32 i = 0; i < LIMIT_KEYS; i++) {
        const char *value = records_value(records, 'o', limit_keys[i]);
        if (value) records_add_pair(&writer, 'o', limit_keys[i], value);
    }
    *size_bytes = writer.size_bytes;
    return joined;
}
