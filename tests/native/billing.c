// A server's work goes on its caller's account, whatever becomes of the caller. On one CPU, whose time
// is counted in instructions (tests/qemu/test_native.py).
#include "lib/string.h"
#include "lib/test.h"
#include "lib/threads.h"
#include "lib/twin.h"

enum : uint64_t {
    SERVE_NS = 3'000'000,
    LONG_NS = 200'000'000,
    BILL_NS_MAX = 10'000'000, // what one call can cost at the most
    TOLERANCE_NS = 5'000'000,
    RUN_MS = 400,
};

struct service {
    handle_t ns, client_end;
};

static uint64_t now(void) {
    uint64_t now_ns;
    clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    return now_ns;
}

static void burn(uint64_t ns) {
    for (uint64_t end_ns = now() + ns; now() < end_ns;)
        __asm__ volatile(".rept 100\n\tnop\n\t.endr");
}

static void sleep_ms(uint64_t milliseconds) {
    static uint32_t word;
    futex_wait((uint64_t)&word, 0, 0, test_deadline(milliseconds));
}

static uint64_t cpu_ns_of(handle_t ns) {
    struct cl_ns_info info = {};
    test_ok(ns_info(ns, &info), "a namespace's time");
    return info.cpu_ns;
}

static status_t call(handle_t channel, uint64_t deadline_ns) {
    uint64_t bytes = 0;
    uint32_t size, handles;
    struct cl_message message = {.bytes = (uint64_t)&bytes, .bytes_size = sizeof(bytes)};
    return channel_call(channel, &message, &message, deadline_ns, &size, &handles);
}

// ---- servers ----

static handle_t behind; // whom a server asks; the twin has a copy

static void serve(handle_t channel, uint64_t work_ns) {
    uint64_t bytes;
    struct cl_received received = {};
    struct cl_message message = {.bytes = (uint64_t)&bytes, .bytes_size = sizeof(bytes)};
    status_t status = channel_receive(channel, &message, (uint64_t)&received, 0, CL_DEADLINE_NEVER);
    while (status == OK) {
        if (behind) call(behind, CL_DEADLINE_NEVER);
        burn(work_ns);
        status = channel_reply_receive(channel, received.token, &message, &message,
                                       (uint64_t)&received, CL_DEADLINE_NEVER);
    }
    process_exit(0);
}

[[noreturn]] static void caller(handle_t channel, uint64_t) {
    for (;;)
        call(channel, CL_DEADLINE_NEVER);
}

[[noreturn]] static void busy_caller(handle_t channel, uint64_t) {
    for (;;) {
        call(channel, CL_DEADLINE_NEVER);
        burn(SERVE_NS);
    }
}

