// Killing: namespaces and processes that are in the middle of everything come to their end, and
// whoever killed them has what it had before. The seed is printed; `seed=N` on the kernel's command
// line repeats it (as far as two processors can be repeated), `rounds=N` makes it longer.
#include "victim.h"

#include "lib/format.h"
#include "lib/message.h"
#include "lib/string.h"
#include "threads.h"
#include "twin.h"

enum { ROUNDS = 65, PROCESS_ROUNDS = 21, WARM_UP = ACTION_COUNT, FIGURES = 8 };
enum : uint64_t {
    END_MS = 20000,
    SETTLE_MS = 1000,
    WARM_UP_MS = 5,
    LIFE_US_MAX = 6000,
    BYTES_MAX = 9000
};

static uint64_t random_state;
static handle_t service[2]; // the victims' server: our end, theirs
static handle_t template;
static handle_t caller_end; // what the caller calls on; 0: nothing
static uint8_t service_bytes[BYTES_MAX], caller_bytes[BYTES_MAX];

static uint64_t below(uint64_t limit) { return random_next(&random_state) % limit; }

static uint64_t now_ns(void) {
    uint64_t now = 0;
    clock_get(CL_CLOCK_MONOTONIC, &now);
    return now;
}

static void pause_until(uint64_t deadline_ns) {
    static const uint32_t word = 0;
    futex_wait((uint64_t)&word, word, 0, deadline_ns);
}

// ---- those outside ----

// Answers every call with what came.
static void server(uint64_t end) {
    struct cl_received received = {};
    handle_t handles[4];
    for (;;) {
        status_t status = message_receive((handle_t)end, service_bytes, BYTES_MAX, handles, 4,
                                          CL_DEADLINE_NEVER, &received);
        if (status == ERR_PEER_CLOSED || status == ERR_DEAD) return;
        if (status != OK) continue;
        struct cl_message reply =
            message_of(service_bytes, received.bytes_size, handles, received.handles_count);
        if (channel_reply((handle_t)end, received.token, &reply) != OK)
            for (uint32_t i = 0; i < received.handles_count; i++)
                handle_close(handles[i]);
    }
}

// Calls whoever is on the other end until it goes.
static void caller(uint64_t unused) {
    (void)unused;
    for (;;) {
        uint32_t end = __atomic_load_n(&caller_end, __ATOMIC_ACQUIRE), got, count;
        if (end == UINT32_MAX) return;
        if (end == 0) {
            futex_wait((uint64_t)&caller_end, 0, 0, CL_DEADLINE_NEVER);
            continue;
        }
        struct cl_message message = message_of(caller_bytes, 5000, NULL, 0);
        struct cl_message reply = message_of(caller_bytes, BYTES_MAX, NULL, 0);
        status_t status = channel_call(end, &message, &reply, test_deadline(END_MS), &got, &count);
        if (status == OK) continue;
        test_check(status == ERR_PEER_CLOSED, "a call to the dead ends with PEER_CLOSED");
        handle_close(end);
        __atomic_store_n(&caller_end, 0, __ATOMIC_RELEASE);
    }
}

static void caller_give(handle_t end) {
    uint32_t woken;
    __atomic_store_n(&caller_end, end, __ATOMIC_RELEASE);
    futex_wake((uint64_t)&caller_end, 1, &woken);
}

// ---- the ledger ----

struct figures {
    uint64_t of[FIGURES];
};
static const char *const figure_names[FIGURES] = {
    "objects", "handles", "threads", "names", "timers", "message bytes", "pages", "children"};

static struct figures figures_of(handle_t ns) {
    struct cl_ns_info info = {};
    ns_info(ns, &info);
    return (struct figures){{info.objects, info.handles, info.threads, info.names, info.timers,
                             info.message_bytes,
                             info.memory_used_pages + info.memory_children_pages, info.children}};
}

