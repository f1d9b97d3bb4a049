// Handles: copies, rights, tombstones, revocation.
#include "lib/test.h"

static handle_t event_in(handle_t ns) {
    handle_t event = 0;
    test_ok(event_create(ns, &event), "an event can be made");
    return event;
}

static handle_t child_namespace(const char *name, uint32_t size) {
    struct cl_ns_limits limits;
    handle_t child = 0;
    for (unsigned i = 0; i < sizeof(limits) / sizeof(uint64_t); i++)
        ((uint64_t *)&limits)[i] = CL_LIMIT_SAME;
    test_ok(ns_create(test_namespace(), name, size, &limits, &child), "a namespace can be made");
    return child;
}

static uint32_t rights_of(handle_t handle) {
    struct cl_object_info info;
    return object_info(handle, &info) == OK ? info.rights : 0;
}

static void copies(void) {
    handle_t event = event_in(0), copy = 0, worse = 0, again = 0;
    test_check(handle_duplicate(event, CL_RIGHTS_SAME, &copy) == OK, "duplicate, same rights");
    test_check(rights_of(copy) == rights_of(event), "a copy has the rights of the original");
    test_check(handle_duplicate(event, RIGHT_DUPLICATE | RIGHT_INSPECT, &worse) == OK, "fewer");
    test_check(handle_duplicate(worse, CL_RIGHTS_SAME, &again) == OK &&
                   rights_of(again) == (RIGHT_DUPLICATE | RIGHT_INSPECT),
               "rights stay away once they are gone");
    handle_t none = 0;
    test_check(handle_duplicate(worse, RIGHT_SIGNAL, &none) == ERR_ACCESS_DENIED, "never more");
    test_check(event_signal(worse, 0, SIGNAL_USER0) == ERR_ACCESS_DENIED, "a missing right tells");
    test_check(handle_close(copy) == OK && handle_close(copy) == ERR_BAD_HANDLE,
               "closed is closed");
    handle_close(again);
    handle_close(worse);
    handle_close(event);
    test_pass("a copy never has more rights than its original");
}

static void tombstones(void) {
    handle_t ns = child_namespace("tombstones", 10);
    handle_t event = event_in(ns), copy = 0;
    test_ok(handle_duplicate(event, CL_RIGHTS_SAME, &copy), "duplicate");
    test_ok(ns_kill(ns), "kill");
    uint32_t seen = 0;
    test_check(object_wait(ns, SIGNAL_TERMINATED, 0, test_deadline(10000), &seen) == OK,
               "a killed namespace ends although others hold handles of its objects");
    test_check(event_signal(event, 0, SIGNAL_USER0) == ERR_DEAD, "its object answers DEAD");
    test_check(event_signal(copy, 0, SIGNAL_USER0) == ERR_DEAD, "through every handle");
    test_check(handle_close(event) == OK && handle_close(copy) == OK, "tombstones can be closed");
    handle_close(ns);
    test_pass("an object that died leaves tombstones and nothing else");
}

static void revocation(void) {
    handle_t event = event_in(0), given = 0, revoker = 0, derived = 0;
    test_ok(handle_duplicate_revocable(event, CL_RIGHTS_SAME, &given, &revoker), "give");
    test_ok(handle_duplicate(given, CL_RIGHTS_SAME, &derived), "derive");
    test_check(event_signal(derived, 0, SIGNAL_USER0) == OK, "usable before");
    test_check(revoker_revoke(revoker) == OK && revoker_revoke(revoker) == OK, "revoke, twice");
    test_check(event_signal(given, 0, SIGNAL_USER0) == ERR_REVOKED, "the copy is dead");
    test_check(event_signal(derived, 0, SIGNAL_USER0) == ERR_REVOKED, "what was derived too");
    test_check(event_signal(event, 0, SIGNAL_USER0) == OK, "the original is not");
    handle_close(given);
    handle_close(derived);
    handle_close(revoker);

    test_ok(handle_duplicate_revocable(event, CL_RIGHTS_SAME, &given, &revoker), "give");
    test_check(handle_close(revoker) == OK && event_signal(given, 0, SIGNAL_USER0) == ERR_REVOKED,
               "a revoker that is gone counts as revoked");
    handle_close(given);
    handle_close(event);
    test_pass("what was given revocably can be taken back, with all that came of it");
}

