// See limits.h. An op that fails has undone what it did in steps of its own.
#include "limits.h"

#include "lib/message.h"
#include "lib/string.h"
#include "threads.h"
#include "twin.h"

enum : uint64_t {
    LINUX_AT = 0x10000000,
    LINUX_PAGES = 12,
    CLONE_STACK = 0x7fc000000000 - 8,
    SOON_US = 50,
    LONG_MS = 20000,
};
enum { MAP_RW = CL_MAP_READ | CL_MAP_WRITE };

static handle_t event, port, template, linux_aspace, memory;
static handle_t ends[2], queue;
static uint8_t bytes[20000], thread_stack[16384] __attribute__((aligned(16)));
static uint32_t key_next = 1, name_next;

static uint64_t now_ns(void) {
    uint64_t now = 0;
    clock_get(CL_CLOCK_MONOTONIC, &now);
    return now;
}

static void close_first(const struct made *m) { handle_close((handle_t)m->of[0]); }

static void close_two(const struct made *m) {
    handle_close((handle_t)m->of[0]);
    handle_close((handle_t)m->of[1]);
}

static void wait_closed(handle_t handle) {
    uint32_t seen;
    test_check(object_wait(handle, SIGNAL_TERMINATED, 0, test_deadline(LONG_MS), &seen) == OK,
               "end");
    handle_close(handle);
}

static void wait_first(const struct made *m) { wait_closed((handle_t)m->of[0]); }

// ---- objects ----

static status_t out_one(status_t status, handle_t handle, struct made *m) {
    m->of[0] = handle;
    return status;
}

static status_t make_event(struct made *m) {
    handle_t h = 0;
    status_t status = event_create(0, &h);
    return out_one(status, h, m);
}

static status_t make_timer(struct made *m) {
    handle_t h = 0;
    status_t status = timer_create(0, &h);
    return out_one(status, h, m);
}

static status_t make_port(struct made *m) {
    handle_t h = 0;
    status_t status = port_create(0, &h);
    return out_one(status, h, m);
}

static status_t make_queue(struct made *m) {
    handle_t h = 0;
    status_t status = queue_create(0, 8, 8192, &h);
    return out_one(status, h, m);
}

static status_t make_channel(struct made *m) {
    struct cl_channel_options options = {};
    handle_t a = 0, b = 0;
    status_t status = channel_create(0, 0, &options, &a, &b);
    m->of[0] = a;
    m->of[1] = b;
    return status;
}

static status_t make_memory(struct made *m) {
    handle_t h = 0;
    status_t status = memobj_create(0, 64 * CL_PAGE_SIZE, &h);
    for (uint64_t i = 0; status == OK && i < 3; i++)
        status = memobj_write(h, i * 20 * CL_PAGE_SIZE, bytes, CL_PAGE_SIZE + 1);
    if (status != OK && h) handle_close(h);
    return out_one(status, h, m);
}

static status_t make_copy(struct made *m) {
    handle_t h = 0;
    status_t status = handle_duplicate(event, CL_RIGHTS_SAME, &h);
    return out_one(status, h, m);
}

static status_t make_revocable(struct made *m) {
    handle_t copy = 0, revoker = 0;
    status_t status = handle_duplicate_revocable(event, CL_RIGHTS_SAME, &copy, &revoker);
    m->of[0] = copy;
    m->of[1] = revoker;
    return status;
}

static status_t make_self(struct made *m) {
    handle_t h = 0;
    status_t status = thread_self(&h);
    return out_one(status, h, m);
}

// ---- namespaces ----

static uint32_t name_new(char *name) {
    uint32_t number = name_next++;
    memcpy(name, "p/q/....", 8);
    for (uint32_t i = 4; i < 8; i++, number >>= 4)
        name[i] = (char)('a' + (number & 15));
    return 8;
}

static status_t make_namespace(struct made *m) {
    struct cl_ns_limits limits;
    char name[8];
    handle_t h = 0;
    memset(&limits, 0xff, sizeof(limits));
    name_new(name);
    status_t status = ns_create(test_namespace(), name + 4, 4, &limits, &h);
    return out_one(status, h, m);
}

