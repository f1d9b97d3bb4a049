// Takes all that it can get of one thing, gives it back, and begins again, in a container of its own.
// Says how much it was, and the error, whenever that is another number than the time before.
#include "cloister.h"

#include "abi/names.h"
#include "lib/format.h"
#include "lib/log.h"
#include "lib/message.h"
#include "lib/startup.h"
#include "lib/string.h"

enum { MADE_MAX = 1 << 15, MESSAGE_BYTES = 1024, LOG_LINE_BYTES = 20 };
enum : u64 { PAUSE_NS = 20'000'000, NS_PER_S = 1'000'000'000 };

static handle_t ns, event;
static handle_t made[MADE_MAX];
static u32 made_count;

static status_t keep(status_t status, handle_t handle) {
    if (status == OK) made[made_count++] = handle;
    return status;
}

static status_t handle_take(void) {
    handle_t copy;
    status_t status = handle_duplicate(event, CL_RIGHTS_SAME, &copy);
    return keep(status, copy);
}

static status_t timer_take(void) {
    handle_t timer;
    status_t status = timer_create(0, &timer);
    return keep(status, timer);
}

static usize name_format(char text[16], u32 number) { return format_text(text, 16, "n%u", number); }

static status_t name_take(void) {
    static const struct cl_acl nobody = {};
    char text[16];
    status_t status = ns_bind(ns, text, (u32)name_format(text, made_count), event, &nobody);
    return keep(status, CL_HANDLE_INVALID);
}

// A channel full of messages that nobody receives.
static status_t channel_take(void) {
    static const struct cl_channel_options options = {.send_bytes_max = 16 * MESSAGE_BYTES};
    static char bytes[MESSAGE_BYTES];
    handle_t first, second;
    status_t status = channel_create(0, 0, &options, &first, &second);
    if (status != OK) return status;
    while (status == OK)
        status = message_send(first, bytes, sizeof(bytes), NULL, 0);
    handle_close(first);
    if (status == ERR_SHOULD_WAIT) return keep(OK, second);
    handle_close(second);
    return status;
}

static void things_give_back(void) {
    char text[16];
    while (made_count > 0) {
        handle_t handle = made[--made_count];
        if (handle)
            handle_close(handle);
        else
            ns_unbind(ns, text, (u32)name_format(text, made_count));
    }
}

static const struct {
    const char *name;
    status_t (*take)(void);
} things[] = {
    {"handles", handle_take},
    {"timers", timer_take},
    {"names", name_take},
    {"channels", channel_take},
};

static void pause(void) {
    u64 now_ns;
    u32 observed;
    clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    object_wait(event, SIGNAL_USER0, 0, now_ns + PAUSE_NS, &observed);
}

[[noreturn]] static void take_for_ever(const char *name, status_t (*take)(void)) {
    u32 before = ~0u;
    for (;; pause()) {
        status_t status = OK;
        while (status == OK && made_count < MADE_MAX)
            status = take();
        if (made_count != before)
            log_line("greedy: %s %u %s", name, made_count, cl_error_name(status));
        before = made_count;
        things_give_back();
    }
}

static u64 second_now(void) {
    u64 now_ns;
    clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    return now_ns / NS_PER_S;
}

static void second_await(u64 second) {
    u32 observed;
    object_wait(event, SIGNAL_USER0, 0, second * NS_PER_S, &observed);
}

// Lines in a second until one is refused; that is said in the next one, which is left alone else.
[[noreturn]] static void log_for_ever(void) {
    char line[LOG_LINE_BYTES];
    u32 before = ~0u;
    memset(line, '.', sizeof(line));
    for (;;) {
        u64 second = second_now() + 1;
        u32 count = 0;
        second_await(second);
        while (log_write(line, sizeof(line)) == OK)
            count++;
        bool is_whole = second_now() == second;
        second_await(second + 1);
        if (is_whole && count != before) log_line("greedy: log %u SHOULD_WAIT", count);
        if (is_whole) before = count;
    }
}

int main(struct startup *startup) {
    const char *word = startup_argument(startup, NULL);
    ns = startup_handle(startup, "ns");
    if (event_create(0, &event) != OK || !word) return 2;
    for (u32 i = 0; i < ARRAY_SIZE(things); i++)
        if (strcmp(word, things[i].name) == 0) take_for_ever(word, things[i].take);
    if (strcmp(word, "log") == 0) log_for_ever();
    return 3;
}
