// Ports: levels, turns, and every way for a registration to end.
#include "lib/kernel_check.h"
#include "lib/message.h"
#include "lib/test.h"
#include "lib/threads.h"

enum : uint32_t { SOON_MS = 30, LONG_MS = 20000 };

static handle_t port_make(void) {
    handle_t port = 0;
    test_ok(port_create(0, &port), "a port can be made");
    return port;
}

static handle_t event_make(void) {
    handle_t event = 0;
    test_ok(event_create(0, &event), "an event can be made");
    return event;
}

// The key that a port reports now; 0: nothing.
static uint64_t next(handle_t port, uint32_t *signals) {
    uint64_t key = 0;
    return port_wait(port, 0, CL_DEADLINE_POLL, &key, signals) == OK ? key : 0;
}

static void levels(void) {
    handle_t port = port_make(), event = event_make();
    uint32_t signals = 0;
    uint64_t key;
    event_signal(event, 0, SIGNAL_USER1);
    test_check(port_register(port, event, SIGNAL_USER0 | SIGNAL_USER1, 7, 0) == OK, "register");
    kernel_check();
    test_check(port_register(port, event, SIGNAL_USER0, 7, 0) == ERR_ALREADY_EXISTS, "key in use");
    for (int i = 0; i < 3; i++)
        test_check(next(port, &signals) == 7 && signals == SIGNAL_USER1, "as long as it is there");
    event_signal(event, SIGNAL_USER1, SIGNAL_USER2);
    test_check(next(port, &signals) == 0, "not when it is gone, nor for another");
    test_check(port_wait(port, 0, test_deadline(SOON_MS), &key, &signals) == ERR_TIMED_OUT, "wait");
    event_signal(event, 0, SIGNAL_USER0);
    test_check(next(port, &signals) == 7 && signals == SIGNAL_USER0, "and again");
    test_check(port_unregister(port, 7) == OK && next(port, &signals) == 0, "unregister");
    test_check(port_unregister(port, 7) == ERR_NOT_FOUND, "once");
    test_check(port_register(port, event, SIGNAL_USER0, 7, CL_PORT_ONCE) == OK, "once");
    test_check(next(port, &signals) == 7 && next(port, &signals) == 0, "reported once");
    test_check(port_register(port, event, SIGNAL_USER0, 7, CL_PORT_ONCE) == OK, "free again");
    handle_close(port);
    handle_close(event);
    test_pass("a port reports levels");
}

static void turns(void) {
    enum { EVENTS = 5, ROUNDS = 20 };
    handle_t port = port_make(), events[EVENTS];
    uint32_t signals, counts[EVENTS] = {};
    for (uint32_t i = 0; i < EVENTS; i++) {
        events[i] = event_make();
        port_register(port, events[i], SIGNAL_USER0, i + 1, 0);
        event_signal(events[i], 0, SIGNAL_USER0);
    }
    for (uint32_t i = 0; i < EVENTS * ROUNDS; i++) {
        uint64_t key = next(port, &signals);
        if (key >= 1 && key <= EVENTS) counts[key - 1]++;
    }
    for (uint32_t i = 0; i < EVENTS; i++) {
        test_check(counts[i] == ROUNDS, "each as often as the others");
        handle_close(events[i]);
    }
    test_check(next(port, &signals) == 0, "objects that are gone are not reported");
    handle_close(port);
    test_pass("registrations take turns");
}

static void many_keys(void) {
    enum { KEYS = 200 };
    handle_t port = port_make(), event = event_make();
    struct cl_ns_info before, after;
    uint32_t signals;
    ns_info(test_namespace(), &before);
    for (uint64_t i = 0; i < KEYS; i++)
        test_check(port_register(port, event, SIGNAL_USER0, i << 56 | i, 0) == OK, "register");
    for (uint64_t i = 0; i < KEYS; i += 2)
        test_check(port_unregister(port, i << 56 | i) == OK, "unregister");
    event_signal(event, 0, SIGNAL_USER0);
    for (uint64_t i = 1; i < KEYS; i += 2)
        test_check(next(port, &signals) == (i << 56 | i), "the others, in order");
    for (uint64_t i = 1; i < KEYS; i += 2)
        test_check(port_unregister(port, i << 56 | i) == OK, "unregister");
    ns_info(test_namespace(), &after);
    test_check(before.kernel_pages == after.kernel_pages, "their memory is back");
    handle_close(event);
    handle_close(port);
    test_pass("keys are found among many");
}

