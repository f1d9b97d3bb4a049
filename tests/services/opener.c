// What a container's own handle of its namespace opens. `serve NAME`: binds an event, for nobody but
// the owner. `open NAME [NAME]`: says with which rights it opens a name (and then one in the namespace
// that this was), whenever that has changed.
#include "cloister.h"

#include "lib/log.h"
#include "lib/startup.h"
#include "lib/string.h"

enum : u64 { PAUSE_NS = 20'000'000 };
enum { RIGHTS_COUNT = 32 - __builtin_clz(RIGHT_MASK) };

static handle_t event;

static void pause(u64 end_ns) {
    u32 observed;
    object_wait(event, SIGNAL_USER0, 0, end_ns, &observed);
}

// One right at a time: none is asked for that hides another.
static u32 rights_of(handle_t ns, const char *name) {
    u32 rights = 0;
    for (u32 bit = 0; bit < RIGHTS_COUNT; bit++) {
        handle_t handle;
        if (ns_open(ns, name, (u32)strlen(name), 1u << bit, &handle) != OK) continue;
        rights |= 1u << bit;
        handle_close(handle);
    }
    return rights;
}

static u32 rights_behind(handle_t ns, const char *name, const char *inner) {
    handle_t peer;
    if (ns_open(ns, name, (u32)strlen(name), RIGHT_OPEN, &peer) != OK) return 0;
    u32 rights = rights_of(peer, inner);
    handle_close(peer);
    return rights;
}

[[noreturn]] static void open_for_ever(handle_t ns, const char *name, const char *inner) {
    u32 before = ~0u;
    for (;;) {
        u64 now_ns;
        u32 rights = inner ? rights_behind(ns, name, inner) : rights_of(ns, name);
        if (rights != before) log_line("opener: %s %u", inner ? inner : name, rights);
        before = rights;
        clock_get(CL_CLOCK_MONOTONIC, &now_ns);
        pause(now_ns + PAUSE_NS);
    }
}

int main(struct startup *startup) {
    static const struct cl_acl nobody = {};
    const char *word = startup_argument(startup, NULL);
    const char *name = word ? startup_argument(startup, word) : NULL;
    handle_t ns = startup_handle(startup, "ns");
    if (!name || event_create(0, &event) != OK) return 2;
    if (strcmp(word, "open") == 0) open_for_ever(ns, name, startup_argument(startup, name));
    status_t status = ns_bind(ns, name, (u32)strlen(name), event, &nobody);
    log_line("opener: bound %s %ld", name, status);
    pause(CL_DEADLINE_NEVER);
    return 0;
}