static void undo_namespace(const struct made *m) {
    ns_kill((handle_t)m->of[0]);
    wait_first(m);
}

static status_t make_name(struct made *m) {
    static const struct cl_acl nobody;
    m->of[0] = name_next;
    char name[8];
    uint32_t size = name_new(name);
    return ns_bind(test_namespace(), name, size, event, &nobody);
}

static void undo_name(const struct made *m) {
    char name[8];
    uint32_t next = name_next;
    name_next = (uint32_t)m->of[0];
    uint32_t size = name_new(name);
    name_next = next;
    test_check(ns_unbind(test_namespace(), name, size) == OK, "unbind");
}

static status_t make_opened(struct made *m) {
    handle_t h = 0;
    status_t status = ns_open(test_namespace(), "event", 5, RIGHT_SIGNAL, &h);
    return out_one(status, h, m);
}

// ---- processes ----

static void brief_main(handle_t bootstrap, uint64_t argument) {
    (void)bootstrap;
    process_exit((int32_t)argument);
}

static void template_main(handle_t bootstrap, uint64_t argument) {
    (void)bootstrap;
    process_freeze((uint64_t)brief_main, CLONE_STACK);
    process_exit((int32_t)argument);
}

static void thread_main(uint64_t argument) {
    (void)argument;
    thread_exit();
}

static status_t make_process(struct made *m) {
    handle_t process = 0, aspace = 0;
    status_t status = process_create(test_namespace(), &process, &aspace);
    m->of[0] = process;
    m->of[1] = aspace;
    return status;
}

static status_t make_twin(struct made *m) {
    handle_t process = 0, gift = 0;
    status_t status = handle_duplicate(event, CL_RIGHTS_SAME, &gift);
    if (status == OK) status = twin_start(test_namespace(), brief_main, gift, 3, &process);
    if (status != OK && gift) handle_close(gift);
    return out_one(status, process, m);
}

static status_t make_clone(struct made *m) {
    struct cl_clone_options options = {};
    handle_t clone = 0, gift = 0;
    status_t status = handle_duplicate(event, CL_RIGHTS_SAME, &gift);
    if (status == OK) status = process_clone(template, test_namespace(), &options, gift, &clone);
    if (status != OK && gift) handle_close(gift);
    return out_one(status, clone, m);
}

// One stack for all: each has ended before the next begins.
static status_t make_thread(struct made *m) {
    handle_t h = 0;
    uint32_t seen;
    uint64_t top = (uint64_t)thread_stack + sizeof(thread_stack) - 8;
    status_t status = thread_create((uint64_t)thread_main, top, 0, &h);
    if (status == OK)
        test_check(object_wait(h, SIGNAL_TERMINATED, 0, test_deadline(LONG_MS), &seen) == OK,
                   "end");
    return out_one(status, h, m);
}

// ---- address spaces ----

static status_t make_aspace(struct made *m) {
    handle_t h = 0;
    status_t status = aspace_create(&h);
    return out_one(status, h, m);
}

static status_t make_fork(struct made *m) {
    handle_t h = 0;
    status_t status = aspace_fork(linux_aspace, &h);
    return out_one(status, h, m);
}

static status_t make_mapping(struct made *m) {
    return aspace_map(linux_aspace, memory, 0, 0x20000000, 3 * CL_PAGE_SIZE,
                      MAP_RW | CL_MAP_POPULATE, &m->of[0]);
}

static void undo_mapping(const struct made *m) {
    test_check(aspace_unmap(linux_aspace, m->of[0], 3 * CL_PAGE_SIZE) == OK, "unmap");
}

// A part in the middle with other rights: two splits. Back: both join again.
static status_t make_protected(struct made *m) {
    (void)m;
    return aspace_protect(linux_aspace, LINUX_AT + 4 * CL_PAGE_SIZE, CL_PAGE_SIZE, CL_MAP_READ);
}

static void undo_protected(const struct made *m) {
    (void)m;
    test_check(aspace_protect(linux_aspace, LINUX_AT, LINUX_PAGES * CL_PAGE_SIZE, MAP_RW) == OK,
               "protect all");
}

