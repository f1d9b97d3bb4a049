// One revoker, a thousand copies: a hundred processes hold ten copies each of a memory object's
// handle, map them and have a port watch some. When revoker_revoke returns, no copy does anything
// any more, no mapping is there, no registration is left. `./cloister bench` counts what it costs.
//
// Each process serves its parent over a channel, one call after another.
#include "lib/marker.h"
#include "lib/test.h"
#include "lib/twin.h"

enum {
    PROCESSES = 100,
    SENT = 5,          // copies that the parent makes and sends
    COPIES = 2 * SENT, // with one that is made of each there
    WRITES = 2,        // the first mappings are shared and written to
    WATCHED = 2,       // registrations; an object has at most 256
    PAGE_FAULT = 14,   // the vector: status of a process that ended so
    WAIT_MS = 20000,
};
enum order : uint64_t { ORDER_TAKE, ORDER_CHECK, ORDER_SPIN, ORDER_TOUCH };

// ---- in the processes ----

static handle_t copies[COPIES];
static uint64_t mapped[COPIES];
static handle_t port, scratch;

// Everything that is done with the copies passes. False: something did not.
static bool copies_use(void) {
    uint64_t word = 0;
    for (uint64_t i = 0; i < SENT; i++)
        if (handle_duplicate(copies[i], CL_RIGHTS_SAME, &copies[SENT + i]) != OK) return false;
    for (uint64_t i = 0; i < COPIES; i++) {
        uint32_t flags = i < WRITES ? CL_MAP_READ | CL_MAP_WRITE | CL_MAP_SHARED : CL_MAP_READ;
        if (aspace_map(0, copies[i], 0, 0, CL_PAGE_SIZE, flags, &mapped[i]) != OK ||
            (i < WATCHED && port_register(port, copies[i], SIGNAL_USER0, i, 0) != OK) ||
            memobj_read(copies[i], 0, &word, sizeof(word)) != OK)
            return false;
        word = *(volatile uint64_t *)mapped[i];
    }
    return true;
}

// Nothing is left of them: every use says REVOKED, and nothing is mapped.
static bool copies_are_dead(void) {
    uint64_t word = 0, address;
    handle_t copy, revoker;
    struct cl_object_info info;
    bool is_dead = true;
    for (uint64_t i = 0; i < COPIES; i++)
        is_dead &=
            memobj_read(copies[i], 0, &word, sizeof(word)) == ERR_REVOKED &&
            memobj_write(copies[i], 0, &word, sizeof(word)) == ERR_REVOKED &&
            object_info(copies[i], &info) == ERR_REVOKED &&
            handle_duplicate(copies[i], CL_RIGHTS_SAME, &copy) == ERR_REVOKED &&
            handle_duplicate_revocable(copies[i], CL_RIGHTS_SAME, &copy, &revoker) == ERR_REVOKED &&
            aspace_map(0, copies[i], 0, 0, CL_PAGE_SIZE, CL_MAP_READ, &address) == ERR_REVOKED &&
            port_register(port, copies[i], SIGNAL_USER0, i, 0) == ERR_REVOKED &&
            // What was mapped can't be read by the kernel either, and can't be protected.
            memobj_write(scratch, 0, (const void *)mapped[i], sizeof(word)) == ERR_BAD_POINTER &&
            aspace_protect(0, mapped[i], CL_PAGE_SIZE, CL_MAP_READ) == ERR_NOT_FOUND &&
            port_unregister(port, i) == ERR_NOT_FOUND;
    return is_dead;
}

// Writes for ever, until there is nothing to write to.
static void spin(void) {
    for (uint64_t count = 1;; count++)
        *(volatile uint64_t *)mapped[0] = count;
}

static bool order_do(uint64_t order) {
    switch (order) {
    case ORDER_TAKE: return copies_use();
    case ORDER_CHECK: return copies_are_dead();
    default: return true;
    }
}

// Answers each order with whether all was as it should be.
static void server(handle_t channel, uint64_t ns_unused) {
    uint64_t order = ORDER_CHECK, answer = 0;
    struct cl_received received;
    struct cl_message room = {
        .bytes = (uint64_t)&order,
        .bytes_size = sizeof(order),
        .handles = (uint64_t)copies,
        .handles_count = SENT,
    };
    struct cl_message reply = {.bytes = (uint64_t)&answer, .bytes_size = sizeof(answer)};
    (void)ns_unused;
    if (port_create(0, &port) != OK || memobj_create(0, CL_PAGE_SIZE, &scratch) != OK)
        process_exit(1);
    while (channel_receive(channel, &room, (uint64_t)&received, 0, CL_DEADLINE_NEVER) == OK) {
        answer = order_do(order);
        if (channel_reply(channel, received.token, &reply) != OK) break;
        if (order == ORDER_SPIN) spin();
        if (order == ORDER_TOUCH) (void)*(volatile uint64_t *)mapped[COPIES - 1];
    }
    process_exit(0);
}

