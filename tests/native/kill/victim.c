// See victim.h. Every action is a loop over what may fail at any step: refusals are ignored, the
// kernel is what is tested. Handles that a refusal leaves behind go with the process.
#include "victim.h"

#include "lib/message.h"
#include "lib/string.h"
#include "twin.h"

enum : uint64_t {
    STACK_SIZE = 16384,
    SHORT_NS = 200'000,
    MAP_PAGES = 24,
    LINUX_AT = 0x10000000,
    CLONE_STACK = 0x7fc000000000 - 8,
};
enum { THREADS = 3, CHAIN = 24, CALL_BYTES_MAX = 9000 };

static handle_t gifts[GIFT_COUNT];
static uint8_t stacks[THREADS][STACK_SIZE] __attribute__((aligned(16)));
static uint8_t bytes_out[THREADS][CALL_BYTES_MAX], bytes_in[THREADS][CALL_BYTES_MAX];
static uint32_t futex_words[4];
static uint8_t clone_pages[8 * CL_PAGE_SIZE];

struct worker {
    uint64_t random;
    uint32_t number;
};

static uint64_t below(struct worker *w, uint64_t limit) { return random_next(&w->random) % limit; }

static uint64_t soon(struct worker *w) {
    uint64_t now = 0;
    clock_get(CL_CLOCK_MONOTONIC, &now);
    return now + below(w, SHORT_NS);
}

static handle_t event_new(void) {
    handle_t event = 0;
    event_create(0, &event);
    return event;
}

// ---- channels ----

static void do_call(struct worker *w) {
    handle_t room[4] = {}, sent[2] = {event_new(), event_new()};
    uint32_t got, handles = 0, count = (uint32_t)below(w, 3);
    struct cl_message message =
        message_of(bytes_out[w->number], below(w, CALL_BYTES_MAX), sent, count);
    struct cl_message reply = message_of(bytes_in[w->number], CALL_BYTES_MAX, room, 4);
    uint64_t deadline = below(w, 4) ? CL_DEADLINE_NEVER : soon(w);
    if (channel_call(gifts[GIFT_CLIENT], &message, &reply, deadline, &got, &handles) != OK)
        count = 0;
    for (uint32_t i = 0; i < handles; i++)
        handle_close(room[i]);
    for (uint32_t i = count; i < 2; i++)
        handle_close(sent[i]);
}

static void do_serve(struct worker *w) {
    struct cl_received received = {};
    handle_t handles[4] = {};
    if (message_receive(gifts[GIFT_SERVER], bytes_in[w->number], CALL_BYTES_MAX, handles, 4,
                        soon(w), &received) != OK)
        return;
    if (received.token == 0) return;
    struct cl_message reply =
        message_of(bytes_in[w->number], received.bytes_size, handles, received.handles_count);
    if (below(w, 8) == 0) thread_yield();
    channel_reply(gifts[GIFT_SERVER], received.token, &reply);
}

// Queued in each other; or a chain, whose first is thrown away.
static void do_handles(struct worker *w) {
    struct cl_channel_options options = {};
    handle_t a[2], b[2];
    if (channel_create(0, 0, &options, &a[0], &a[1]) != OK) return;
    if (below(w, 4) == 0 && channel_create(0, 0, &options, &b[0], &b[1]) == OK) {
        message_send(a[0], "b", 1, &b[1], 1);
        message_send(b[0], "a", 1, &a[1], 1);
        handle_close(b[0]);
    } else {
        for (uint32_t i = 0; i < CHAIN; i++) {
            if (channel_create(0, 0, &options, &b[0], &b[1]) != OK) break;
            message_send(b[0], "chain", 5, &a[1], 1);
            handle_close(b[0]);
            a[1] = b[1];
        }
        handle_close(a[1]);
    }
    handle_close(a[0]);
}

static void do_queue(struct worker *w) {
    handle_t queue = 0, out[2] = {}, event = event_new();
    struct cl_received received;
    if (queue_create(0, 4, 4096, &queue) != OK) return;
    for (uint32_t i = 0; i < 6; i++) {
        handle_t copy = 0;
        handle_duplicate(event, CL_RIGHTS_SAME, &copy);
        struct cl_message message = message_of(bytes_out[w->number], below(w, 900), &copy, 1);
        if (channel_send(queue, &message) != OK) handle_close(copy);
    }
    struct cl_message room = message_of(bytes_in[w->number], 900, out, 2);
    for (uint64_t i = below(w, 6); i > 0; i--)
        if (channel_receive(queue, &room, (uint64_t)&received, 0, soon(w)) == OK)
            handle_close(out[0]);
    handle_close(event);
    handle_close(queue);
}

// ---- memory ----

static void touch(uint64_t address, uint64_t pages) {
    for (uint64_t i = 0; i < pages; i++)
        *(volatile uint8_t *)(address + i * CL_PAGE_SIZE) = 1;
}

