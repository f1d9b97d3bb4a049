// What a call over a channel and its reply cost, between two processes, 8 bytes each way.
#include "cloister.h"
#include "lib/marker.h"
#include "lib/test.h"
#include "lib/twin.h"

enum { REPEATS = 9, MESSAGE_SIZE = 8 };

static struct cl_message message_of(void *bytes) {
    return (struct cl_message){.bytes = (uint64_t)bytes, .bytes_size = MESSAGE_SIZE};
}

static void server(handle_t channel, uint64_t argument) {
    uint64_t request;
    struct cl_received received;
    struct cl_message message = message_of(&request);
    (void)argument;
    status_t status = channel_receive(channel, &message, (uint64_t)&received, 0, CL_DEADLINE_NEVER);
    while (status == OK)
        status = channel_reply_receive(channel, received.token, &message, &message,
                                       (uint64_t)&received, CL_DEADLINE_NEVER);
    process_exit(status == ERR_PEER_CLOSED ? 0 : 1);
}

static void calls_time(handle_t channel) {
    uint64_t request = 1, answer = 0;
    uint32_t bytes_size, handles_count;
    struct cl_message message = message_of(&request), reply = message_of(&answer);
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        MARK(MARKER_CHANNEL_CALL_BEGIN);
        for (int i = 0; i < MARKER_LOOPS; i++)
            channel_call(channel, &message, &reply, CL_DEADLINE_NEVER, &bytes_size, &handles_count);
        MARK(MARKER_CHANNEL_CALL_END);
    }
    test_check(answer == request, "the answer is what was sent");
}

void test_run(void) {
    const struct cl_channel_options options = {.call_bytes_max = MESSAGE_SIZE};
    handle_t client_end, server_end, process;
    test_ok(channel_create(0, 0, &options, &client_end, &server_end), "channel_create");
    test_ok(twin_start(test_namespace(), server, server_end, 0, &process), "twin_start");
    calls_time(client_end);
    test_pass("call and reply between two processes");
}
