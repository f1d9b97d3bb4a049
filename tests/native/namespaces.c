// Namespaces: names, ceilings, access lists, the root rule, nesting, limits, death.
#include "lib/test.h"
#include "lib/threads.h"

#define NAME(text) text, sizeof(text) - 1

static const struct cl_acl nobody;

static struct cl_ns_limits limits_same(void) {
    struct cl_ns_limits limits;
    for (unsigned i = 0; i < sizeof(limits) / sizeof(uint64_t); i++)
        ((uint64_t *)&limits)[i] = CL_LIMIT_SAME;
    return limits;
}

static handle_t create_in(handle_t parent, const char *name, uint32_t size) {
    struct cl_ns_limits limits = limits_same();
    handle_t child = 0;
    test_ok(ns_create(parent, name, size, &limits, &child), "a namespace can be made");
    return child;
}

static void kill_and_wait(handle_t ns) {
    uint32_t seen;
    test_ok(ns_kill(ns), "kill");
    test_check(object_wait(ns, SIGNAL_TERMINATED, 0, test_deadline(10000), &seen) == OK,
               "a killed namespace comes to its end");
    handle_close(ns);
}

static void names(void) {
    handle_t ns = create_in(test_namespace(), NAME("names"));
    handle_t event = 0, weak = 0, opened = 0;
    test_ok(event_create(0, &event), "event");
    test_ok(handle_duplicate(event, RIGHT_DUPLICATE | RIGHT_SIGNAL | RIGHT_WAIT, &weak), "weak");
    test_check(ns_bind(ns, NAME("a/b"), weak, &nobody) == OK, "bind");
    test_check(ns_bind(ns, NAME("a/b"), weak, &nobody) == ERR_ALREADY_EXISTS, "taken");
    test_check(ns_bind(ns, NAME("a"), weak, &nobody) == ERR_ALREADY_EXISTS, "a prefix is no name");
    test_check(ns_bind(ns, NAME("a/b/c"), weak, &nobody) == ERR_ALREADY_EXISTS, "nor a name one");
    test_check(ns_bind(ns, NAME("a/../b"), weak, &nobody) == ERR_INVALID_ARGUMENT, "no ..");
    test_check(ns_bind(ns, NAME("/a"), weak, &nobody) == ERR_INVALID_ARGUMENT, "nothing absolute");
    test_check(ns_open(ns, NAME("a/b"), RIGHT_SIGNAL, &opened) == OK, "open");
    test_check(event_signal(opened, 0, SIGNAL_USER1) == OK, "what was opened works");
    handle_close(opened);
    test_check(ns_open(ns, NAME("a/b"), RIGHT_TRANSFER, &opened) == ERR_ACCESS_DENIED,
               "the ceiling holds for OWNER too");
    test_check(ns_open(ns, NAME("a"), RIGHT_SIGNAL, &opened) == ERR_NOT_FOUND, "no such name");
    test_check(ns_unbind(ns, NAME("a/b")) == OK && ns_unbind(ns, NAME("a/b")) == ERR_NOT_FOUND,
               "unbind");
    handle_close(weak);
    handle_close(event);
    kill_and_wait(ns);
    test_pass("names resolve downwards, up to their ceiling");
}

static void access_lists(void) {
    handle_t ns = create_in(test_namespace(), NAME("access"));
    handle_t event = 0, as_7 = 0, as_8 = 0, opened = 0;
    struct cl_acl access = {.count = 1, .everyone = RIGHT_WAIT};
    access.users[0] = 7;
    access.rights[0] = RIGHT_WAIT | RIGHT_SIGNAL;
    test_ok(event_create(0, &event), "event");
    test_ok(ns_bind(ns, NAME("thing"), event, &access), "bind");
    test_ok(ns_handle_for_user(ns, 7, RIGHT_OPEN | RIGHT_DUPLICATE, &as_7), "user 7");
    test_ok(ns_handle_for_user(ns, 8, RIGHT_OPEN, &as_8), "user 8");
    test_check(ns_open(as_7, NAME("thing"), RIGHT_SIGNAL, &opened) == OK, "7 is on the list");
    handle_close(opened);
    test_check(ns_open(as_8, NAME("thing"), RIGHT_SIGNAL, &opened) == ERR_ACCESS_DENIED,
               "8 is not");
    test_check(ns_open(as_8, NAME("thing"), RIGHT_WAIT, &opened) == OK, "everyone may wait");
    handle_close(opened);
    handle_t no_owner = 0;
    test_check(ns_handle_for_user(as_7, 9, RIGHT_OPEN, &no_owner) == ERR_ACCESS_DENIED,
               "only OWNER sets users");
    test_check(ns_handle_for_user(ns, 9, RIGHT_OWNER, &no_owner) == ERR_INVALID_ARGUMENT,
               "and never gives OWNER on");
    handle_close(as_7);
    handle_close(as_8);
    handle_close(event);
    kill_and_wait(ns);
    test_pass("users get what the access list gives them");
}