static void do_fault(struct worker *w) {
    uint64_t anonymous = 0, shared = 0, private = 0;
    uint64_t size = MAP_PAGES * CL_PAGE_SIZE;
    uint32_t flags = CL_MAP_READ | CL_MAP_WRITE;
    handle_t memory = 0;
    if (aspace_map(0, 0, 0, 0, size, flags, &anonymous) == OK)
        touch(anonymous, below(w, MAP_PAGES));
    if (memobj_create(0, size, &memory) == OK) {
        memobj_write(memory, 0, clone_pages, sizeof(clone_pages));
        if (aspace_map(0, memory, 0, 0, size, flags | CL_MAP_SHARED, &shared) == OK)
            touch(shared, MAP_PAGES);
        if (aspace_map(0, memory, 0, 0, size, flags, &private) == OK) touch(private, MAP_PAGES);
        handle_close(memory);
    }
    aspace_protect(0, anonymous, CL_PAGE_SIZE * 3, CL_MAP_READ);
    aspace_unmap(0, anonymous, size);
    aspace_unmap(0, shared, size);
    aspace_unmap(0, private, size);
}

// A Linux process's life: map, fork, write on both sides, run.
static void do_restricted(struct worker *w) {
    static const uint8_t code[] = {0x48, 0xff, 0xc0, 0x0f, 0x05, 0xeb, 0xfe}; // inc; syscall; jmp .
    struct cl_restricted_state state = {.rip = LINUX_AT, .rflags = 0x202};
    handle_t parent = 0, child = 0;
    uint64_t mapped;
    uint32_t reason, flags = CL_MAP_READ | CL_MAP_WRITE | CL_MAP_EXECUTE | CL_MAP_FIXED;
    if (aspace_create(&parent) != OK) return;
    if (aspace_map(parent, 0, 0, LINUX_AT, 8 * CL_PAGE_SIZE, flags, &mapped) == OK &&
        thread_bind_aspace(parent) == OK) {
        memcpy((void *)LINUX_AT, code, sizeof(code));
        touch(LINUX_AT + CL_PAGE_SIZE, 7);
        restricted_enter((uint64_t)&state, &reason);
        if (aspace_fork(parent, &child) == OK) {
            touch(LINUX_AT + CL_PAGE_SIZE, 4);
            thread_bind_aspace(child);
            touch(LINUX_AT + CL_PAGE_SIZE, 7);
            if (below(w, 16) == 0) restricted_enter((uint64_t)&state, &reason); // until killed
            handle_close(child);
        }
        thread_bind_aspace(0);
    }
    handle_close(parent);
}

// ---- waits ----

static void do_wait(struct worker *w) {
    handle_t port = 0, timer = 0, event = event_new();
    uint64_t key;
    uint32_t signals;
    port_create(0, &port);
    timer_create(0, &timer);
    timer_set(timer, soon(w));
    port_register(port, timer, SIGNAL_SIGNALED, 1, 0);
    port_register(port, event, SIGNAL_USER0, 2, CL_PORT_ONCE);
    port_register(port, gifts[GIFT_SERVER], SIGNAL_READABLE | SIGNAL_PEER_CLOSED, 3, 0);
    for (uint32_t i = 0; i < 4; i++) {
        event_signal(event, 0, SIGNAL_USER0);
        port_wait(port, 0, below(w, 8) ? soon(w) : CL_DEADLINE_NEVER, &key, &signals);
    }
    object_wait(event, SIGNAL_USER1, 0, soon(w), &signals);
    if (below(w, 2)) port_unregister(port, 1);
    handle_close(timer);
    handle_close(event);
    handle_close(port);
}

static void do_futex(struct worker *w) {
    uint32_t *word = &futex_words[below(w, 4)], woken;
    futex_wake((uint64_t)word, 2, &woken);
    futex_wait((uint64_t)word, 0, 0, below(w, 8) ? soon(w) : CL_DEADLINE_NEVER);
}

// ---- processes ----

static void brief_main(handle_t bootstrap, uint64_t argument) {
    handle_close(bootstrap);
    touch((uint64_t)clone_pages, 8);
    process_exit((int32_t)argument);
}

static void do_process(struct worker *w) {
    handle_t process = 0, event = event_new();
    uint32_t seen;
    if (twin_start(gifts[GIFT_NS], brief_main, event, 7, &process) != OK) {
        handle_close(event);
        return;
    }
    if (below(w, 2)) process_kill(process);
    if (below(w, 2)) object_wait(process, SIGNAL_TERMINATED, 0, CL_DEADLINE_NEVER, &seen);
    handle_close(process);
}

