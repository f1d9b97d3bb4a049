// A native program that is allowed to make namespaces, and makes them so that whoever looks in from
// outside has much to look at: many in one, itself in itself, and names that a terminal would obey.
#include "cloister.h"

#include "lib/format.h"
#include "lib/startup.h"
#include "lib/string.h"

enum { MANY = 3000, DEEP = 20 };

static const struct cl_ns_limits wide = {
    .memory_pages = 1 << 20,
    .threads = CL_LIMIT_SAME,
    .handles = 1 << 20,
    .names = 1 << 16,
    .timers = CL_LIMIT_SAME,
    .message_bytes = CL_LIMIT_SAME,
    .cpu_weight = CL_LIMIT_SAME,
    .cpu_cap = CL_LIMIT_SAME,
    .log_bytes = CL_LIMIT_SAME,
    .disk_read_bytes = CL_LIMIT_SAME,
    .disk_read_requests = CL_LIMIT_SAME,
    .disk_write_bytes = CL_LIMIT_SAME,
    .disk_write_requests = CL_LIMIT_SAME,
};

static handle_t make(handle_t parent, const char *name) {
    handle_t ns;
    return ns_create(parent, name, (u32)strlen(name), &wide, &ns) == OK ? ns : CL_HANDLE_INVALID;
}

// Each is in the one before, and that one in it: who follows what is bound never comes to an end.
static void circles_make(handle_t ns) {
    static const struct cl_acl everybody = {.everyone = RIGHT_MASK};
    for (u32 i = 0; i < DEEP && ns; i++) {
        ns_bind(ns, "self", 4, ns, &everybody);
        ns_bind(ns, "again", 5, ns, &everybody);
        ns = make(ns, "deeper");
    }
}

int main(struct startup *startup) {
    char name[16];
    handle_t ns = startup_handle(startup, "ns");
    if (startup_argument(startup, NULL)) return 7; // without a word to the manager
    circles_make(make(ns, "circles"));
    make(ns, "\x9b"
             "2J 9 fake"); // the kernel takes no lower ones
    handle_t many = make(ns, "containers");
    for (u32 i = 0; i < MANY; i++) {
        format_text(name, sizeof(name), "many%u", i);
        handle_t one = make(many, name);
        if (one) handle_close(one);
    }
    event_create(0, &ns);
    log_write("nester: done", 12);
    u32 observed;
    object_wait(ns, SIGNAL_USER0, 0, CL_DEADLINE_NEVER, &observed);
    return 0;
}