static handle_t changing; // a handle of user 7 on the namespace
static uint32_t stop, opens, missed;

static void open_again_and_again(uint64_t) {
    handle_t opened;
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        status_t status = ns_open(changing, NAME("thing"), RIGHT_WAIT, &opened);
        if (status == OK) handle_close(opened);
        if (status != OK && status != ERR_ACCESS_DENIED) missed++;
        __atomic_fetch_add(&opens, 1, __ATOMIC_RELEASE);
    }
}

static void access_list_changes(void) {
    enum : uint32_t { OPENS = 2000 };
    handle_t ns = create_in(test_namespace(), NAME("changes")), event = 0, weak = 0, opened = 0;
    struct cl_acl open_to_all = {.everyone = RIGHT_WAIT};
    test_ok(event_create(0, &event), "event");
    test_ok(ns_bind(ns, NAME("thing"), event, &nobody), "bind");
    test_ok(ns_handle_for_user(ns, 7, RIGHT_OPEN | RIGHT_BIND, &changing), "user 7");
    test_check(ns_set_access(changing, NAME("thing"), &open_to_all) == ERR_ACCESS_DENIED,
               "BIND alone gives nobody more");
    test_check(ns_set_access(ns, NAME("other"), &nobody) == ERR_NOT_FOUND, "no such name");
    weak = create_in(ns, NAME("below"));
    test_check(ns_set_access(ns, NAME("below"), &nobody) == ERR_ACCESS_DENIED, "a child has none");
    handle_close(weak);
    handle_t thread = test_thread(open_again_and_again, 0);
    for (uint32_t i = 0; __atomic_load_n(&opens, __ATOMIC_ACQUIRE) < OPENS; i++)
        test_ok(ns_set_access(ns, NAME("thing"), i % 2 ? &nobody : &open_to_all), "set");
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    test_thread_join(thread);
    test_check(missed == 0, "the name is there all the time");
    test_ok(ns_set_access(ns, NAME("thing"), &open_to_all), "open");
    test_check(ns_open(changing, NAME("thing"), RIGHT_WAIT, &opened) == OK, "opened");
    test_ok(ns_set_access(ns, NAME("thing"), &nobody), "closed");
    test_check(event_signal(opened, 0, 0) == ERR_ACCESS_DENIED &&
                   ns_open(changing, NAME("thing"), RIGHT_WAIT, &weak) == ERR_ACCESS_DENIED,
               "what was opened stays, and no more is opened");
    handle_close(opened);
    handle_close(changing);
    handle_close(event);
    kill_and_wait(ns);
    test_pass("an access list changes in one step");
}

// ---- lists of names ----

enum : uint32_t { MANY = 16000, FEW = 500, TIMES_MAX = 256 };

static uint32_t number_name(char text[8], uint32_t number) {
    for (uint32_t i = 0; i < 5; i++, number /= 10)
        text[4 - i] = (char)('0' + number % 10);
    return 5;
}

static uint32_t name_number(const struct cl_ns_entry *entry) {
    uint32_t number = 0;
    for (uint32_t i = 0; i < entry->name_size; i++)
        number = number * 10 + (uint32_t)(entry->name[i] - '0');
    return number;
}

static uint64_t min_of(uint64_t a, uint64_t b) { return a < b ? a : b; }

static handle_t namespace_with(uint32_t count, handle_t event) {
    struct cl_ns_limits limits = limits_same();
    char text[8];
    handle_t ns = 0;
    limits.names = MANY + 2;
    test_ok(ns_set_limits(test_namespace(), &limits), "limits");
    limits.names = MANY + 1;
    test_ok(ns_create(test_namespace(), NAME("many"), &limits, &ns), "a namespace");
    for (uint32_t i = 0; i < count; i++)
        test_ok(ns_bind(ns, text, number_name(text, i), event, &nobody), "a name");
    return ns;
}