static void revoker_chain(void) {
    handle_t given[5] = {event_in(0)}, revoker[5] = {};
    for (int i = 1; i < 5; i++)
        test_ok(handle_duplicate_revocable(given[i - 1], CL_RIGHTS_SAME, &given[i], &revoker[i]),
                "up to four revokers in a chain");
    handle_t more, more_revoker;
    test_check(handle_duplicate_revocable(given[4], CL_RIGHTS_SAME, &more, &more_revoker) ==
                   ERR_LIMIT,
               "a fifth is refused");
    revoker_revoke(revoker[2]);
    test_check(event_signal(given[1], 0, SIGNAL_USER0) == OK, "above: untouched");
    test_check(event_signal(given[2], 0, SIGNAL_USER0) == ERR_REVOKED &&
                   event_signal(given[4], 0, SIGNAL_USER0) == ERR_REVOKED,
               "at and below: revoked");
    for (int i = 0; i < 5; i++) {
        handle_close(given[i]);
        if (i) handle_close(revoker[i]);
    }
    test_pass("revokers form chains of four");
}

// Else the end of one revoker would be the end of the next, as deep as somebody made the chain.
static void revoker_alone(void) {
    handle_t event = event_in(0), given = 0, revoker = 0, copy = 0, none = 0, another = 0;
    struct cl_acl nobody = {};
    struct cl_object_info info;
    handle_t ns = test_namespace();
    test_ok(handle_duplicate_revocable(event, CL_RIGHTS_SAME, &given, &revoker), "give");
    test_check(handle_duplicate_revocable(revoker, CL_RIGHTS_SAME, &none, &another) ==
                   ERR_WRONG_TYPE,
               "a revoker is not given revocably");
    test_check(handle_duplicate(revoker, CL_RIGHTS_SAME, &copy) == OK, "it is copied plainly");
    test_ok(ns_bind(ns, "revoker", 7, revoker, &nobody), "and bound");
    test_ok(object_info(revoker, &info), "info");
    handle_close(given);
    handle_t plain_ns = ns, ns_revoker = 0;
    test_ok(handle_duplicate_revocable(plain_ns, CL_RIGHTS_SAME, &given, &ns_revoker), "ns");
    test_check(ns_open(given, "revoker", 7, CL_RIGHTS_SAME, &none) == ERR_WRONG_TYPE &&
                   ns_open_koid(given, info.koid, &none) == ERR_WRONG_TYPE,
               "nor opened through what was given revocably");
    test_ok(ns_unbind(ns, "revoker", 7), "unbind");
    handle_t all[] = {event, given, revoker, copy, ns_revoker};
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        handle_close(all[i]);
    test_pass("no handle to a revoker can be revoked");
}

static void ledger_balances(void) {
    struct cl_ns_info before, after;
    handle_t ns = test_namespace();
    test_ok(ns_info(ns, &before), "info");
    copies();
    tombstones();
    revocation();
    revoker_chain();
    revoker_alone();
    test_ok(ns_info(ns, &after), "info");
    test_check(before.objects == after.objects && before.handles == after.handles &&
                   before.memory_used_pages == after.memory_used_pages,
               "objects, handles and pages are the same before and after");
    if (before.objects != after.objects || before.memory_used_pages != after.memory_used_pages)
        test_printf("objects %lu -> %lu, handles %lu -> %lu, pages %lu -> %lu",
                    (unsigned long)before.objects, (unsigned long)after.objects,
                    (unsigned long)before.handles, (unsigned long)after.handles,
                    (unsigned long)before.memory_used_pages,
                    (unsigned long)after.memory_used_pages);
    test_pass("the ledger balances");
}

void test_run(void) {
    copies();
    tombstones();
    revocation();
    revoker_chain();
    revoker_alone();
    ledger_balances();
}
