// Channels and ports under fire: ends that close, callers that give up, namespaces that die, all
// while others call, on two CPUs. What is tested is that nothing hangs, panics or is left over.
#include "lib/message.h"
#include "lib/string.h"
#include "lib/test.h"
#include "lib/threads.h"

enum : uint32_t { LONG_MS = 30000, LARGE = 9000 };

static uint64_t random_state = 88172645463325252u;

static uint32_t random_below(uint32_t limit) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state % limit);
}

static void pass_time(uint32_t turns) {
    for (uint32_t i = 0; i < turns; i++)
        thread_yield();
}

static uint64_t now_us(void) {
    uint64_t now_ns = 0;
    clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    return now_ns / 1000;
}

static handle_t channel_to(handle_t ns, handle_t *theirs) {
    struct cl_channel_options options = {};
    handle_t ours = 0;
    test_ok(channel_create(0, ns, &options, &ours, theirs), "channel");
    return ours;
}

static handle_t child_end; // in the child: what it calls or serves

// Answers until the other end is gone: now with a handle, now with many bytes, now not at all.
static void serve(uint64_t end) {
    uint8_t bytes[64];
    handle_t got = 0;
    for (;;) {
        struct cl_received received;
        struct cl_message room = message_of(bytes, sizeof(bytes), &got, 1);
        status_t status =
            channel_receive((handle_t)end, &room, (uint64_t)&received, 0, test_deadline(LONG_MS));
        if (status != OK) {
            // In a namespace that is killed the end goes before its threads, now and then.
            bool is_dying = child_end && status == ERR_DEAD;
            if (status != ERR_PEER_CLOSED && !is_dying) test_ok(status, "a server's receive");
            return;
        }
        if (received.handles_count) handle_close(got);
        handle_t event = 0;
        struct cl_message reply = message_of(bytes, received.bytes_size, NULL, 0);
        if (bytes[0] % 3 == 0 && event_create(0, &event) == OK)
            reply = message_of(bytes, 1, &event, 1);
        if (bytes[0] % 5 == 0) reply.bytes_size = 0;
        if (bytes[0] % 7 != 0)
            channel_reply((handle_t)end, received.token, &reply);
        else if (event)
            handle_close(event);
    }
}

// Calls in every way, until the end is closed.
static void hammer(handle_t end, uint32_t seed, uint32_t rounds) {
    static uint8_t large[LARGE];
    for (uint32_t i = 0; i < rounds; i++) {
        uint8_t bytes[64] = {(uint8_t)(seed + i)};
        uint32_t size, count;
        handle_t event = 0, room_handles[2] = {};
        struct cl_message message = message_of(bytes, 1 + i % 64, NULL, 0);
        struct cl_message reply = message_of(bytes, sizeof(bytes), room_handles, 2);
        if (i % 4 == 0 && event_create(0, &event) == OK) message = message_of(bytes, 8, &event, 1);
        if (i % 6 == 0) reply = message_of(large, LARGE, room_handles, 2);
        uint64_t deadline_ns = (now_us() + 200 + i % 700) * 1000;
        status_t status = channel_call(end, &message, &reply, deadline_ns, &size, &count);
        for (uint32_t j = 0; status == OK && j < count; j++)
            handle_close(room_handles[j]);
        if (status == ERR_PEER_CLOSED || status == ERR_BAD_HANDLE) return;
        if (i % 9 == 0) message_send(end, bytes, 3, NULL, 0);
    }
}

static handle_t hammered;

static void hammer_thread(uint64_t seed) { hammer(hammered, (uint32_t)seed, 400); }

// Client threads and server threads of one process.
static void many_callers(void) {
    enum { CLIENTS = 3, SERVERS = 2 };
    struct cl_ns_info before, after;
    ns_info(test_namespace(), &before);
    handle_t theirs, threads[CLIENTS + SERVERS];
    hammered = channel_to(0, &theirs);
    for (int i = 0; i < SERVERS; i++)
        threads[i] = test_thread(serve, theirs);
    for (int i = 0; i < CLIENTS; i++)
        threads[SERVERS + i] = test_thread(hammer_thread, (uint64_t)i * 50);
    for (int i = 0; i < CLIENTS; i++)
        test_thread_join(threads[SERVERS + i]);
    handle_close(hammered);
    for (int i = 0; i < SERVERS; i++)
        test_thread_join(threads[i]);
    handle_close(theirs);
    ns_info(test_namespace(), &after);
    test_check(before.handles == after.handles && before.objects == after.objects &&
                   before.message_bytes == after.message_bytes,
               "nothing is left over");
    test_pass("many callers that give up, many servers");
}

