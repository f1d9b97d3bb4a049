// Channels: messages, calls, what happens when an end goes. The program is its own child: given
// a channel, it serves or calls as it is told.
#include "lib/message.h"
#include "lib/string.h"
#include "lib/test.h"
#include "lib/threads.h"

enum : uint32_t { BYTES_MAX = CL_MESSAGE_BYTES_MAX, SOON_MS = 50, LONG_MS = 20000 };
enum order : uint8_t { ORDER_ECHO = 'e', ORDER_EXIT = 'x', ORDER_CALL_ME = 'c', ORDER_QUIET = 'q' };

static uint8_t out[BYTES_MAX], in[BYTES_MAX];

struct ends {
    handle_t first, second;
};

static struct ends channel_with(struct cl_channel_options options) {
    struct ends ends;
    test_ok(channel_create(0, 0, &options, &ends.first, &ends.second), "a channel can be made");
    return ends;
}

static struct ends channel(void) { return channel_with((struct cl_channel_options){}); }

static void close_both(struct ends ends) {
    handle_close(ends.first);
    handle_close(ends.second);
}

static uint32_t signals_of(handle_t handle) {
    struct cl_object_info info;
    return object_info(handle, &info) == OK ? info.signals : 0;
}

static uint64_t koid_of(handle_t handle) {
    struct cl_object_info info;
    return object_info(handle, &info) == OK ? info.koid : 0;
}

static void pattern(uint8_t *bytes, uint32_t size, uint32_t seed) {
    for (uint32_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7 + seed + (i >> 8));
}

static status_t receive(handle_t end, uint32_t room, struct cl_received *received) {
    return message_receive(end, in, room, NULL, 0, CL_DEADLINE_POLL, received);
}

// ---- one-way messages ----

static void sizes(void) {
    static const uint32_t all[] = {0, 1, 8, 191, 192, 193, 4096, 4097, BYTES_MAX};
    struct ends ends = channel_with((struct cl_channel_options){.send_bytes_max = 1 << 20});
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct cl_received received = {};
        pattern(out, all[i], i);
        test_check(message_send(ends.first, out, all[i], NULL, 0) == OK, "send");
        memset(in, 0, sizeof(in));
        test_check(receive(ends.second, BYTES_MAX, &received) == OK, "receive");
        test_check(received.bytes_size == all[i] && received.token == 0, "size and no token");
        test_check(received.sender_namespace == koid_of(test_namespace()) &&
                       received.sender_process != 0,
                   "the kernel says who sent it");
        test_check(memcmp(in, out, all[i]) == 0, "the same bytes");
    }
    close_both(ends);
    test_pass("messages of every size arrive as they were sent");
}

static void too_small(void) {
    struct ends ends = channel();
    struct cl_received received = {};
    pattern(out, 300, 1);
    message_send(ends.first, out, 300, NULL, 0);
    test_check(receive(ends.second, 299, &received) == ERR_BUFFER_TOO_SMALL, "too small a room");
    test_check(received.bytes_size == 300 && received.token == 0, "it says what is needed");
    test_check(signals_of(ends.second) & SIGNAL_READABLE, "it is still there");
    struct cl_message nowhere = {.bytes = CL_PROCESS_BASE, .bytes_size = 300};
    test_check(channel_receive(ends.second, &nowhere, (uint64_t)&received, 0, 0) == ERR_BAD_POINTER,
               "room that can't be written");
    test_check(receive(ends.second, 300, &received) == OK && memcmp(in, out, 300) == 0,
               "a message that could not be delivered comes again");
    test_check(receive(ends.second, 300, &received) == ERR_SHOULD_WAIT, "once");
    test_check(message_receive(ends.second, in, 1, NULL, 0, test_deadline(SOON_MS), &received) ==
                   ERR_TIMED_OUT,
               "a wait ends");
    close_both(ends);
    test_pass("a message that can't be delivered stays");
}

