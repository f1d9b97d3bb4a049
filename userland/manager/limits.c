#include "manager/limits.h"

#include "lib/string.h"

enum : u64 {
    NUMBER_MAX = 1ull << 50,
    THREADS_OWN = 16, // of the personality's: for events, and those on their way out
    SHARES_DEFAULT = 1024,
    WEIGHT_DEFAULT = 100,
    WEIGHT_MAX = 10000,
};

// A number that is given as an option; 0: there is none.
static u64 option_number(const struct records *records, const char *key) {
    const char *text = records_value(records, 'o', key);
    u64 number = 0;
    for (; text && *text >= '0' && *text <= '9' && number < NUMBER_MAX; text++)
        number = number * 10 + (u64)(*text - '0');
    return number;
}

static u64 weight_of(u64 shares) {
    u64 weight = (shares * WEIGHT_DEFAULT + SHARES_DEFAULT / 2) / SHARES_DEFAULT;
    return min(max(weight, (u64)1), (u64)WEIGHT_MAX);
}

void limits_read(const struct records *records, struct cl_ns_limits *limits) {
    u64 memory_bytes = option_number(records, "memory");
    u64 reserved_bytes = option_number(records, "reservation");
    u64 shares = option_number(records, "shares");
    u64 pids = option_number(records, "pids");
    memset(limits, 0xff, sizeof(*limits)); // CL_LIMIT_SAME
    if (memory_bytes > 0) limits->memory_pages = memory_bytes / CL_PAGE_SIZE;
    if (reserved_bytes > 0) limits->memory_reserved_pages = reserved_bytes / CL_PAGE_SIZE;
    if (shares > 0) limits->cpu_weight = weight_of(shares);
    if (pids > 0) limits->threads = pids + THREADS_OWN;
}