[[noreturn]] static void quitter(handle_t channel, uint64_t) {
    for (;;)
        call(channel, now() + 200'000);
}

[[noreturn]] static void spin(handle_t, uint64_t) {
    for (;;)
        burn(LONG_NS);
}

static void start(handle_t ns, twin_entry *entry, handle_t bootstrap, uint64_t argument) {
    handle_t process;
    test_ok(twin_start(ns, entry, bootstrap, argument, &process), "a process starts");
    handle_close(process);
}

static struct service service_start(const char *name, uint64_t work_ns) {
    struct service service = {.ns = test_child_namespace(name)};
    const struct cl_channel_options options = {.call_bytes_max = sizeof(uint64_t)};
    handle_t server_end;
    test_ok(channel_create(0, 0, &options, &service.client_end, &server_end), "channel_create");
    start(service.ns, serve, server_end, work_ns);
    return service;
}

static void service_end(struct service *service) {
    handle_close(service->client_end);
    test_ok(test_namespace_end(service->ns), "its end");
}

static handle_t client_start(const struct service *service, twin_entry *entry, const char *name) {
    handle_t ns = test_child_namespace(name), copy;
    test_ok(handle_duplicate(service->client_end, CL_RIGHTS_SAME, &copy), "a copy");
    start(ns, entry, copy, 0);
    return ns;
}

// ---- what is tested ----

static void own_time_check(const struct service *service, uint64_t before_ns, const char *text) {
    int64_t own_ns = (int64_t)(cpu_ns_of(service->ns) - before_ns);
    test_printf("%s: %ld ns are the server's own", text, own_ns);
    test_check(-(int64_t)TOLERANCE_NS < own_ns && own_ns < (int64_t)TOLERANCE_NS, text);
}

// Beside a spinner the caller and its server have one share.
static void share(twin_entry *entry, struct service *service, const char *text) {
    handle_t client = client_start(service, entry, "client"),
             spinning = test_child_namespace("spinning");
    start(spinning, spin, 0, 0);
    sleep_ms(RUN_MS / 4);
    uint64_t server_ns = cpu_ns_of(service->ns), own_ns = cpu_ns_of(spinning), from_ns = now();
    sleep_ms(RUN_MS);
    own_ns = (cpu_ns_of(spinning) - own_ns) * 1000 / (now() - from_ns);
    own_time_check(service, server_ns, text);
    test_printf("%s: %lu thousandths are left", text, own_ns);
    test_check(own_ns >= 470, "a half is left for others");
    test_pass(text);
    test_ok(test_namespace_end(client), "the caller's end");
    test_ok(test_namespace_end(spinning), "the spinner's end");
}

static void chain(void) {
    struct service last = service_start("last", SERVE_NS);
    behind = last.client_end;
    struct service first = service_start("first", SERVE_NS / 4);
    behind = 0;
    uint64_t last_ns = cpu_ns_of(last.ns);
    share(caller, &first, "a server that asks another");
    own_time_check(&last, last_ns, "who was asked by a server");
    service_end(&first);
    service_end(&last);
}

// Nobody can be made poor by a server: what it takes beyond is its own.
static void bound(void) {
    struct service service = service_start("slow", LONG_NS);
    handle_t client = test_child_namespace("client"), copy;
    test_ok(handle_duplicate(service.client_end, CL_RIGHTS_SAME, &copy), "a copy");
    start(client, caller, copy, 0);
    sleep_ms((LONG_NS + LONG_NS / 2) / 1'000'000); // one call, and half of one
    uint64_t client_ns = cpu_ns_of(client);
    test_printf("a call of %lu ms: %lu ns are the caller's", LONG_NS / 1'000'000, client_ns);
    test_check(client_ns >= BILL_NS_MAX / 2, "a part is the caller's");
    test_check(client_ns <= BILL_NS_MAX + TOLERANCE_NS, "there is a most");
    test_pass("a call has a price at most");
    test_ok(test_namespace_end(client), "its end");
    service_end(&service);
}

// A call that a server has, and what it does with it: neither by asking others, nor by taking the call
// again and again, does it get more from its caller.
static void nest(handle_t channel, uint64_t) {
    uint64_t bytes;
    struct cl_received received = {};
    struct cl_message message = {.bytes = (uint64_t)&bytes, .bytes_size = sizeof(bytes)};
    channel_receive(channel, &message, (uint64_t)&received, 0, CL_DEADLINE_NEVER);
    for (;;)
        call(behind, CL_DEADLINE_NEVER);
}

static void refuse(handle_t channel, uint64_t) {
    uint64_t bytes;
    struct cl_message message = {.bytes = (uint64_t)&bytes, .bytes_size = sizeof(bytes)};
    for (;;) {
        channel_receive(channel, &message, 0, 0, CL_DEADLINE_NEVER);
        burn(SERVE_NS);
    }
}

static void hostile(twin_entry *entry, const char *text) {
    struct service helper = service_start("helper", SERVE_NS);
    struct service service = {.ns = test_child_namespace("hostile")};
    const struct cl_channel_options options = {.call_bytes_max = sizeof(uint64_t)};
    handle_t server_end;
    behind = helper.client_end;
    test_ok(channel_create(0, 0, &options, &service.client_end, &server_end), "channel_create");
    start(service.ns, entry, server_end, 0);
    handle_t client = client_start(&service, caller, "client");
    sleep_ms(RUN_MS);
    uint64_t client_ns = cpu_ns_of(client);
    test_printf("%s: %lu ns are the caller's", text, client_ns);
    test_check(client_ns <= BILL_NS_MAX + TOLERANCE_NS, text);
    test_pass(text);
    behind = 0;
    test_ok(test_namespace_end(client), "its end");
    service_end(&service);
    service_end(&helper);
}

// Two callers on one CPU, a server and another on the other: that one has its share beside the server.
// (Which CPU they are on they choose by themselves; but the others' are never idle.)
static void apart(void) {
    struct service service = service_start("server", SERVE_NS);
    static const char *const names[] = {"first", "second", "third", "fourth"};
    handle_t clients[4], spinning = test_child_namespace("spinning");
    for (uint32_t i = 0; i < 4; i++)
        clients[i] = client_start(&service, busy_caller, names[i]);
    start(spinning, spin, 0, 0);
    start(spinning, spin, 0, 0);
    sleep_ms(RUN_MS);
    uint64_t own_ns = cpu_ns_of(spinning), from_ns = now();
    sleep_ms(2 * RUN_MS);
    own_ns = (cpu_ns_of(spinning) - own_ns) * 1000 / (now() - from_ns);
    test_printf("beside a server and four callers, two CPUs: %lu thousandths", own_ns);
    test_check(own_ns >= 2000 / 6, "a sixth of both, at the least");
    test_pass("beside callers on another CPU");
    for (uint32_t i = 0; i < 4; i++)
        test_ok(test_namespace_end(clients[i]), "a caller's end");
    test_ok(test_namespace_end(spinning), "the spinner's end");
    service_end(&service);
}

// Who is served for can go, and its parent too, before the server is ready; the rest is the parent's
// that is left.
static void gone(void) {
    struct service service = service_start("slow", LONG_NS);
    handle_t above = test_child_namespace("above"), inner, copy;
    struct cl_ns_limits limits;
    memset(&limits, 0xff, sizeof(limits)); // LIMIT_SAME
    test_ok(ns_create(above, "inner", 5, &limits, &inner), "a namespace in it");
    test_ok(handle_duplicate(service.client_end, CL_RIGHTS_SAME, &copy), "a copy");
    start(inner, caller, copy, 0);
    handle_close(inner);
    sleep_ms(20);
    uint64_t from_ns = now();
    test_ok(test_namespace_end(above), "the end of both");
    test_check(now() - from_ns < LONG_NS / 2, "they do not wait for the server");
    test_check(call(service.client_end, CL_DEADLINE_NEVER) == OK, "the server goes on");
    test_pass("a caller that goes while it is served");
    service_end(&service);
}

void test_run(void) {
    struct cl_system_info info = {};
    test_ok(system_info(test_handle(OBJ_SYSTEM), &info), "the number of CPUs");
    if (info.cpus > 1) {
        apart();
    } else if (test_option("counted")) { // time is that of instructions
        struct service service = service_start("server", SERVE_NS);
        share(caller, &service, "a caller that waits");
        share(quitter, &service, "a caller that gives up");
        service_end(&service);
        chain();
        bound();
        hostile(nest, "a server that asks others");
        hostile(refuse, "a server that takes the same call again");
    }
    gone();
}