// The first end holds less than the second one.
static void budget_of_one_end(void) {
    struct ends ends =
        channel_with((struct cl_channel_options){.send_bytes_max = 65536, .first_bytes_max = 4096});
    struct cl_received received;
    uint32_t sent = 0;
    test_check(message_send(ends.second, out, 4096, NULL, 0) == ERR_TOO_BIG, "over the budget");
    while (message_send(ends.second, out, 1000, NULL, 0) == OK)
        sent++;
    test_check(sent == 3, "the first end is full");
    for (sent = 0; message_send(ends.first, out, 1000, NULL, 0) == OK; sent++)
        test_check(sent < 64, "the second end is full, too");
    test_check(sent > 50, "the second end has its own budget");
    test_check(receive(ends.first, 1000, &received) == OK, "receive");
    test_check(message_send(ends.second, out, 1000, NULL, 0) == OK, "room again");
    close_both(ends);
    test_pass("each end has a budget");
}

static void budget(void) {
    struct ends ends = channel_with((struct cl_channel_options){.send_bytes_max = 8192});
    struct cl_received received;
    struct cl_ns_info before, full, after;
    uint32_t sent = 0;
    status_t status;
    ns_info(test_namespace(), &before);
    test_check(message_send(ends.first, out, 8192, NULL, 0) == ERR_TOO_BIG, "over the budget");
    while ((status = message_send(ends.first, out, 1000, NULL, 0)) == OK)
        sent++;
    test_check(status == ERR_SHOULD_WAIT && sent == 7, "full");
    test_check(!(signals_of(ends.first) & SIGNAL_WRITABLE), "not WRITABLE");
    test_check(signals_of(ends.second) & SIGNAL_WRITABLE, "the other direction is");
    ns_info(test_namespace(), &full);
    test_check(full.message_bytes >= before.message_bytes + 7000, "the ledger counts them");
    test_check(receive(ends.second, 1000, &received) == OK, "receive");
    test_check(signals_of(ends.first) & SIGNAL_WRITABLE, "WRITABLE again");
    test_check(message_send(ends.first, out, 1000, NULL, 0) == OK, "room again");
    for (uint32_t i = 0; i < sent; i++)
        receive(ends.second, 1000, &received);
    test_check(!(signals_of(ends.second) & SIGNAL_READABLE), "empty");
    message_send(ends.first, out, 1000, NULL, 0);
    close_both(ends);
    ns_info(test_namespace(), &after);
    test_check(after.message_bytes == before.message_bytes, "all is back in the ledger");
    test_check(after.objects == before.objects - 2, "so are the ends");
    test_pass("a full channel refuses, and says when there is room");
}

static void handles_move(void) {
    struct ends ends = channel();
    handle_t event = 0, got = 0, pair[2];
    struct cl_received received;
    test_ok(event_create(0, &event), "event");
    uint64_t koid = koid_of(event);
    test_check(message_send(ends.first, "h", 1, &event, 1) == OK, "send a handle");
    test_check(koid_of(event) == 0, "it is gone here");
    test_check(message_receive(ends.second, in, 1, NULL, 0, 0, &received) == ERR_BUFFER_TOO_SMALL &&
                   received.handles_count == 1,
               "no room for the handle");
    test_check(message_receive(ends.second, in, 1, &got, 1, 0, &received) == OK, "receive it");
    test_check(koid_of(got) == koid && koid != 0, "the same object");
    pair[0] = pair[1] = got;
    test_check(message_send(ends.first, "h", 1, pair, 2) == ERR_BAD_HANDLE, "named twice");
    pair[1] = ends.first;
    test_check(message_send(ends.first, "h", 1, pair, 2) == ERR_INVALID_ARGUMENT, "its own end");
    test_check(koid_of(got) == koid, "all or none");
    handle_t poor = 0;
    test_ok(handle_duplicate(got, RIGHT_INSPECT, &poor), "duplicate");
    test_check(message_send(ends.first, "h", 1, &poor, 1) == ERR_ACCESS_DENIED, "no TRANSFER");
    test_check(message_send(ends.first, "h", 1, &got, 1) == OK, "send it away");
    test_check(message_send(ends.first, "h", 1, &ends.second, 1) == OK, "the other end, even");
    handle_close(poor);
    handle_close(ends.first);
    test_pass("handles move, all or none");
}

