// Namespaces: names, ceilings, access lists, the root rule, nesting, limits, death.
#include "lib/test.h"

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
    name_of_the_dead();
    root_rule();
    limits();
    nested_death();
    deepest();
}