static void clone_from(struct worker *w, handle_t template) {
    struct cl_clone_options options = {.random = {below(w, 100), 2, 3, 4}};
    handle_t clone = 0, event = event_new();
    uint32_t seen;
    if (process_clone(template, gifts[GIFT_NS], &options, event, &clone) != OK) {
        handle_close(event);
        return;
    }
    if (below(w, 4) == 0) process_kill(clone);
    if (below(w, 2)) object_wait(clone, SIGNAL_TERMINATED, 0, CL_DEADLINE_NEVER, &seen);
    handle_close(clone);
}

static void do_clone(struct worker *w) { clone_from(w, gifts[GIFT_TEMPLATE]); }

void template_main(handle_t bootstrap, uint64_t argument) {
    (void)bootstrap;
    (void)argument;
    process_freeze((uint64_t)brief_main, CLONE_STACK);
    process_exit(1);
}

// A template of the victim's own, sometimes killed on its way.
static void do_template(struct worker *w) {
    handle_t process = 0;
    uint32_t seen;
    if (twin_start(gifts[GIFT_NS], template_main, 0, 0, &process) != OK) return;
    if (below(w, 4) == 0) process_kill(process);
    uint32_t ends = SIGNAL_FROZEN | SIGNAL_TERMINATED;
    object_wait(process, ends, 0, CL_DEADLINE_NEVER, &seen);
    for (uint32_t i = 0; i < 3; i++)
        clone_from(w, process);
    handle_close(process);
}

// ---- namespaces ----

static void do_namespace(struct worker *w) {
    struct cl_ns_limits limits;
    handle_t child = 0, below_it = 0, memory = 0, process = 0;
    char name[2] = {(char)('a' + w->number), 0};
    memset(&limits, 0xff, sizeof(limits));
    if (ns_create(gifts[GIFT_NS], name, 1, &limits, &child) != OK) return;
    ns_create(child, "below", 5, &limits, &below_it);
    if (memobj_create(below_it, sizeof(clone_pages), &memory) == OK)
        memobj_write(memory, 0, clone_pages, sizeof(clone_pages));
    if (below(w, 2) && twin_start(below_it, brief_main, 0, 1, &process) == OK)
        handle_close(process);
    ns_kill(child);
    uint32_t seen;
    if (below(w, 2)) object_wait(child, SIGNAL_TERMINATED, 0, CL_DEADLINE_NEVER, &seen);
    handle_close(memory);
    handle_close(below_it);
    handle_close(child);
}

static void do_names(struct worker *w) {
    static const struct cl_acl nobody;
    char name[] = "x/y/n0";
    handle_t event = event_new(), opened = 0;
    name[5] = (char)('0' + below(w, 10));
    ns_bind(gifts[GIFT_NS], name, sizeof(name) - 1, event, &nobody);
    if (ns_open(gifts[GIFT_NS], name, sizeof(name) - 1, RIGHT_SIGNAL, &opened) == OK)
        handle_close(opened);
    if (below(w, 2)) ns_unbind(gifts[GIFT_NS], name, sizeof(name) - 1);
    handle_close(event);
}

// ---- the victim ----

static const struct {
    const char *name;
    void (*run)(struct worker *w);
} actions[ACTION_COUNT] = {
    [ACTION_CALL] = {"call", do_call},
    [ACTION_SERVE] = {"serve", do_serve},
    [ACTION_FAULT] = {"fault", do_fault},
    [ACTION_RESTRICTED] = {"restricted", do_restricted},
    [ACTION_WAIT] = {"wait", do_wait},
    [ACTION_FUTEX] = {"futex", do_futex},
    [ACTION_QUEUE] = {"queue", do_queue},
    [ACTION_HANDLES] = {"handles", do_handles},
    [ACTION_PROCESS] = {"process", do_process},
    [ACTION_CLONE] = {"clone", do_clone},
    [ACTION_TEMPLATE] = {"template", do_template},
    [ACTION_NAMESPACE] = {"namespace", do_namespace},
    [ACTION_NAMES] = {"names", do_names},
};

const char *action_name(enum action action) { return actions[action].name; }

static uint64_t plan;

static void worker_main(uint64_t number) {
    struct worker worker = {.random = (plan >> 16) * 31 + number + 1, .number = (uint32_t)number};
    for (;;)
        actions[(number & 1 ? plan >> 8 : plan) & 0xff].run(&worker);
}

void victim_main(handle_t bootstrap, uint64_t argument) {
    struct cl_received received;
    char byte;
    if (message_receive(bootstrap, &byte, 1, gifts, GIFT_COUNT, CL_DEADLINE_NEVER, &received) != OK)
        process_exit(1);
    plan = argument;
    message_send(bootstrap, "go", 2, NULL, 0);
    for (uint64_t i = 1; i < THREADS; i++) {
        handle_t thread = 0;
        uint64_t top = (uint64_t)stacks[i] + STACK_SIZE - 8;
        if (thread_create((uint64_t)worker_main, top, i, &thread) == OK) handle_close(thread);
    }
    worker_main(0);
}