static void handles_refused(void) {
    struct ends ends = channel();
    handle_t event = 0, got = 0;
    struct cl_received received;
    struct cl_ns_info info;
    struct cl_ns_limits limits;
    memset(&limits, 0xff, sizeof(limits));
    test_ok(event_create(0, &event), "event");
    message_send(ends.first, "h", 1, &event, 1);
    ns_info(test_namespace(), &info);
    limits.handles = info.handles;
    test_ok(ns_set_limits(test_namespace(), &limits), "limit");
    test_check(message_receive(ends.second, in, 1, &got, 1, 0, &received) == ERR_NO_RESOURCES,
               "the receiver can't pay");
    limits.handles = 16384;
    test_ok(ns_set_limits(test_namespace(), &limits), "limit");
    test_check(message_receive(ends.second, in, 1, &got, 1, 0, &received) == OK, "it stayed");
    test_check(event_signal(got, 0, SIGNAL_USER0) == OK, "and works");
    handle_close(got);
    close_both(ends);
    test_pass("a message whose handles can't be paid stays");
}

static void peer_closes(void) {
    struct ends ends = channel();
    struct cl_received received;
    message_send(ends.first, "last", 4, NULL, 0);
    handle_close(ends.first);
    test_check(signals_of(ends.second) & SIGNAL_PEER_CLOSED, "PEER_CLOSED shows");
    test_check(message_send(ends.second, "x", 1, NULL, 0) == ERR_PEER_CLOSED, "no sending");
    test_check(receive(ends.second, 4, &received) == OK && memcmp(in, "last", 4) == 0,
               "what was sent can be read");
    test_check(receive(ends.second, 4, &received) == ERR_PEER_CLOSED, "then it is over");
    handle_close(ends.second);
    test_pass("the last words of an end that closed are heard");
}

// ---- calls ----

static status_t call(handle_t end, const void *bytes, uint32_t size, uint32_t room, uint64_t ms,
                     uint32_t *got) {
    uint32_t handles;
    struct cl_message message = message_of(bytes, size, NULL, 0);
    struct cl_message reply = message_of(in, room, NULL, 0);
    return channel_call(end, &message, &reply, test_deadline(ms), got, &handles);
}

// Echoes calls until one starts with ORDER_EXIT, which is left unanswered.
static void serve(uint64_t end) {
    static uint8_t bytes[BYTES_MAX];
    struct cl_received received = {};
    struct cl_message room = message_of(bytes, sizeof(bytes), NULL, 0);
    status_t status =
        channel_receive((handle_t)end, &room, (uint64_t)&received, 0, CL_DEADLINE_NEVER);
    while (status == OK && bytes[0] != ORDER_EXIT) {
        struct cl_message reply = message_of(bytes, received.bytes_size, NULL, 0);
        status = channel_reply_receive((handle_t)end, received.token, &reply, &room,
                                       (uint64_t)&received, CL_DEADLINE_NEVER);
        if (status == ERR_TOO_BIG)
            status = channel_reply_receive((handle_t)end, received.token, &(struct cl_message){},
                                           &room, (uint64_t)&received, CL_DEADLINE_NEVER);
    }
    handle_close((handle_t)end);
}

