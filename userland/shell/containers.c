// `ps` and `images`: what there is.
#include "cloister.h"

#include "lib/format.h"
#include "lib/string.h"
#include "shell/client.h"
#include "shell/options.h"
#include "shell/output.h"
#include "shell/tree.h"

enum : u64 { NS_PER_S = 1'000'000'000 };

// A list by pages: asks again from where the last reply ended. False: an error was said.
static bool page_next(enum manager_operation operation, u64 *position,
                      const struct manager_reply **reply, i32 *status) {
    request_begin(operation, 0, *position);
    if (!request_send(reply, STATUS_FAILED, status)) {
        return false;
    }
    *position = (*reply)->next_position;
    return true;
}

// `5 seconds`, `3 minutes`, `2 hours`, `4 days`.
static const char *age_format(char *text, usize size, u64 ns) {
    static const struct {
        u64 seconds;
        const char *name;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    u64 seconds = ns / NS_PER_S;
    u32 unit = 0;
    while (unit + 1 < ARRAY_SIZE(units) && seconds < units[unit].seconds) {
        unit++;
    }
    u64 count = seconds / units[unit].seconds;
    format_text(text, size, "%lu %s%s", count, units[unit].name, count == 1 ? "" : "s");
    return text;
}

static void state_format(char *text, usize size, const struct manager_container *facts,
                         u64 now_ns) {
    char age[32];
    if (facts->state == MANAGER_STATE_RUNNING) {
        format_text(text, size, "Up %s", age_format(age, sizeof(age), now_ns - facts->started_ns));
    } else if (facts->state == MANAGER_STATE_ENDING) {
        format_text(text, size, "Ending");
    } else {
        format_text(text, size, "Exited (%d) %s ago", facts->status,
                    age_format(age, sizeof(age), now_ns - facts->ended_ns));
    }
}

static void container_print(const struct manager_container *facts, u64 now_ns) {
    char created[32];
    char state[64];
    char command[sizeof(facts->command)];
    memcpy(command, facts->command, sizeof(command));
    line_disarm(command);
    age_format(created, sizeof(created), now_ns - facts->created_ns);
    state_format(state, sizeof(state), facts, now_ns);
    output_print("%-20s %-16s %-24.24s %-12s   %s\n", facts->name, facts->image, command, created,
                 state);
}

i32 ps_verb(const struct words *words) {
    const char *word = words_next(words, words_next(words, NULL));
    bool is_all = option_flag(words, &word, "-a", "--all");
    bool has_levels = option_flag(words, &word, "--all-levels", "--all-levels");
    if (word) return usage_error("ps", "`%.64s` is not known", word);
    if (has_levels) return levels_print();
    i32 status;
    u64 position = 0;
    u64 now_ns = 0;
    const struct manager_reply *reply;
    output_print("%-20s %-16s %-24s %-12s   %s\n", "NAME", "IMAGE", "COMMAND", "AGE", "STATUS");
    do {
        if (!page_next(MANAGER_LIST, &position, &reply, &status)) {
            return status;
        }
        clock_get(CL_CLOCK_MONOTONIC, &now_ns);
        const struct manager_container *facts = reply_data(reply);
        for (u32 i = 0; i < reply->count; i++) {
            if (is_all || facts[i].state != MANAGER_STATE_EXITED) {
                container_print(&facts[i], now_ns);
            }
        }
    } while (position != 0);
    return STATUS_OK;
}

i32 images_verb(const struct words *words) {
    const char *word = words_next(words, words_next(words, NULL));
    if (word) {
        return usage_error("images", "`%.64s` is not known", word);
    }
    i32 status;
    u64 position = 0;
    const struct manager_reply *reply;
    output_print("%-20s %-36s %14s %14s\n", "IMAGE", "ID", "BYTES", "IN MEMORY");
    do {
        if (!page_next(MANAGER_IMAGES, &position, &reply, &status)) {
            return status;
        }
        const struct manager_image *image = reply_data(reply);
        for (u32 i = 0; i < reply->count; i++) {
            output_print("%-20s %-36s %14lu %14lu\n", image[i].name, image[i].id,
                         image[i].size_bytes, image[i].resident_pages * CL_PAGE_SIZE);
        }
    } while (position != 0);
    return STATUS_OK;
}
