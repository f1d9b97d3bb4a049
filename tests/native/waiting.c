// Kicks and timers: what ends a wait, and what does not.
#include "lib/message.h"
#include "lib/test.h"
#include "lib/threads.h"

enum : uint32_t { SOON_MS = 40, LONG_MS = 20000, PERIOD_NS = 2000000 };

static handle_t self(void) {
    handle_t thread = 0;
    test_ok(thread_self(&thread), "thread_self");
    return thread;
}

static status_t event_wait(handle_t event, uint32_t flags, uint64_t ms) {
    uint32_t observed;
    return object_wait(event, SIGNAL_USER0, flags, test_deadline(ms), &observed);
}

static void sticky(void) {
    handle_t me = self(), event = 0, port = 0;
    uint64_t key;
    uint32_t signals, word = 0;
    test_ok(event_create(0, &event), "event");
    test_ok(port_create(0, &port), "port");
    thread_kick(me);
    thread_kick(me);
    test_check(event_wait(event, 0, SOON_MS) == ERR_TIMED_OUT, "a plain wait is not ended");
    test_check(event_wait(event, CL_WAIT_INTERRUPTIBLE, LONG_MS) == ERR_INTERRUPTED, "this one is");
    test_check(event_wait(event, CL_WAIT_INTERRUPTIBLE, SOON_MS) == ERR_TIMED_OUT,
               "kicks coalesce, and are reported once");
    thread_kick(me);
    event_signal(event, 0, SIGNAL_USER0);
    test_check(event_wait(event, CL_WAIT_INTERRUPTIBLE, LONG_MS) == OK, "the event goes first");
    test_check(port_wait(port, CL_WAIT_INTERRUPTIBLE, test_deadline(LONG_MS), &key, &signals) ==
                   ERR_INTERRUPTED,
               "and the kick stays");
    thread_kick(me);
    test_check(futex_wait((uint64_t)&word, 0, CL_WAIT_INTERRUPTIBLE, test_deadline(LONG_MS)) ==
                   ERR_INTERRUPTED,
               "a futex");
    handle_close(event);
    handle_close(port);
    handle_close(me);
    test_pass("a kick is sticky, coalesces, and is reported once");
}

static handle_t end, sleeper;
static status_t result;
static uint32_t is_ready;

static void receiver(uint64_t flags) {
    struct cl_received received;
    char byte = 0;
    struct cl_message room = message_of(&byte, 1, NULL, 0);
    sleeper = self();
    __atomic_store_n(&is_ready, 1, __ATOMIC_RELEASE);
    result =
        channel_receive(end, &room, (uint64_t)&received, (uint32_t)flags, test_deadline(LONG_MS));
}

static void caller(uint64_t unused) {
    (void)unused;
    uint32_t size, count;
    char byte = 1;
    struct cl_message message = message_of(&byte, 1, NULL, 0);
    sleeper = self();
    __atomic_store_n(&is_ready, 1, __ATOMIC_RELEASE);
    result = channel_call(end, &message, &message, test_deadline(LONG_MS), &size, &count);
    uint32_t observed;
    handle_t event = 0;
    event_create(0, &event);
    if (result == OK && object_wait(event, SIGNAL_USER0, CL_WAIT_INTERRUPTIBLE,
                                    test_deadline(LONG_MS), &observed) != ERR_INTERRUPTED)
        result = ERR_BAD_STATE;
    handle_close(event);
}

static void while_ready(uint32_t turns) {
    while (!__atomic_load_n(&is_ready, __ATOMIC_ACQUIRE))
        thread_yield();
    for (uint32_t i = 0; i < turns; i++)
        thread_yield();
    is_ready = 0;
}

static void others(void) {
    struct cl_channel_options options = {};
    struct cl_received received;
    handle_t server;
    char byte;
    test_ok(channel_create(0, 0, &options, &end, &server), "channel");
    for (uint32_t turns = 0; turns < 40; turns += 8) {
        handle_t thread = test_thread(receiver, CL_WAIT_INTERRUPTIBLE);
        while_ready(turns);
        thread_kick(sleeper);
        test_thread_join(thread);
        handle_close(sleeper);
        test_check(result == ERR_INTERRUPTED, "a receive is ended, whenever the kick comes");
    }
    handle_t thread = test_thread(caller, 0);
    while_ready(20);
    thread_kick(sleeper);
    test_check(message_receive(server, &byte, 1, NULL, 0, test_deadline(LONG_MS), &received) == OK,
               "its call is there");
    test_check(message_reply(server, received.token, &byte, 1) == OK, "reply");
    test_thread_join(thread);
    handle_close(sleeper);
    test_check(result == OK, "a call neither ends by a kick nor consumes it");
    handle_close(end);
    handle_close(server);
    test_pass("kicks of other threads");
}

static uint64_t now(void) {
    uint64_t now_ns = 0;
    clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    return now_ns;
}

static status_t fired(handle_t timer, uint64_t ms) {
    uint32_t observed;
    return object_wait(timer, SIGNAL_SIGNALED, 0, test_deadline(ms), &observed);
}

static void timers(void) {
    handle_t timer = 0;
    struct cl_ns_info before, after;
    ns_info(test_namespace(), &before);
    test_ok(timer_create(0, &timer), "timer");
    uint64_t at_ns = now() + PERIOD_NS;
    test_check(timer_set(timer, at_ns) == OK && fired(timer, LONG_MS) == OK, "it fires");
    test_check(now() >= at_ns, "not before its time");
    test_check(timer_set(timer, now() + 3600ul * 1000000000) == OK &&
                   fired(timer, SOON_MS) == ERR_TIMED_OUT,
               "setting it clears the signal");
    test_check(timer_set(timer, 0) == OK && fired(timer, LONG_MS) == OK, "the past is now");
    test_check(timer_set(timer, now() + PERIOD_NS) == OK, "set again");
    uint64_t start_ns = now();
    handle_t port = 0;
    uint64_t key;
    uint32_t signals;
    test_ok(port_create(0, &port), "port");
    test_ok(port_register(port, timer, SIGNAL_SIGNALED, 1, 0), "register");
    test_check(port_wait(port, 0, test_deadline(LONG_MS), &key, &signals) == OK, "a port");
    test_check(timer_set(timer, CL_DEADLINE_NEVER) == OK && fired(timer, SOON_MS) == ERR_TIMED_OUT,
               "stopped");
    test_check(now() - start_ns < 10ul * 1000000000, "in time");
    handle_close(port);
    handle_close(timer);
    ns_info(test_namespace(), &after);
    test_check(before.timers == after.timers, "counted");
    test_pass("timers fire, stop, and are set again");
}

void test_run(void) {
    sticky();
    others();
    timers();
}