static void calls_with(handle_t client, const char *text) {
    static const uint32_t all[] = {1, 100, 192, 193, 5000, BYTES_MAX};
    uint32_t got;
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        pattern(out, all[i], i);
        out[0] = ORDER_ECHO;
        memset(in, 0, sizeof(in));
        test_check(call(client, out, all[i], all[i], LONG_MS, &got) == OK, "call");
        test_check(got == all[i] && memcmp(in, out, got) == 0, "echo");
        test_check(call(client, out, all[i], BYTES_MAX, LONG_MS, &got) == OK && got == all[i],
                   "with more room than needed");
    }
    for (uint32_t i = 0; i < 2000; i++) {
        out[1] = (uint8_t)i;
        test_check(call(client, out, 16, 16, LONG_MS, &got) == OK && got == 16 && in[1] == out[1],
                   "small call");
    }
    test_check(call(client, out, 100, 99, LONG_MS, &got) == OK && got == 0,
               "a reply that is too big fails at the server");
    out[0] = ORDER_EXIT;
    test_check(call(client, out, 1, 1, LONG_MS, &got) == ERR_PEER_CLOSED,
               "a server that goes ends the call");
    out[0] = ORDER_ECHO;
    test_check(call(client, out, 1, 1, LONG_MS, &got) == ERR_PEER_CLOSED, "and those after it");
    test_pass(text);
}

static void calls_thread(void) {
    struct ends ends = channel();
    handle_t thread = test_thread(serve, ends.second);
    calls_with(ends.first, "calls to a thread of the same process");
    test_thread_join(thread);
    handle_close(ends.first);
}

static void calls_process(void) {
    struct ends ends = channel();
    handle_t process = 0, ns = test_child_namespace("server");
    test_ok(test_child(ns, "test/channel", ends.second, &process), "child");
    calls_with(ends.first, "calls to another process in another namespace");
    handle_close(process);
    handle_close(ends.first);
    test_check(test_namespace_end(ns) == OK, "its namespace goes");
}

static void call_limits(void) {
    struct ends ends =
        channel_with((struct cl_channel_options){.call_bytes_max = 100, .call_handles_max = 1});
    uint32_t got, handles;
    handle_t events[2];
    test_check(call(ends.first, out, 101, 0, SOON_MS, &got) == ERR_TOO_BIG, "bytes");
    event_create(0, &events[0]);
    event_create(0, &events[1]);
    struct cl_message message = message_of(out, 1, events, 2), reply = {};
    test_check(channel_call(ends.first, &message, &reply, test_deadline(SOON_MS), &got, &handles) ==
                   ERR_TOO_BIG,
               "handles");
    test_check(call(ends.first, out, 100, 0, SOON_MS, &got) == ERR_TIMED_OUT, "the limit itself");
    handle_close(events[0]);
    handle_close(events[1]);
    close_both(ends);
    test_pass("what the server does not accept fails at the caller");
}

// What a call sets aside for its reply goes back once, whatever comes of it and of the next.
static void room_goes_back(void) {
    struct ends ends = channel_with((struct cl_channel_options){.call_bytes_max = 100});
    uint32_t got, handles;
    handle_t room[4], events[8];
    struct cl_message message = message_of(out, 1, NULL, 0), reply = message_of(in, 8, room, 4);
    test_check(channel_call(ends.first, &message, &reply, test_deadline(SOON_MS), &got, &handles) ==
                   ERR_TIMED_OUT,
               "nobody there");
    test_check(call(ends.first, out, 101, 0, SOON_MS, &got) == ERR_TOO_BIG, "nothing set aside");
    for (unsigned i = 0; i < 8; i++) {
        test_ok(event_create(0, &events[i]), "event");
        for (unsigned j = 0; j < i; j++)
            test_check(events[i] != events[j], "a place of one handle");
    }
    for (unsigned i = 0; i < 8; i++)
        test_check(handle_close(events[i]) == OK, "close");
    close_both(ends);
    test_pass("what a call set aside goes back once");
}

static void late(void) {
    struct ends ends = channel();
    struct cl_received received = {};
    uint32_t got;
    test_check(call(ends.first, out, 10, 10, SOON_MS, &got) == ERR_TIMED_OUT, "nobody there");
    test_check(receive(ends.second, 10, &received) == ERR_SHOULD_WAIT &&
                   !(signals_of(ends.second) & SIGNAL_READABLE),
               "a call that timed out is not there any more");
    test_check(message_reply(ends.second, 1, "x", 1) == ERR_NOT_FOUND, "nor can it be answered");
    test_check(message_reply(ends.second, 77, "x", 1) == ERR_NOT_FOUND, "a token of nobody");
    close_both(ends);
    test_pass("a call that timed out leaves nothing");
}