// ---- in the parent ----

static handle_t processes[PROCESSES], ends[PROCESSES];

static void processes_start(void) {
    const struct cl_channel_options options = {.call_bytes_max = 8, .call_handles_max = SENT};
    for (uint64_t i = 0; i < PROCESSES; i++) {
        handle_t end;
        test_ok(channel_create(0, 0, &options, &ends[i], &end), "a channel");
        test_ok(twin_start(test_namespace(), server, end, 0, &processes[i]), "a process");
    }
}

// Gives an order with handles, and takes the answer.
static void order_give(uint64_t process, uint64_t order, const handle_t *handles, uint32_t count,
                       const char *text) {
    uint64_t answer = 0;
    uint32_t bytes_size, handles_count;
    struct cl_message message = {
        .bytes = (uint64_t)&order,
        .bytes_size = sizeof(order),
        .handles = (uint64_t)handles,
        .handles_count = count,
    };
    struct cl_message reply = {.bytes = (uint64_t)&answer, .bytes_size = sizeof(answer)};
    test_ok(channel_call(ends[process], &message, &reply, test_deadline(WAIT_MS), &bytes_size,
                         &handles_count),
            "an order is answered");
    test_check(answer != 0, text);
}

static void copies_send(handle_t copy) {
    for (uint64_t i = 0; i < PROCESSES; i++) {
        handle_t sent[SENT];
        for (uint64_t j = 0; j < SENT; j++)
            test_ok(handle_duplicate(copy, CL_RIGHTS_SAME, &sent[j]), "a copy of the copy");
        order_give(i, ORDER_TAKE, sent, SENT, "copies can be used and mapped");
    }
}

static uint32_t handles_of(handle_t object) {
    struct cl_object_info info;
    test_ok(object_info(object, &info), "object_info");
    return info.handles;
}

// It ends by touching what is not mapped.
static void crash_wait(uint64_t process) {
    struct cl_object_info info;
    uint32_t seen;
    test_check(
        object_wait(processes[process], SIGNAL_TERMINATED, 0, test_deadline(WAIT_MS), &seen) == OK,
        "a process that uses its mapping ends");
    test_ok(object_info(processes[process], &info), "object_info");
    test_check(info.detail[0] == CL_PROCESS_STATE_CRASHED && info.detail[1] == PAGE_FAULT,
               "by a page fault");
}

static uint64_t word_of(handle_t memobj) {
    uint64_t word = 0;
    test_ok(memobj_read(memobj, 0, &word, sizeof(word)), "its maker reads it");
    return word;
}

// The first process writes all the while, on another CPU if there is one.
static void revoke(handle_t memobj, handle_t revoker) {
    uint32_t before = handles_of(memobj);
    test_check(before == PROCESSES * COPIES + 2, "a thousand copies and two");
    order_give(0, ORDER_SPIN, nullptr, 0, "one writes");
    MARK(MARKER_REVOCATION_BEGIN);
    status_t status = revoker_revoke(revoker);
    MARK(MARKER_REVOCATION_END);
    uint64_t word = word_of(memobj);
    test_check(status == OK && handles_of(memobj) == 1, "all copies are gone when it returns");
    crash_wait(0);
    test_check(word_of(memobj) == word, "nothing was written after it had returned");
    test_pass("a thousand copies in a hundred processes end with one call");
}

static void all_are_dead(void) {
    for (uint64_t i = 1; i < PROCESSES; i++)
        order_give(i, ORDER_CHECK, nullptr, 0, "each use of a copy is REVOKED, nothing is mapped");
    test_pass("no copy can be used, no mapping read, no registration found");
    for (uint64_t i = 1; i < PROCESSES; i++)
        order_give(i, ORDER_TOUCH, nullptr, 0, "an order");
    for (uint64_t i = 1; i < PROCESSES; i++)
        crash_wait(i);
    test_pass("whoever touches a mapping faults");
}

void test_run(void) {
    handle_t memobj = 0, copy = 0, revoker = 0;
    test_ok(memobj_create(0, CL_PAGE_SIZE, &memobj), "a memory object");
    test_ok(handle_duplicate_revocable(memobj, CL_RIGHTS_SAME, &copy, &revoker), "revocably");
    processes_start();
    copies_send(copy);
    revoke(memobj, revoker);
    all_are_dead();
    for (uint64_t i = 0; i < PROCESSES; i++) {
        handle_close(ends[i]);
        handle_close(processes[i]);
    }
    handle_close(copy);
    handle_close(revoker);
    handle_close(memobj);
}