static uint64_t list_all_ns(handle_t ns, uint32_t expected) {
    struct cl_ns_entry entry;
    uint64_t position = 0, start_ns, end_ns;
    uint32_t found = 0, in_order = 0;
    test_ok(clock_get(CL_CLOCK_MONOTONIC, &start_ns), "clock");
    for (; ns_list(ns, position, &entry, &position) == OK; found++)
        in_order += name_number(&entry) == found;
    test_ok(clock_get(CL_CLOCK_MONOTONIC, &end_ns), "clock");
    test_check(found == expected && in_order == expected, "each name once, in order");
    return end_ns - start_ns;
}

// What is linear takes 32 times as long, what is quadratic 1000 times and more.
static void many_are_listed(handle_t event) {
    uint64_t few_ns = ~0ul, many_ns = ~0ul;
    handle_t ns = namespace_with(FEW, event);
    for (int i = 0; i < 3; i++)
        few_ns = min_of(few_ns, list_all_ns(ns, FEW));
    kill_and_wait(ns);
    ns = namespace_with(MANY, event);
    for (int i = 0; i < 10 && many_ns > TIMES_MAX * few_ns; i++)
        many_ns = min_of(many_ns, list_all_ns(ns, MANY));
    test_check(many_ns <= TIMES_MAX * few_ns, "a list is as long to read as it is");
    kill_and_wait(ns);
    test_pass("thousands of names are listed one after the other");
}

// The name just listed is taken away, and every other one; each two steps one is made.
static void names_come_and_go(handle_t event) {
    enum : uint32_t { COUNT = 600 };
    handle_t ns = namespace_with(COUNT, event);
    struct cl_ns_entry entry;
    uint64_t position = 0, before, end;
    uint32_t seen = 0, wrong = 0;
    char text[8];
    for (; ns_list(ns, position, &entry, &position) == OK; seen++) {
        uint32_t number = name_number(&entry);
        wrong += number != 2 * seen;
        ns_unbind(ns, text, number_name(text, number));
        ns_unbind(ns, text, number_name(text, number + 1));
        if (number % 4 == 0) ns_bind(ns, text, number_name(text, 9999), event, &nobody);
        if (number % 4 == 0) ns_unbind(ns, text, number_name(text, 9999));
    }
    test_check(seen == COUNT / 2 && wrong == 0, "each that is there when its turn comes, once");
    for (uint32_t i = 0; i < 4; i++)
        test_ok(ns_bind(ns, text, number_name(text, i), event, &nobody), "a name");
    test_check(ns_list(ns, position, &entry, &before) == OK && name_number(&entry) == 0, "first");
    test_check(ns_list(ns, before, &entry, &end) == OK && name_number(&entry) == 1, "second");
    test_check(ns_list(ns, position, &entry, &end) == OK && name_number(&entry) == 0, "back");
    for (uint32_t i = 0; i < 4; i++)
        ns_unbind(ns, text, number_name(text, i));
    test_check(ns_list(ns, before, &entry, &end) == ERR_NOT_FOUND, "none is left");
    kill_and_wait(ns);
    test_pass("a list can be read while names come and go");
}

// A name is no reason for the dead to stay.
static void name_of_the_dead(void) {
    handle_t names = create_in(test_namespace(), NAME("names"));
    handle_t mortal = create_in(test_namespace(), NAME("mortal"));
    handle_t event = 0, opened = 0;
    test_ok(event_create(mortal, &event), "event");
    test_ok(ns_bind(names, NAME("thing"), event, &nobody), "bind");
    handle_close(event);
    kill_and_wait(mortal);
    test_check(ns_open(names, NAME("thing"), RIGHT_SIGNAL, &opened) == ERR_DEAD,
               "the name of a dead object answers DEAD");
    test_check(ns_unbind(names, NAME("thing")) == OK, "and can be taken away");
    kill_and_wait(names);
    test_pass("a name does not keep what it names");
}