static handle_t caller_end;
static status_t caller_status;

static void caller(uint64_t ms) {
    uint32_t got, handles;
    handle_t event = 0;
    static uint8_t reply_bytes[8];
    event_create(0, &event);
    struct cl_message message = message_of("call", 4, &event, 1);
    struct cl_message reply = message_of(reply_bytes, 8, NULL, 0);
    caller_status = channel_call(caller_end, &message, &reply, test_deadline(ms), &got, &handles);
}

// The caller gives up while the server works on its call.
static void gone_meanwhile(void) {
    struct ends ends = channel();
    struct cl_received received;
    handle_t event = 0;
    caller_end = ends.first;
    handle_t thread = test_thread(caller, SOON_MS);
    test_check(message_receive(ends.second, in, 4, &event, 1, test_deadline(LONG_MS), &received) ==
                       OK &&
                   received.token != 0 && event != 0,
               "received");
    test_thread_join(thread);
    test_check(caller_status == ERR_TIMED_OUT, "it gave up");
    test_check(message_reply(ends.second, received.token, "late", 4) == ERR_NOT_FOUND, "too late");
    handle_close(event);
    close_both(ends);

    ends = channel();
    caller_end = ends.first;
    thread = test_thread(caller, LONG_MS);
    message_receive(ends.second, in, 4, &event, 1, test_deadline(LONG_MS), &received);
    handle_close(ends.first);
    test_thread_join(thread);
    test_check(caller_status == ERR_DEAD, "an end that is closed ends its calls");
    test_check(message_reply(ends.second, received.token, "late", 4) == ERR_NOT_FOUND, "too late");
    handle_close(event);
    handle_close(ends.second);
    test_pass("a caller that goes leaves its server a token of nobody");
}

static void answer_with_handle(uint64_t end) {
    struct cl_received received;
    handle_t event = 0;
    static uint8_t bytes[8];
    message_receive((handle_t)end, bytes, 8, NULL, 0, CL_DEADLINE_NEVER, &received);
    event_create(0, &event);
    event_signal(event, 0, SIGNAL_USER3);
    struct cl_message reply = message_of("event", 5, &event, 1);
    channel_reply((handle_t)end, received.token, &reply);
}

static void reply_handles(void) {
    struct ends ends = channel();
    uint32_t got, handles;
    handle_t room[4] = {};
    struct cl_ns_info before, after;
    ns_info(test_namespace(), &before);
    handle_t thread = test_thread(answer_with_handle, ends.second);
    struct cl_message message = message_of("give", 4, NULL, 0), reply = message_of(in, 8, room, 4);
    test_check(channel_call(ends.first, &message, &reply, test_deadline(LONG_MS), &got, &handles) ==
                   OK,
               "call");
    test_check(got == 5 && handles == 1 && signals_of(room[0]) == SIGNAL_USER3, "a handle came");
    test_thread_join(thread);
    handle_close(room[0]);
    ns_info(test_namespace(), &after);
    test_check(after.handles == before.handles, "as many handles are counted as before");
    close_both(ends);
    test_pass("a reply brings handles, for which room was set aside");
}

// ---- death ----

static void killed_caller(void) {
    struct ends ends = channel();
    struct cl_received received;
    handle_t process = 0, ns = test_child_namespace("caller");
    test_ok(test_child(ns, "test/channel", ends.second, &process), "child");
    uint8_t order = ORDER_CALL_ME;
    message_send(ends.first, &order, 1, NULL, 0);
    test_check(message_receive(ends.first, in, BYTES_MAX, NULL, 0, test_deadline(LONG_MS),
                               &received) == OK &&
                   received.token != 0,
               "it calls");
    test_check(test_namespace_end(ns) == OK, "a namespace goes in the middle of its call");
    test_check(message_reply(ends.first, received.token, "x", 1) == ERR_NOT_FOUND, "too late");
    test_check(signals_of(ends.first) & SIGNAL_PEER_CLOSED, "PEER_CLOSED");
    handle_close(process);
    handle_close(ends.first);
    test_pass("a caller can be killed in the middle of its call");
}