// What ends on another processor is counted a moment later.
static bool figures_return(handle_t ns, const struct figures *before, uint64_t limit_ms) {
    uint64_t limit = test_deadline(limit_ms);
    struct figures after = figures_of(ns);
    while (memcmp(before, &after, sizeof(after)) != 0 && now_ns() < limit) {
        pause_until(now_ns() + 200'000);
        after = figures_of(ns);
    }
    for (uint32_t i = 0; i < FIGURES && limit_ms == SETTLE_MS; i++)
        if (before->of[i] != after.of[i])
            test_printf("%s: %lu before, %lu after", figure_names[i], before->of[i], after.of[i]);
    return memcmp(before, &after, sizeof(after)) == 0;
}

// The first rounds make the test's own tables grow.
static bool round_settled(handle_t ns, const struct figures *before, uint32_t round,
                          uint32_t warm_up) {
    if (round >= warm_up) return figures_return(ns, before, SETTLE_MS);
    (void)figures_return(ns, before, WARM_UP_MS);
    return true;
}

// ---- a round ----

struct victim {
    handle_t ns, process, control;
    uint32_t actions[2];
};

static void victim_start(struct victim *victim) {
    struct cl_channel_options options = {};
    handle_t gifts[GIFT_COUNT] = {}, serve[2], bootstrap;
    test_ok(channel_create(0, 0, &options, &victim->control, &bootstrap), "control channel");
    test_ok(channel_create(0, 0, &options, &serve[0], &serve[1]), "channel to serve");
    handle_duplicate(victim->ns, CL_RIGHTS_SAME, &gifts[GIFT_NS]);
    handle_duplicate(service[1], CL_RIGHTS_SAME, &gifts[GIFT_CLIENT]);
    handle_duplicate(template, CL_RIGHTS_SAME, &gifts[GIFT_TEMPLATE]);
    gifts[GIFT_SERVER] = serve[1];
    uint64_t plan = victim->actions[0] | victim->actions[1] << 8 | random_next(&random_state) << 16;
    test_ok(message_send(victim->control, "", 1, gifts, GIFT_COUNT), "gifts");
    test_ok(twin_start(victim->ns, victim_main, bootstrap, plan, &victim->process), "victim");
    caller_give(serve[0]);
}

// Lets it work for a while; now and then it is killed before it has begun.
static void victim_let_live(const struct victim *victim) {
    struct cl_received received;
    char text[2];
    if (below(8) != 0)
        message_receive(victim->control, text, 2, NULL, 0, test_deadline(END_MS), &received);
    pause_until(now_ns() + below(LIFE_US_MAX) * 1000);
}

static void victim_end(struct victim *victim) {
    handle_close(victim->process);
    handle_close(victim->control);
    uint64_t limit = now_ns() + END_MS * 1'000'000;
    while (__atomic_load_n(&caller_end, __ATOMIC_ACQUIRE) != 0 && now_ns() < limit)
        thread_yield();
    test_check(caller_end == 0, "the caller of a dead server is told");
}

static void round_print(const char *what, uint32_t round, const struct victim *victim) {
    test_printf("%s, round %u: %s and %s", what, round, action_name(victim->actions[0]),
                action_name(victim->actions[1]));
}

static bool namespace_round(uint32_t round) {
    uint32_t seen = 0;
    struct victim victim = {.actions = {round % ACTION_COUNT, (uint32_t)below(ACTION_COUNT)}};
    struct figures before = figures_of(test_namespace());
    victim.ns = test_child_namespace("victim");
    victim_start(&victim);
    victim_let_live(&victim);
    test_check(ns_kill(victim.ns) == OK, "kill");
    if (below(4) == 0) process_kill(victim.process);
    if (below(4) == 0) test_check(ns_kill(victim.ns) == OK, "kill again");
    bool is_good = object_wait(victim.ns, SIGNAL_TERMINATED, 0, test_deadline(END_MS), &seen) == OK;
    test_check(is_good, "a killed namespace ends");
    if (!is_good) {
        struct figures left = figures_of(victim.ns);
        for (uint32_t i = 0; i < FIGURES; i++)
            test_printf("left: %lu %s", left.of[i], figure_names[i]);
    }
    handle_close(victim.ns);
    victim_end(&victim);
    bool is_settled = round_settled(test_namespace(), &before, round, WARM_UP);
    if (!is_settled) {
        test_fail("the ledger is as before");
        is_good = false;
    }
    if (!is_good) round_print("namespace", round, &victim);
    return is_good;
}

static bool process_round(handle_t ns, uint32_t round) {
    uint32_t seen = 0;
    uint32_t kinds = ACTION_ALONE_LAST + 1;
    struct victim victim = {.ns = ns, .actions = {round % kinds, (uint32_t)below(kinds)}};
    struct figures before = figures_of(test_namespace()), before_there = figures_of(ns);
    victim_start(&victim);
    victim_let_live(&victim);
    test_check(process_kill(victim.process) == OK, "kill");
    bool is_good =
        object_wait(victim.process, SIGNAL_TERMINATED, 0, test_deadline(END_MS), &seen) == OK;
    test_check(is_good, "a killed process ends");
    victim_end(&victim);
    bool is_settled = round_settled(test_namespace(), &before, round, kinds) &&
                      figures_return(ns, &before_there, SETTLE_MS);
    if (!is_settled) {
        test_fail("the ledgers are as before");
        is_good = false;
    }
    if (!is_good) round_print("process", round, &victim);
    return is_good;
}

// ---- the test ----

static uint64_t option(const char *key, uint64_t otherwise) {
    const char *text = test_option(key);
    if (!text) return otherwise;
    uint64_t value = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (uint64_t)(*text - '0');
    return value;
}

static void begin(void) {
    uint32_t seen;
    uint64_t seed = 0;
    struct cl_channel_options options = {};
    random_get(&seed, sizeof(seed));
    seed = option("seed", seed >> 32);
    random_state = seed * 2 + 1;
    test_printf("kill: seed=%lu", seed);
    memset(caller_bytes, 1, sizeof(caller_bytes));
    memset(service_bytes, 1, sizeof(service_bytes));
    test_ok(channel_create(0, 0, &options, &service[0], &service[1]), "service");
    test_ok(twin_start(test_namespace(), template_main, 0, 0, &template), "template");
    test_check(object_wait(template, SIGNAL_FROZEN, 0, test_deadline(END_MS), &seen) == OK,
               "frozen");
}

void test_run(void) {
    begin();
    handle_t threads[] = {test_thread(server, service[0]), test_thread(server, service[0]),
                          test_thread(caller, 0)};
    bool is_good = true;
    uint64_t rounds = option("rounds", ROUNDS);
    for (uint32_t round = 0; is_good && round < rounds; round++)
        is_good = namespace_round(round);
    test_pass("namespaces killed at any moment end and leave nothing");
    handle_t ns = test_child_namespace("host");
    for (uint32_t round = 0; is_good && round < PROCESS_ROUNDS; round++)
        is_good = process_round(ns, round);
    test_check(test_namespace_end(ns) == OK, "their namespace ends");
    test_pass("processes killed at any moment end and leave nothing");
    handle_close(service[1]);
    caller_give(UINT32_MAX);
    for (uint32_t i = 0; i < 3; i++)
        test_thread_join(threads[i]);
}