static void root_rule(void) {
    handle_t above = create_in(test_namespace(), NAME("above"));
    handle_t below = create_in(above, NAME("below"));
    handle_t beside = create_in(test_namespace(), NAME("beside"));
    handle_t event = 0, opened = 0, plain = 0;
    test_ok(event_create(below, &event), "event below");
    test_ok(ns_bind(below, NAME("thing"), event, &nobody), "bind");
    struct cl_object_info info;
    test_ok(object_info(event, &info), "info");
    test_check(ns_open(above, NAME("below/thing"), RIGHT_SIGNAL, &opened) == OK,
               "OWNER opens names below");
    handle_close(opened);
    test_check(ns_open_koid(above, info.koid, &opened) == OK, "and objects charged below");
    handle_close(opened);
    test_check(ns_open_koid(beside, info.koid, &opened) == ERR_NOT_FOUND, "but none beside");
    test_ok(handle_duplicate(above, RIGHT_OPEN | RIGHT_LIST, &plain), "without OWNER");
    test_check(ns_open(plain, NAME("below/thing"), RIGHT_SIGNAL, &opened) == ERR_ACCESS_DENIED,
               "without OWNER no child is entered");
    test_check(ns_open_koid(plain, info.koid, &opened) == ERR_ACCESS_DENIED, "nor koids opened");
    handle_close(plain);
    handle_close(event);
    handle_close(below);
    kill_and_wait(beside);
    kill_and_wait(above);
    test_pass("the root rule says everything below and nothing beside");
}

static void limits(void) {
    struct cl_ns_limits small = limits_same();
    small.memory_pages = 64;
    handle_t ns = 0, memory = 0;
    test_ok(ns_create(test_namespace(), NAME("small"), &small, &ns), "small");
    test_ok(memobj_create(ns, 1 << 20, &memory), "a large object costs nothing yet");
    uint8_t byte = 1;
    status_t status = OK;
    uint64_t written = 0;
    while (status == OK && written < 200)
        status = memobj_write(memory, written++ * 4096, &byte, 1);
    test_check(status == ERR_NO_RESOURCES && written <= 64, "the limit refuses its pages");
    small.memory_pages = 256;
    test_check(ns_set_limits(ns, &small) == OK, "limits can be changed");
    test_check(memobj_write(memory, written * 4096, &byte, 1) == OK, "then there is more");
    small.memory_reserved_pages = 1ul << 40;
    test_check(ns_set_limits(ns, &small) == ERR_NO_RESOURCES, "nobody reserves what is not there");
    handle_close(memory);
    kill_and_wait(ns);
    test_pass("a namespace uses what its limit allows");
}

// What has to be walked through or runs in interrupts is bounded for all below together.
static void limits_of_all_below(void) {
    enum : uint32_t { MOST = 20 };
    struct cl_ns_limits limits = limits_same();
    handle_t top = 0, below = 0, timers[MOST], more = 0;
    uint32_t names = 0, timers_made = 0;
    struct cl_ns_info info;
    char text[8];
    limits.names = limits.timers = MOST;
    test_ok(ns_create(test_namespace(), NAME("top"), &limits, &top), "top");
    limits.names = limits.timers = 1000;
    test_ok(ns_create(top, NAME("below"), &limits, &below), "its own child's limit is wider");
    handle_t event = 0;
    test_ok(event_create(top, &event), "event");
    while (names <= MOST && ns_bind(below, text, number_name(text, names), event, &nobody) == OK)
        names++;
    test_check(names == MOST - 1, "its name and those in it are the limit above");
    test_check(ns_create(below, NAME("no"), &limits, &more) == ERR_NO_RESOURCES, "no namespaces");
    while (timers_made < MOST && timer_create(below, &timers[timers_made]) == OK)
        timers_made++;
    test_check(timers_made == MOST && timer_create(top, &more) == ERR_NO_RESOURCES, "nor timers");
    test_ok(ns_info(top, &info), "info");
    test_check(info.names == MOST && info.timers == MOST, "they are told, too");
    handle_close(timers[0]);
    ns_unbind(below, text, number_name(text, 0));
    test_check(timer_create(top, &timers[0]) == OK &&
                   ns_bind(top, NAME("other"), event, &nobody) == OK,
               "what goes below makes room");
    for (uint32_t i = 0; i < timers_made; i++)
        handle_close(timers[i]);
    kill_and_wait(below);
    test_ok(ns_info(top, &info), "info");
    test_check(info.names == 1 && info.timers == 0, "all that the dead had is back");
    handle_close(event);
    kill_and_wait(top);
    test_pass("names and timers are limited for all below together");
}

