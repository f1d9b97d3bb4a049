// One attack for ever, by its argument, as a native program in a container of its own: it takes what
// the kernel has to give. Never run outside a container.
#include "attacker.h"

#include "lib/startup.h"

enum { BYTES = 1024 };

handle_t made[MADE_MAX];
u32 made_count;
handle_t own_ns;

void keep(handle_t handle) {
    if (made_count < MADE_MAX)
        made[made_count++] = handle;
    else
        handle_close(handle);
}

void all_close(void) {
    while (made_count > 0)
        handle_close(made[--made_count]);
}

static void names(void) {
    static const struct cl_acl nobody = {};
    char name[16];
    handle_t event, ns = own_ns;
    event_create(0, &event);
    for (u64 number = 0;; number++) {
        usize size = format_text(name, sizeof(name), "n/%lu", number % 100000);
        if (ns_bind(ns, name, (u32)size, event, &nobody) == OK) continue;
        for (; number > 0; number--) {
            size = format_text(name, sizeof(name), "n/%lu", number - 1);
            ns_unbind(ns, name, (u32)size);
        }
    }
}

// Messages that nobody receives.
static void messages(void) {
    static char bytes[BYTES];
    for (;;) {
        handle_t first, second;
        if (channel_create(0, 0, &(struct cl_channel_options){.send_bytes_max = 1 << 20}, &first,
                           &second) != OK ||
            made_count + 2 >= MADE_MAX) {
            all_close();
            continue;
        }
        keep(first);
        keep(second);
        while (message_send(first, bytes, sizeof(bytes), NULL, 0) == OK) {
        }
    }
}

// Two channels, each queued in the other, and nobody has a handle to either.
static void cycles(void) {
    for (;;) {
        handle_t a, b, c, d;
        if (channel_create(0, 0, &small, &a, &b) != OK) continue;
        if (channel_create(0, 0, &small, &c, &d) != OK) {
            handle_close(a);
            handle_close(b);
            continue;
        }
        if (message_send(a, "x", 1, &d, 1) != OK) handle_close(d);
        if (message_send(c, "x", 1, &b, 1) != OK) handle_close(b);
        handle_close(a);
        handle_close(c);
    }
}

// A channel in a message of a channel in a message ...
static void chains(void) {
    for (;;) {
        handle_t inner, first, second;
        status_t status = event_create(0, &inner);
        for (u32 depth = 0; status == OK && depth < 10000; depth++) {
            status = channel_create(0, 0, &small, &first, &second);
            if (status != OK) break;
            status = message_send(first, "x", 1, &inner, 1);
            handle_close(first);
            if (status != OK) handle_close(second);
            if (status == OK) inner = second;
        }
        handle_close(inner);
    }
}

// Revocable copies of copies, taken back.
static void revocations(void) {
    for (;;) {
        handle_t event, copy, revoker;
        if (event_create(0, &event) != OK) continue;
        while (made_count + 1 < MADE_MAX &&
               handle_duplicate_revocable(event, CL_RIGHTS_SAME, &copy, &revoker) == OK) {
            keep(copy);
            keep(revoker);
        }
        all_close();
        handle_close(event);
    }
}

// Registrations of one object in many ports, all reported at once.
static void signals(void) {
    handle_t event, port;
    event_create(0, &event);
    for (u32 i = 0; i < 500 && port_create(0, &port) == OK; i++) {
        keep(port);
        port_register(port, event, SIGNAL_USER0, i, 0);
    }
    for (;;) {
        event_signal(event, 0, SIGNAL_USER0);
        event_signal(event, SIGNAL_USER0, 0);
    }
}

// Mapped, touched and unmapped again.
static void mappings(void) {
    enum { MAPPED = 1000, SIZE = 2 * CL_PAGE_SIZE };
    static u64 addresses[MAPPED];
    for (;;) {
        for (u32 i = 0; i < MAPPED; i++) {
            if (aspace_map(0, 0, 0, 0, SIZE, CL_MAP_READ | CL_MAP_WRITE, &addresses[i]) == OK)
                *(volatile u8 *)addresses[i] = 1;
        }
        for (u32 i = 0; i < MAPPED; i++)
            aspace_unmap(0, addresses[i], SIZE);
    }
}

static void lines(void) {
    static const char line[] = "the same line again and again, as long as the log takes it";
    for (;;)
        log_write(line, sizeof(line) - 1);
}

// ---- with threads ----

static alignas(16) u8 stack[4096];

status_t thread_make(void (*run)(u64 argument), u64 argument, handle_t *thread) {
    return thread_create((u64)run, (u64)stack + sizeof(stack) - 8, argument, thread);
}

static void thread_end_at_once(u64) { thread_exit(); }

// As many as it may have, which end at once.
static void threads(void) {
    for (;;) {
        handle_t thread;
        if (thread_make(thread_end_at_once, 0, &thread) == OK) handle_close(thread);
    }
}

static u64 soon(u64 after_ns) {
    u64 now_ns = 0;
    clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    return now_ns + after_ns;
}

static u64 reply_after_ns;

// Answers each call so late.
static void serve(u64 channel) {
    static u8 bytes[64];
    struct cl_received received;
    for (;;) {
        if (message_receive((handle_t)channel, bytes, sizeof(bytes), NULL, 0, CL_DEADLINE_NEVER,
                            &received) != OK)
            continue;
        for (u64 until_ns = soon(reply_after_ns); reply_after_ns && soon(0) < until_ns;)
            thread_yield();
        message_reply((handle_t)channel, received.token, bytes, sizeof(bytes));
    }
}

static void call_for_ever(u64 give_up_ns) {
    static u8 bytes[64];
    handle_t client, server, thread;
    struct cl_message message = message_of(bytes, sizeof(bytes), NULL, 0);
    if (channel_create(0, 0, &small, &client, &server) != OK) return;
    if (thread_make(serve, server, &thread) != OK) return;
    for (;;) {
        u32 size, handles;
        u64 deadline_ns = give_up_ns ? soon(give_up_ns) : CL_DEADLINE_NEVER;
        status_t status = channel_call(client, &message, &message, deadline_ns, &size, &handles);
        if (status != OK && status != ERR_TIMED_OUT) return;
    }
}

// A server kept busy, which runs in its caller's turn.
static void calls(void) { call_for_ever(0); }

// The caller has given up when the reply comes.
static void replies(void) {
    reply_after_ns = 50'000;
    call_for_ever(20'000);
}

static const struct {
    const char *name;
    void (*run)(void);
} attacks[] = {
    {"objects", objects},
    {"messages", messages},
    {"cycles", cycles},
    {"chains", chains},
    {"revocations", revocations},
    {"signals", signals},
    {"lines", lines},
    {"mappings", mappings},
    {"names", names},
    {"threads", threads},
    {"calls", calls},
    {"replies", replies},
    {"serve", door_serve},
    {"knock", door_knock},
    {"visit", door_visit},
};

int main(struct startup *startup) {
    const char *name = startup_argument(startup, NULL);
    own_ns = startup_handle(startup, "ns");
    for (u32 i = 0; name && i < ARRAY_SIZE(attacks); i++)
        if (strcmp(attacks[i].name, name) == 0) attacks[i].run();
    if (name) objects_of(name);
    return 2;
}