// A signal tells all of them at once.
static void crowd(void) {
    handle_t ports[2] = {port_make(), port_make()}, event = event_make();
    uint32_t signals;
    for (uint64_t i = 0; i < CL_REGISTRATIONS_MAX; i++)
        test_check(port_register(ports[i % 2], event, SIGNAL_USER0, i, 0) == OK, "register");
    test_check(port_register(ports[0], event, SIGNAL_USER0, CL_REGISTRATIONS_MAX, 0) == ERR_LIMIT,
               "one too many");
    event_signal(event, 0, SIGNAL_USER0);
    test_check(next(ports[1], &signals) == 1, "the others are told");
    test_check(port_unregister(ports[0], 0) == OK &&
                   port_register(ports[1], event, SIGNAL_USER0, 0, 0) == OK,
               "one for one that has gone");
    handle_close(ports[0]);
    test_check(port_register(ports[1], event, SIGNAL_USER0, CL_REGISTRATIONS_MAX, 0) == OK,
               "also with its port");
    handle_close(event);
    handle_t timer = 0;
    test_ok(timer_create(0, &timer), "a timer");
    for (uint64_t i = 0; i < CL_TIMER_REGISTRATIONS_MAX; i++)
        test_check(port_register(ports[1], timer, SIGNAL_SIGNALED, i, 0) == OK, "register");
    test_check(port_register(ports[1], timer, SIGNAL_SIGNALED, CL_TIMER_REGISTRATIONS_MAX, 0) ==
                   ERR_LIMIT,
               "a timer, which tells in an interrupt, has few");
    handle_close(timer);
    handle_close(ports[1]);
    test_pass("an object has so many registrations and no more");
}

// ---- thousands of registrations ----

enum : uint32_t { MANY = 64, FEW = 1, EACH = 250, TIMES_MAX = 2000 };

// `count` names that begin so, with an event each, which are opened through `ns`.
static void events_open(handle_t whole, handle_t ns, char first, handle_t *events, uint32_t count) {
    static const struct cl_acl nobody;
    char name[2] = {first, '0'};
    for (uint32_t i = 0; i < count; i++, name[1]++) {
        handle_t event = event_make();
        test_ok(ns_bind(whole, name, sizeof(name), event, &nobody), "a name, which keeps it");
        handle_close(event);
        test_ok(ns_open(ns, name, sizeof(name), CL_RIGHTS_SAME, &events[i]), "opened");
    }
}

static void register_each(handle_t port, const handle_t *events, uint32_t count, uint64_t key) {
    for (uint32_t i = 0; i < count * EACH; i++)
        test_ok(port_register(port, events[i / EACH], SIGNAL_USER0, key + i, 0), "register");
}

// Nanoseconds of a revocation of half of a port's registrations, those behind the others.
static uint64_t revoke_half_ns(uint32_t count) {
    handle_t port = port_make(), ns = test_child_namespace("events"), lent = 0, revoker = 0;
    handle_t own[MANY], theirs[MANY];
    uint64_t start_ns, end_ns;
    uint32_t signals, found = 0;
    test_ok(handle_duplicate_revocable(ns, CL_RIGHTS_SAME, &lent, &revoker), "revocably");
    events_open(ns, ns, 'o', own, count);
    events_open(ns, lent, 't', theirs, count);
    register_each(port, own, count, 1);
    register_each(port, theirs, count, 1 + MANY * EACH);
    test_ok(clock_get(CL_CLOCK_MONOTONIC, &start_ns), "clock");
    test_ok(revoker_revoke(revoker), "revoke");
    test_ok(clock_get(CL_CLOCK_MONOTONIC, &end_ns), "clock");
    for (uint32_t i = 0; i < count; i++)
        event_signal(own[i], 0, SIGNAL_USER0);
    for (uint32_t i = 0; i < count * EACH; i++)
        found += next(port, &signals) == i + 1;
    test_check(found == count * EACH && next(port, &signals) == 1, "the others take turns");
    test_check(port_unregister(port, 1 + MANY * EACH) == ERR_NOT_FOUND, "and none of these");
    for (uint32_t i = 0; i < count; i++) {
        handle_close(own[i]);
        handle_close(theirs[i]);
    }
    handle_close(port);
    handle_close(lent);
    handle_close(revoker);
    test_check(test_namespace_end(ns) == OK, "all comes back");
    return end_ns - start_ns;
}

// What is linear takes 64 times as long, what is quadratic 10,000 times and more.
static void many_are_revoked(void) {
    uint64_t few_ns = ~0ul, many_ns = ~0ul, ns;
    for (int i = 0; i < 3; i++)
        few_ns = (ns = revoke_half_ns(FEW)) < few_ns ? ns : few_ns;
    for (int i = 0; i < 3 && many_ns > TIMES_MAX * few_ns; i++)
        many_ns = (ns = revoke_half_ns(MANY)) < many_ns ? ns : many_ns;
    test_check(many_ns <= TIMES_MAX * few_ns, "a revocation takes as long as what it ends");
    test_pass("thousands of registrations are revoked beside thousands that stay");
}

