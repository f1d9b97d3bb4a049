// Queues: many senders, many receivers, limits.
#include "lib/message.h"
#include "lib/string.h"
#include "lib/test.h"
#include "lib/threads.h"

enum : uint32_t { LONG_MS = 20000, ROOM = 4096 };

static uint8_t in[ROOM];

static status_t send(handle_t queue, const void *bytes, uint32_t size) {
    struct cl_message message = message_of(bytes, size, NULL, 0);
    return channel_send(queue, &message);
}

static status_t receive(handle_t queue, void *bytes, uint32_t room, uint64_t deadline_ns,
                        struct cl_received *received) {
    struct cl_message message = message_of(bytes, room, NULL, 0);
    return channel_receive(queue, &message, (uint64_t)received, 0, deadline_ns);
}

static uint32_t signals_of(handle_t handle) {
    struct cl_object_info info;
    return object_info(handle, &info) == OK ? info.signals : 0;
}

static void limits(void) {
    handle_t queue = 0;
    struct cl_received received;
    test_ok(queue_create(0, 3, ROOM, &queue), "queue");
    test_check(send(queue, in, ROOM) == ERR_TOO_BIG, "larger than the mailbox");
    for (int i = 0; i < 3; i++)
        test_check(send(queue, &"abc"[i], 1) == OK, "send");
    test_check(send(queue, "d", 1) == ERR_SHOULD_WAIT, "too many messages");
    test_check(signals_of(queue) == SIGNAL_READABLE, "READABLE, not WRITABLE");
    test_check(receive(queue, in, 0, 0, &received) == ERR_BUFFER_TOO_SMALL &&
                   received.bytes_size == 1,
               "no room");
    for (int i = 0; i < 3; i++)
        test_check(receive(queue, in, ROOM, 0, &received) == OK && in[0] == 'a' + i, "in order");
    test_check(receive(queue, in, ROOM, 0, &received) == ERR_SHOULD_WAIT, "empty");
    test_check(signals_of(queue) == SIGNAL_WRITABLE, "WRITABLE, not READABLE");
    test_check(send(queue, in, 3000) == OK && send(queue, in, 3000) == ERR_SHOULD_WAIT, "bytes");
    handle_close(queue);
    test_pass("a mailbox has its limits and keeps the order");
}

static void handles(void) {
    handle_t queue = 0, event = 0, got = 0;
    struct cl_received received;
    test_ok(queue_create(0, 3, ROOM, &queue), "queue");
    test_ok(event_create(0, &event), "event");
    struct cl_message self = message_of("q", 1, &queue, 1), message = message_of("e", 1, &event, 1);
    test_check(channel_send(queue, &self) == ERR_INVALID_ARGUMENT, "not itself");
    test_check(channel_send(queue, &message) == OK, "send");
    struct cl_message room = message_of(in, ROOM, &got, 1);
    test_check(channel_receive(queue, &room, (uint64_t)&received, 0, 0) == OK && got != 0,
               "receive");
    test_check(event_signal(got, 0, SIGNAL_USER0) == OK, "it works");
    message = message_of("e", 1, &got, 1);
    test_check(channel_send(queue, &message) == OK, "send");
    handle_close(queue);
    test_pass("handles go through a mailbox, and with it");
}

enum { SENDERS = 3, RECEIVERS = 2, EACH = 300 };
static handle_t shared;
static uint64_t sum;
static uint32_t received_count;

static void sender(uint64_t number) {
    for (uint64_t i = 0; i < EACH; i++) {
        uint64_t value = number * EACH + i;
        uint32_t observed;
        while (send(shared, &value, sizeof(value)) == ERR_SHOULD_WAIT)
            object_wait(shared, SIGNAL_WRITABLE, 0, test_deadline(LONG_MS), &observed);
    }
}

static void receiver(uint64_t number) {
    (void)number;
    struct cl_received received;
    uint64_t value;
    while (receive(shared, &value, sizeof(value), test_deadline(LONG_MS), &received) == OK &&
           received.bytes_size == sizeof(value)) {
        __atomic_fetch_add(&sum, value, __ATOMIC_RELAXED);
        __atomic_fetch_add(&received_count, 1, __ATOMIC_RELAXED);
    }
}

static void crowd(void) {
    handle_t senders[SENDERS], receivers[RECEIVERS];
    test_ok(queue_create(0, 8, ROOM, &shared), "queue");
    for (uint64_t i = 0; i < RECEIVERS; i++)
        receivers[i] = test_thread(receiver, i);
    for (uint64_t i = 0; i < SENDERS; i++)
        senders[i] = test_thread(sender, i);
    for (int i = 0; i < SENDERS; i++)
        test_thread_join(senders[i]);
    for (int i = 0; i < RECEIVERS; i++) // an empty message ends one
        while (send(shared, "", 0) == ERR_SHOULD_WAIT)
            thread_yield();
    for (int i = 0; i < RECEIVERS; i++)
        test_thread_join(receivers[i]);
    uint64_t count = SENDERS * EACH;
    test_check(received_count == count && sum == count * (count - 1) / 2, "each message once");
    handle_close(shared);
    test_pass("many send, many receive, nothing is lost or doubled");
}

void test_run(void) {
    limits();
    handles();
    crowd();
}