static void nested_death(void) {
    struct cl_ns_info before, after;
    test_ok(ns_info(test_namespace(), &before), "info");
    handle_t top = create_in(test_namespace(), NAME("top"));
    handle_t ns = top, levels[8];
    for (int i = 0; i < 8; i++) {
        handle_t memory = 0;
        uint8_t byte = 1;
        levels[i] = create_in(ns, NAME("level"));
        ns = levels[i];
        test_ok(memobj_create(ns, 1 << 20, &memory), "memory");
        for (int page = 0; page < 20; page++)
            test_ok(memobj_write(memory, (uint64_t)page * 4096, &byte, 1), "write");
        handle_close(memory);
    }
    struct cl_ns_limits same = limits_same();
    handle_t none = 0;
    kill_and_wait(top);
    for (int i = 0; i < 8; i++) {
        test_check(ns_create(levels[i], NAME("new"), &same, &none) == ERR_DEAD,
                   "what lay below is dead");
        handle_close(levels[i]);
    }
    test_ok(ns_info(test_namespace(), &after), "info");
    test_check(before.memory_used_pages + before.memory_children_pages ==
                   after.memory_used_pages + after.memory_children_pages,
               "every page is back");
    test_check(before.objects == after.objects && before.handles == after.handles, "all counts");
    test_pass("killing a namespace takes all below along and gives back every page");
}

// Kills an empty one and one with thousands of objects, which the reaper comes to first if it finds both.
// The key of the one that is gone first.
static uint64_t first_to_end(handle_t port) {
    enum : uint32_t { MANY_OBJECTS = 5000 };
    static handle_t events[MANY_OBJECTS];
    handle_t small = create_in(test_namespace(), NAME("small"));
    handle_t large = create_in(test_namespace(), NAME("large"));
    uint64_t first, second;
    uint32_t seen;
    for (uint32_t i = 0; i < MANY_OBJECTS; i++)
        test_ok(event_create(large, &events[i]), "an event");
    test_ok(port_register(port, small, SIGNAL_TERMINATED, 1, CL_PORT_ONCE), "register");
    test_ok(port_register(port, large, SIGNAL_TERMINATED, 2, CL_PORT_ONCE), "register");
    test_ok(ns_kill(small), "kill");
    test_ok(ns_kill(large), "kill");
    test_ok(port_wait(port, 0, test_deadline(10000), &first, &seen), "one is gone");
    test_ok(port_wait(port, 0, test_deadline(10000), &second, &seen), "both are gone");
    for (uint32_t i = 0; i < MANY_OBJECTS; i++)
        handle_close(events[i]);
    handle_close(small);
    handle_close(large);
    return first;
}

static void death_takes_turns(void) {
    handle_t port = 0;
    test_ok(port_create(0, &port), "port");
    for (int i = 0; i < 5; i++)
        test_check(first_to_end(port) == 1, "the small one does not wait for the large one");
    handle_close(port);
    test_pass("namespaces end beside each other");
}

static void deepest(void) {
    handle_t chain[32], more = 0;
    struct cl_ns_limits same = limits_same();
    struct cl_ns_info info;
    unsigned depth = 0;
    status_t status = OK;
    for (; depth < 32; depth++) {
        handle_t parent = depth ? chain[depth - 1] : test_namespace();
        status = ns_create(parent, NAME("deeper"), &same, &chain[depth]);
        if (status != OK) break;
    }
    test_check(status == ERR_LIMIT && depth > 24, "there is a limit, and it is not near");
    test_check(ns_info(chain[0], &info) == OK && info.children == 1, "the highest is read");
    test_check(event_create(chain[depth - 1], &more) == OK, "the deepest works");
    kill_and_wait(chain[0]);
    for (unsigned i = 1; i < depth; i++)
        handle_close(chain[i]);
    handle_close(more);
    test_pass("namespaces as deep as they go");
}

void test_run(void) {
    names();
    access_lists();
    access_list_changes();
    handle_t event = 0;
    test_ok(event_create(0, &event), "event");
    many_are_listed(event);
    names_come_and_go(event);
    handle_close(event);
    name_of_the_dead();
    root_rule();
    limits();
    limits_of_all_below();
    nested_death();
    death_takes_turns();
    deepest();
}