static status_t make_moved(struct made *m) {
    uint64_t at = LINUX_AT + 10 * CL_PAGE_SIZE, size = CL_PAGE_SIZE;
    status_t status = aspace_move(linux_aspace, at, size, 0x600000000000, size, &m->of[0]);
    return status == ERR_NOT_FOUND || status == ERR_ALREADY_EXISTS ? ERR_NO_RESOURCES : status;
}

static void undo_moved(const struct made *m) {
    uint64_t back, at = LINUX_AT + 10 * CL_PAGE_SIZE;
    test_check(aspace_move(linux_aspace, m->of[0], CL_PAGE_SIZE, at, CL_PAGE_SIZE, &back) == OK,
               "move back");
}

// ---- waiting, messages ----

static status_t make_registration(struct made *m) {
    struct cl_object_info info;
    m->of[0] = key_next++;
    test_check(object_info(event, &info) == OK, "info");
    return port_register(port, event, SIGNAL_USER0, m->of[0], 0);
}

static void undo_registration(const struct made *m) {
    test_check(port_unregister(port, m->of[0]) == OK, "unregister");
}

static status_t send_with(struct made *m, uint32_t size, uint32_t count) {
    handle_t copies[3] = {};
    (void)m;
    status_t status = OK;
    for (uint32_t i = 0; status == OK && i < count; i++)
        status = handle_duplicate(event, CL_RIGHTS_SAME, &copies[i]);
    if (status == OK) status = message_send(ends[0], bytes, size, copies, count);
    for (uint32_t i = 0; status != OK && i < count; i++)
        if (copies[i]) handle_close(copies[i]);
    return status == ERR_SHOULD_WAIT ? ERR_NO_RESOURCES : status;
}

static status_t make_small(struct made *m) { return send_with(m, 100, 0); }
static status_t make_large(struct made *m) { return send_with(m, 9000, 3); }

static void undo_send(const struct made *m) {
    struct cl_received received;
    handle_t got[4] = {};
    (void)m;
    test_check(message_receive(ends[1], bytes, sizeof(bytes), got, 4, 0, &received) == OK,
               "receive");
    for (uint32_t i = 0; i < received.handles_count; i++)
        handle_close(got[i]);
}

static status_t make_post(struct made *m) {
    handle_t copy = 0;
    (void)m;
    status_t status = handle_duplicate(event, CL_RIGHTS_SAME, &copy);
    if (status != OK) return status;
    struct cl_message message = message_of(bytes, 700, &copy, 1);
    status = channel_send(queue, &message);
    if (status != OK) handle_close(copy);
    return status == ERR_SHOULD_WAIT ? ERR_NO_RESOURCES : status;
}

static void undo_post(const struct made *m) {
    struct cl_received received;
    handle_t got = 0;
    (void)m;
    struct cl_message room = message_of(bytes, sizeof(bytes), &got, 1);
    test_check(channel_receive(queue, &room, (uint64_t)&received, 0, 0) == OK, "queue");
    handle_close(got);
}

// A call that nobody answers.
static status_t make_call(struct made *m) {
    handle_t copy = 0, room[4];
    uint32_t got, count;
    (void)m;
    status_t status = handle_duplicate(event, CL_RIGHTS_SAME, &copy);
    if (status != OK) return status;
    struct cl_message message = message_of(bytes, 9000, &copy, 1);
    struct cl_message reply = message_of(bytes, 12000, room, 4);
    status = channel_call(ends[0], &message, &reply, now_ns() + SOON_US * 1000, &got, &count);
    handle_close(copy);
    return status == ERR_TIMED_OUT ? OK : status;
}

static void undo_nothing(const struct made *m) { (void)m; }