static void killed_server(void) {
    struct ends ends = channel();
    uint32_t observed;
    handle_t process = 0, ns = test_child_namespace("victim");
    test_ok(test_child(ns, "test/channel", ends.second, &process), "child");
    uint8_t order = ORDER_QUIET;
    message_send(ends.first, &order, 1, NULL, 0);
    caller_end = ends.first;
    handle_t thread = test_thread(caller, LONG_MS);
    test_check(object_wait(ends.first, SIGNAL_READABLE, 0, test_deadline(LONG_MS), &observed) == OK,
               "it has our call");
    test_check(test_namespace_end(ns) == OK, "its namespace goes");
    test_thread_join(thread);
    test_check(caller_status == ERR_PEER_CLOSED, "and our call ends");
    handle_close(process);
    handle_close(ends.first);
    test_pass("a server can be killed in the middle of a call");
}

// Channels queued in each other, out of reach but for the namespace that pays.
static void cycle(void) {
    struct cl_channel_options options = {};
    handle_t ns = test_child_namespace("cycle");
    struct ends a, b;
    test_ok(channel_create(ns, ns, &options, &a.first, &a.second), "channel");
    test_ok(channel_create(ns, ns, &options, &b.first, &b.second), "channel");
    test_check(message_send(a.first, "b", 1, &b.second, 1) == OK, "b's end in a");
    test_check(message_send(b.first, "a", 1, &a.second, 1) == OK, "a's end in b");
    close_both((struct ends){a.first, b.first});
    test_check(test_namespace_end(ns) == OK, "both go");
    test_pass("channels queued in each other go with their namespace");
}

// A chain of channels, each in the one before: closing the first closes them all.
static void chain(void) {
    enum { LENGTH = 300 };
    struct cl_ns_info before, after;
    ns_info(test_namespace(), &before);
    struct ends last = channel();
    handle_close(last.first);
    for (unsigned i = 0; i < LENGTH; i++) {
        struct ends next = channel();
        test_check(message_send(next.first, "n", 1, &last.second, 1) == OK, "send");
        handle_close(next.first);
        last = next;
    }
    handle_close(last.second);
    ns_info(test_namespace(), &after);
    test_check(after.objects == before.objects && after.handles == before.handles, "all are gone");
    test_pass("a long chain of channels closes without recursion");
}

// ---- the child ----

static void child(handle_t end) {
    struct cl_received received;
    uint32_t got;
    status_t status = message_receive(end, in, BYTES_MAX, NULL, 0, CL_DEADLINE_NEVER, &received);
    if (status != OK) return;
    uint8_t order = in[0];
    if (received.token == 0 && order == ORDER_CALL_ME) call(end, "please", 6, 1000, LONG_MS, &got);
    if (received.token == 0 && order == ORDER_QUIET) {
        handle_t event;
        message_receive(end, in, BYTES_MAX, &event, 1, CL_DEADLINE_NEVER, &received);
        message_send(end, "got", 3, NULL, 0);
        message_receive(end, in, BYTES_MAX, NULL, 0, CL_DEADLINE_NEVER, &received);
    }
    if (received.token != 0) {
        message_reply(end, received.token, in, received.bytes_size);
        serve(end);
    }
}

void test_run(void) {
    if (test_named("gift")) {
        child(test_named("gift"));
        return;
    }
    sizes();
    too_small();
    budget();
    budget_of_one_end();
    handles_move();
    handles_refused();
    peer_closes();
    calls_thread();
    calls_process();
    call_limits();
    room_goes_back();
    late();
    gone_meanwhile();
    reply_handles();
    killed_caller();
    killed_server();
    cycle();
    chain();
}