// Clients in a namespace that dies in the middle.
static void dying_clients(void) {
    enum { ROUNDS = 25 };
    for (uint32_t i = 0; i < ROUNDS; i++) {
        handle_t process, theirs, ns = test_child_namespace("dying");
        handle_t ours = channel_to(ns, &theirs);
        test_ok(test_child(ns, "test/channel_stress", theirs, &process), "child");
        uint32_t limit = random_below(40);
        uint8_t bytes[64];
        handle_t got = 0;
        for (uint32_t j = 0; j < limit; j++) {
            struct cl_received received;
            struct cl_message room = message_of(bytes, sizeof(bytes), &got, 1);
            if (channel_receive(ours, &room, (uint64_t)&received, 0, test_deadline(LONG_MS)) != OK)
                break;
            if (received.handles_count) handle_close(got);
            struct cl_message reply = message_of(bytes, 1, NULL, 0);
            channel_reply(ours, received.token, &reply);
        }
        pass_time(random_below(30));
        test_check(test_namespace_end(ns) == OK, "a namespace of callers goes");
        handle_close(process);
        handle_close(ours);
    }
    test_pass("callers die in the middle of their calls");
}

// Servers that die under our calls.
static handle_t victim_end;
static void victim_hammer(uint64_t seed) { hammer(victim_end, (uint32_t)seed, 100000); }

static void dying_servers(void) {
    enum { ROUNDS = 4 };
    for (uint32_t i = 0; i < ROUNDS; i++) {
        handle_t process, theirs, ns = test_child_namespace("servers");
        victim_end = channel_to(ns, &theirs);
        message_send(victim_end, "serve", 5, NULL, 0);
        test_ok(test_child(ns, "test/channel_stress", theirs, &process), "child");
        handle_t a = test_thread(victim_hammer, i), b = test_thread(victim_hammer, i + 77);
        pass_time(200 + random_below(300));
        test_check(test_namespace_end(ns) == OK, "a namespace of servers goes");
        test_thread_join(a);
        test_thread_join(b);
        handle_close(process);
        handle_close(victim_end);
    }
    test_pass("servers die in the middle of calls");
}

// ---- ports ----

static handle_t storm_port;
static volatile uint32_t storm_over;

static void storm_waiter(uint64_t unused) {
    (void)unused;
    while (!storm_over) {
        uint64_t key;
        uint32_t signals;
        (void)port_wait(storm_port, 0, (now_us() + 300) * 1000, &key, &signals);
    }
}

static void port_storm(void) {
    enum { EVENTS = 6, ROUNDS = 1500 };
    handle_t events[EVENTS] = {};
    test_ok(port_create(0, &storm_port), "port");
    handle_t waiters[2] = {test_thread(storm_waiter, 0), test_thread(storm_waiter, 0)};
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t at = random_below(EVENTS);
        if (events[at] == 0) {
            test_ok(event_create(0, &events[at]), "event");
            status_t status = port_register(storm_port, events[at], SIGNAL_USER0, at,
                                            i % 3 == 0 ? CL_PORT_ONCE : 0);
            test_check(status == OK, "register");
        }
        event_signal(events[at], i % 2 ? SIGNAL_USER0 : 0, i % 2 ? 0 : SIGNAL_USER0);
        if (i % 5 == 0) {
            handle_close(events[at]);
            events[at] = 0;
        } else if (i % 7 == 0) {
            port_unregister(storm_port, at);
            port_register(storm_port, events[at], SIGNAL_USER0, at, 0);
        }
    }
    storm_over = 1;
    test_thread_join(waiters[0]);
    test_thread_join(waiters[1]);
    handle_close(storm_port);
    for (int i = 0; i < EVENTS; i++)
        if (events[i]) handle_close(events[i]);
    test_pass("registrations come and go while others wait");
}

// ---- the child: calls until it is killed, or serves when it finds a message to do so ----

static void child_thread(uint64_t seed) { hammer(child_end, (uint32_t)seed, 1000000); }

void test_run(void) {
    child_end = test_named("gift");
    if (child_end) {
        struct cl_received received;
        char order[8];
        if (message_receive(child_end, order, 8, NULL, 0, CL_DEADLINE_POLL, &received) == OK)
            serve(child_end);
        (void)test_thread(child_thread, 1);
        (void)test_thread(child_thread, 2);
        child_thread(3);
        return;
    }
    many_callers();
    dying_clients();
    dying_servers();
    port_storm();
}