#define NEEDS(resource) (1u << RESOURCE_##resource)
const struct op ops[] = {
    {"event_create", make_event, close_first, NEEDS(HANDLES)},
    {"timer_create", make_timer, close_first, NEEDS(HANDLES) | NEEDS(TIMERS)},
    {"port_create", make_port, close_first, NEEDS(HANDLES)},
    {"queue_create", make_queue, close_first, NEEDS(HANDLES)},
    {"channel_create", make_channel, close_two, NEEDS(HANDLES)},
    {"memobj_create and write", make_memory, close_first, NEEDS(HANDLES)},
    {"handle_duplicate", make_copy, close_first, NEEDS(HANDLES)},
    {"handle_duplicate_revocable", make_revocable, close_two, NEEDS(HANDLES)},
    {"thread_self", make_self, close_first, NEEDS(HANDLES)},
    {"ns_create", make_namespace, undo_namespace, NEEDS(HANDLES) | NEEDS(NAMES)},
    {"ns_bind", make_name, undo_name, NEEDS(NAMES)},
    {"ns_open", make_opened, close_first, NEEDS(HANDLES)},
    {"process_create", make_process, close_two, NEEDS(HANDLES)},
    {"process_start", make_twin, wait_first, NEEDS(HANDLES) | NEEDS(THREADS)},
    {"process_clone", make_clone, wait_first, NEEDS(HANDLES) | NEEDS(THREADS)},
    {"thread_create", make_thread, close_first, NEEDS(HANDLES) | NEEDS(THREADS)},
    {"aspace_create", make_aspace, close_first, NEEDS(HANDLES)},
    {"aspace_fork", make_fork, close_first, NEEDS(HANDLES)},
    {"aspace_map", make_mapping, undo_mapping, 0},
    {"aspace_protect", make_protected, undo_protected, 0},
    {"aspace_move", make_moved, undo_moved, 0},
    {"port_register", make_registration, undo_registration, 0},
    {"channel_send", make_small, undo_send, NEEDS(BYTES)},
    {"channel_send, large, with handles", make_large, undo_send, NEEDS(BYTES) | NEEDS(HANDLES)},
    {"queue_send", make_post, undo_post, NEEDS(BYTES) | NEEDS(HANDLES)},
    {"channel_call", make_call, undo_nothing, NEEDS(HANDLES)},
};
const uint32_t ops_count = sizeof(ops) / sizeof(ops[0]);

// ---- what they work with ----

static void template_begin(void) {
    uint32_t seen;
    test_ok(twin_start(test_namespace(), template_main, 0, 0, &template), "template");
    test_check(object_wait(template, SIGNAL_FROZEN, 0, test_deadline(LONG_MS), &seen) == OK,
               "frozen");
}

void ops_begin(void) {
    static const struct cl_acl nobody;
    struct cl_channel_options options = {.send_bytes_max = 1 << 20};
    uint64_t mapped;
    memset(bytes, 1, sizeof(bytes));
    memset(thread_stack, 1, sizeof(thread_stack));
    test_ok(event_create(0, &event), "event");
    test_ok(port_create(0, &port), "port");
    test_ok(queue_create(0, 64, 1 << 20, &queue), "queue");
    test_ok(channel_create(0, 0, &options, &ends[0], &ends[1]), "channel");
    test_ok(ns_bind(test_namespace(), "event", 5, event, &nobody), "name");
    test_ok(memobj_create(0, 4 * CL_PAGE_SIZE, &memory), "memory");
    test_ok(memobj_write(memory, 0, bytes, 3 * CL_PAGE_SIZE), "contents");
    test_ok(aspace_create(&linux_aspace), "address space");
    test_ok(thread_bind_aspace(linux_aspace), "bound");
    test_ok(aspace_map(linux_aspace, 0, 0, LINUX_AT, LINUX_PAGES * CL_PAGE_SIZE,
                       MAP_RW | CL_MAP_FIXED, &mapped),
            "mapped");
    memset((void *)LINUX_AT, 1, LINUX_PAGES * CL_PAGE_SIZE);
    test_ok(thread_bind_aspace(0), "unbound");
    template_begin();
}

void ops_end(void) {
    const handle_t all[] = {event, port, queue, ends[0], ends[1], memory, linux_aspace, template};
    test_ok(ns_unbind(test_namespace(), "event", 5), "unbind");
    for (uint32_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        handle_close(all[i]);
}
