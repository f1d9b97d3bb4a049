// A client that kills the manager in the middle of its work. It takes the place of the shell in a
// boot bundle. What must come of it: init starts the manager again, the name leads to the new one,
// the containers of the old one are gone and their memory is back, new ones can be started.
#include "cloister.h"

#include "abi/names.h"
#include "lib/log.h"
#include "lib/manager_protocol.h"
#include "lib/message.h"
#include "lib/startup.h"
#include "lib/string.h"

enum : u64 { DEADLINE_NS = 20'000'000'000 };

static struct startup *here;
static handle_t channel;
static u64 deadline_ns;
static char answer[CL_MESSAGE_BYTES_MAX];

[[noreturn]] static void finish(const char *failure, status_t status) {
    if (failure) {
        log_line("TEST manager FAIL %s %s", failure, cl_error_name(status));
    } else {
        log_line("TEST manager PASS a manager that is killed comes again");
    }
    system_poweroff(startup_handle(here, "system"), failure ? 1 : 0);
    process_exit(1);
}

static void check(const char *what, status_t status) {
    if (status != OK) {
        finish(what, status);
    }
}

static status_t call(u32 operation, const char *image, const char *word, handle_t notify) {
    static char bytes[PAGE_SIZE];
    struct manager_request head = {.version = MANAGER_PROTOCOL_VERSION, .operation = operation};
    struct records_writer writer;
    records_begin(&writer, bytes + sizeof(head), sizeof(bytes) - sizeof(head));
    memcpy(bytes, &head, sizeof(head));
    if (image) {
        records_add(&writer, 'i', image);
        records_add(&writer, 'a', word);
        records_add_handle(&writer, "notify", notify);
    }
    u32 reply_bytes, handles_count;
    struct cl_message message =
        message_of(bytes, sizeof(head) + writer.size_bytes, writer.handles, writer.handles_count);
    struct cl_message room = message_of(answer, sizeof(answer), NULL, 0);
    status_t status =
        channel_call(channel, &message, &room, deadline_ns, &reply_bytes, &handles_count);
    const struct manager_reply *reply = (const void *)answer;
    return status == OK && reply->status != 0 ? ERR_BAD_STATE : status;
}

static void channel_open(void) {
    handle_t names = startup_handle(here, "names:manager");
    check("no channel", ns_open(names, "channel", 7, RIGHT_CALL | RIGHT_WAIT, &channel));
}

// Runs a container to its end. The manager's process, as the end's sender.
static u64 container_run(const char *word) {
    struct cl_channel_options options = {};
    struct manager_end end;
    struct cl_received received;
    handle_t ours, theirs;
    check("no notify channel", channel_create(0, 0, &options, &ours, &theirs));
    check("run", call(MANAGER_RUN, "busybox", word, theirs));
    check("no end", message_receive(ours, &end, sizeof(end), NULL, 0, deadline_ns, &received));
    handle_close(ours);
    return received.sender_process;
}

static void manager_kill(u64 koid) {
    u32 observed;
    handle_t process;
    check("the manager's process",
          ns_open_koid(startup_handle(here, "owner:services"), koid, &process));
    check("kill", process_kill(process));
    check("its end", object_wait(process, SIGNAL_TERMINATED, 0, deadline_ns, &observed));
    check("the channel's end", object_wait(channel, SIGNAL_PEER_CLOSED, 0, deadline_ns, &observed));
    handle_close(process);
    handle_close(channel);
}

// init needs a moment; the name leads to the dead channel, or nowhere, until then.
static void manager_await(void) {
    handle_t names = startup_handle(here, "names:manager");
    for (;;) {
        u64 now_ns = 0;
        status_t status = ns_open(names, "channel", 7, RIGHT_CALL | RIGHT_WAIT, &channel);
        if (status == OK && call(MANAGER_LIST, NULL, NULL, 0) == OK) return;
        if (status == OK) handle_close(channel);
        clock_get(CL_CLOCK_MONOTONIC, &now_ns);
        if (now_ns > deadline_ns) finish("the manager does not come again", ERR_TIMED_OUT);
        thread_yield();
    }
}

static void containers_await_none(void) {
    handle_t ledger = startup_handle(here, "ledger:/containers");
    struct cl_ns_info info;
    u64 now_ns = 0;
    do {
        check("ledger", ns_info(ledger, &info));
        clock_get(CL_CLOCK_MONOTONIC, &now_ns);
        thread_yield();
    } while (info.children > 0 && now_ns < deadline_ns);
    if (info.children > 0 || info.memory_children_pages > 0) {
        finish("a container of the old manager is still there", ERR_TIMED_OUT);
    }
}

int main(struct startup *startup) {
    here = startup;
    clock_get(CL_CLOCK_MONOTONIC, &deadline_ns);
    deadline_ns += DEADLINE_NS;
    channel_open();
    for (u32 round = 0; round < 5; round++) {
        u64 koid = container_run("exit");
        check("run -d", call(MANAGER_RUN, "busybox", "hang", 0));
        check("run -d", call(MANAGER_RUN, "busybox", "hang", 0));
        manager_kill(koid);
        manager_await();
        containers_await_none();
    }
    container_run("exit");
    finish(NULL, OK);
}
