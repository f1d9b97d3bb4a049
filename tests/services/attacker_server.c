// A server that two containers share, and what they do to it: `serve` binds a channel as `door` in its
// namespace, and works for each call; `knock` calls it with as many threads as are worth it, for ever;
// `visit` calls it now and then, checks what it answers, and ends. The last two find `door` in their
// own namespaces, when somebody has put it there.
#include "attacker.h"

#include "lib/marker.h"

enum { KNOCKERS = 8, STACK_BYTES = 4096 };
enum : u64 { SERVE_STEPS = 10000, OWN_STEPS = 10000, VISITS = 150, PAUSE_NS = 5'000'000 };

static const char door[] = "door";
static alignas(16) u8 stacks[KNOCKERS][STACK_BYTES];

static u64 worked(u64 state, u64 steps) {
    for (; steps > 0; steps--) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    return state;
}

void door_serve(void) {
    static const struct cl_acl nobody = {};
    handle_t client, server;
    u64 value;
    struct cl_received received;
    if (channel_create(0, 0, &small, &client, &server) != OK) return;
    if (ns_bind(own_ns, door, sizeof(door) - 1, client, &nobody) != OK) return;
    while (message_receive(server, &value, sizeof(value), NULL, 0, CL_DEADLINE_NEVER, &received) ==
           OK) {
        value = worked(value, SERVE_STEPS);
        message_reply(server, received.token, &value, sizeof(value));
    }
}

static handle_t door_open(void) {
    static u32 word;
    handle_t found;
    u64 now_ns = 0;
    while (ns_open(own_ns, door, sizeof(door) - 1, RIGHT_CALL, &found) != OK) {
        clock_get(CL_CLOCK_MONOTONIC, &now_ns);
        futex_wait((u64)&word, 0, 0, now_ns + PAUSE_NS);
    }
    return found;
}

static u64 door_call(handle_t channel, u64 value) {
    u64 answer = 0;
    u32 size, handles;
    struct cl_message message = message_of(&value, sizeof(value), NULL, 0);
    struct cl_message room = message_of(&answer, sizeof(answer), NULL, 0);
    status_t status = channel_call(channel, &message, &room, CL_DEADLINE_NEVER, &size, &handles);
    return status == OK ? answer : 0;
}

static void knock_for_ever(u64 channel) {
    for (;;)
        door_call((handle_t)channel, 1);
}

void door_knock(void) {
    handle_t channel = door_open(), thread;
    for (u32 i = 1; i < KNOCKERS; i++)
        thread_create((u64)knock_for_ever, (u64)stacks[i] + STACK_BYTES - 8, channel, &thread);
    knock_for_ever(channel);
}

void door_visit(void) {
    handle_t channel = door_open();
    u64 wrong = 0;
    MARK(MARKER_VICTIM_BEGIN);
    for (u64 value = 1; value <= VISITS; value++) {
        wrong += door_call(channel, value) != worked(value, SERVE_STEPS);
        wrong += worked(value, OWN_STEPS) == 0;
    }
    MARK(MARKER_VICTIM_END);
    process_exit(wrong != 0);
}