static void many_were_ready(void) {
    handle_t port = port_make(), events[MANY];
    uint32_t signals;
    for (uint32_t i = 0; i < MANY; i++)
        events[i] = event_make();
    register_each(port, events, MANY, 1);
    for (uint32_t i = 0; i < MANY; i++)
        event_signal(events[i], 0, SIGNAL_USER0);
    for (uint32_t i = 0; i < MANY; i++)
        event_signal(events[i], i == MANY - 1 ? 0 : SIGNAL_USER0, 0);
    test_check(next(port, &signals) == 1 + (MANY - 1) * EACH,
               "one that still is, behind the others");
    event_signal(events[MANY - 1], SIGNAL_USER0, 0);
    test_check(next(port, &signals) == 0, "none is");
    event_signal(events[0], 0, SIGNAL_USER0);
    test_check(next(port, &signals) == 1, "one is again");
    for (uint32_t i = 0; i < MANY; i++)
        handle_close(events[i]);
    handle_close(port);
    test_pass("a port is not kept busy by what was ready once");
}

static void closed(void) {
    handle_t port = port_make(), event = event_make(), other = event_make(), copy = 0;
    uint32_t signals;
    test_check(port_register(port, event, SIGNAL_USER0, 1, 0) == OK, "register");
    handle_duplicate(event, CL_RIGHTS_SAME, &copy);
    handle_close(event);
    event_signal(copy, 0, SIGNAL_USER0);
    test_check(next(port, &signals) == 1, "one handle is left");
    handle_close(copy);
    test_check(next(port, &signals) == 0, "none is");
    test_check(port_register(port, other, SIGNAL_USER0, 1, 0) == OK, "the key is free");
    handle_close(other);
    test_check(port_unregister(port, 1) == ERR_NOT_FOUND, "nothing is left of either");
    handle_close(port);
    test_pass("a registration goes with the object's last handle");
}

static void revoked(void) {
    handle_t port = port_make(), event = event_make(), copy = 0, revoker = 0;
    uint32_t signals;
    event_signal(event, 0, SIGNAL_USER0);
    test_ok(handle_duplicate_revocable(event, CL_RIGHTS_SAME, &copy, &revoker), "revocable");
    port_register(port, event, SIGNAL_USER0, 1, 0);
    port_register(port, copy, SIGNAL_USER0, 2, 0);
    port_register(port, copy, SIGNAL_USER0, 3, 0);
    test_check(revoker_revoke(revoker) == OK, "revoke");
    test_check(next(port, &signals) == 1 && next(port, &signals) == 1,
               "only the plain one is left");
    test_check(port_register(port, copy, SIGNAL_USER0, 4, 0) == ERR_REVOKED, "no new one");
    handle_close(copy);
    handle_close(revoker);
    handle_close(event);
    handle_close(port);
    test_pass("a registration goes with the revoker that it came through");
}

static void killed(void) {
    handle_t ns = test_child_namespace("observed"), port = port_make(), event = 0, other = 0;
    uint32_t signals;
    test_ok(event_create(ns, &event), "event");
    event_signal(event, 0, SIGNAL_USER0);
    port_register(port, event, SIGNAL_USER0, 1, 0);
    test_check(next(port, &signals) == 1, "it is reported");
    test_check(test_namespace_end(ns) == OK, "its namespace goes");
    test_check(next(port, &signals) == 0, "and the registration");
    handle_close(event);
    handle_close(port);

    ns = test_child_namespace("port");
    event = event_make();
    test_ok(port_create(ns, &other), "port");
    for (uint64_t i = 0; i < 50; i++)
        port_register(other, event, SIGNAL_USER0, i, 0);
    test_check(test_namespace_end(ns) == OK, "a port goes with its namespace");
    test_check(event_signal(event, 0, SIGNAL_USER0) == OK, "what it observed stays");
    handle_close(other);
    handle_close(event);
    test_pass("either side can be killed");
}

static handle_t shared_port;
static volatile uint32_t seen;

static void waiter(uint64_t key_wanted) {
    uint64_t key = 0;
    uint32_t signals;
    if (port_wait(shared_port, 0, test_deadline(LONG_MS), &key, &signals) == OK &&
        key == key_wanted)
        __atomic_fetch_add(&seen, 1, __ATOMIC_RELAXED);
}

static void wakes(void) {
    shared_port = port_make();
    struct cl_channel_options options = {};
    handle_t first, second;
    test_ok(channel_create(0, 0, &options, &first, &second), "channel");
    port_register(shared_port, second, SIGNAL_READABLE | SIGNAL_PEER_CLOSED, 9, 0);
    handle_t thread = test_thread(waiter, 9);
    message_send(first, "x", 1, NULL, 0);
    test_thread_join(thread);
    thread = test_thread(waiter, 9);
    handle_close(first);
    test_thread_join(thread);
    test_check(seen == 2, "both were seen");
    handle_close(second);
    handle_close(shared_port);
    test_pass("a message wakes who waits at a port");
}

void test_run(void) {
    levels();
    turns();
    many_keys();
    crowd();
    many_are_revoked();
    many_were_ready();
    closed();
    revoked();
    killed();
    wakes();
}
