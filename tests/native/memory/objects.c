// Memory objects, shared and private.
#include "memory.h"

static void test_sharing(void) {
    handle_t memobj = memobj_make(4);
    uint64_t first, second, private;
    uint64_t value = 9;
    test_ok(aspace_map(0, memobj, 0, 0, 4 * PAGE, READ_WRITE | CL_MAP_SHARED, &first), "map");
    test_ok(aspace_map(0, memobj, PAGE, 0, PAGE, CL_MAP_READ | CL_MAP_SHARED, &second), "again");
    test_ok(aspace_map(0, memobj, 0, 0, 4 * PAGE, READ_WRITE, &private), "privately");
    *word_at(first + PAGE) = 1;
    test_check(*word_at(second) == 1 && *word_at(private + PAGE) == 1, "a write is seen");
    *word_at(private + PAGE) = 2;
    test_check(*word_at(second) == 1, "a private write is not");
    test_check(*word_at(private + PAGE) == 2, "but by its own");
    test_ok(memobj_write(memobj, 2 * PAGE, &value, sizeof(value)), "memobj_write");
    test_check(*word_at(first + 2 * PAGE) == 9 && *word_at(private + 2 * PAGE) == 9, "by call");
    *word_at(first + 3 * PAGE) = 3;
    test_ok(memobj_read(memobj, 3 * PAGE, &value, sizeof(value)), "memobj_read");
    test_check(value == 3, "read by call");
    test_ok(aspace_discard(0, private, 4 * PAGE), "discard");
    test_check(*word_at(private + PAGE) == 1, "discarded, it shows the object again");
    test_check(!can_write(second), "read-only mapping");
    handle_close(memobj);
    test_check(*word_at(second) == 1, "a mapping outlives the handle");
    test_ok(aspace_unmap(0, first, 4 * PAGE), "unmap");
    test_ok(aspace_unmap(0, second, PAGE), "unmap");
    test_ok(aspace_unmap(0, private, 4 * PAGE), "unmap");
    test_pass("shared writes are seen, private ones are not");
}

static void test_resize(void) {
    handle_t memobj = memobj_make(300);
    uint64_t at, byte;
    test_ok(aspace_map(0, memobj, 0, 0, 300 * PAGE, READ_WRITE | CL_MAP_SHARED, &at), "map");
    for (uint64_t i = 0; i < 300; i++)
        *word_at(at + i * PAGE) = i + 1;
    uint64_t full = used_pages();
    test_ok(memobj_resize(memobj, 10 * PAGE), "shrink");
    test_check(full - used_pages() >= 290, "the pages are given back");
    test_check(*word_at(at + 9 * PAGE) == 10 && !can_read(at + 10 * PAGE), "the end faults");
    test_check(memobj_read(memobj, 10 * PAGE, &byte, 1) == ERR_OUT_OF_RANGE, "read beyond");
    test_ok(memobj_resize(memobj, 20 * PAGE), "grow");
    test_check(*word_at(at + 10 * PAGE) == 0, "what comes back is zero");
    test_check(aspace_map(0, memobj, 0, 0, 21 * PAGE, CL_MAP_READ, &byte) == ERR_OUT_OF_RANGE,
               "a mapping larger than the object");
    handle_close(memobj);
    test_ok(aspace_unmap(0, at, 300 * PAGE), "unmap");
    test_pass("resize takes pages out of mappings");
}

static void test_rights(void) {
    handle_t memobj = memobj_make(1);
    handle_t reader;
    uint64_t at;
    test_ok(handle_duplicate(memobj, RIGHT_READ | RIGHT_DUPLICATE, &reader), "duplicate");
    test_check(aspace_map(0, reader, 0, 0, PAGE, READ_WRITE | CL_MAP_SHARED, &at) ==
                   ERR_ACCESS_DENIED,
               "shared and writable without WRITE");
    test_ok(aspace_map(0, reader, 0, 0, PAGE, CL_MAP_READ | CL_MAP_SHARED, &at), "readable");
    test_check(aspace_protect(0, at, PAGE, READ_WRITE) == ERR_ACCESS_DENIED, "not by protect");
    test_check(aspace_protect(0, at, PAGE, CL_MAP_EXECUTE) == ERR_ACCESS_DENIED, "nor EXECUTE");
    test_ok(aspace_unmap(0, at, PAGE), "unmap");
    test_ok(aspace_map(0, reader, 0, 0, PAGE, READ_WRITE, &at), "privately writable");
    *word_at(at) = 1;
    test_ok(aspace_unmap(0, at, PAGE), "unmap");
    handle_close(reader);
    handle_close(memobj);
    test_pass("a mapping allows what the handle allows");
}

static void test_revoke(void) {
    handle_t memobj = memobj_make(100);
    handle_t copy, revoker;
    uint64_t at, own;
    test_ok(handle_duplicate_revocable(memobj, CL_RIGHTS_SAME, &copy, &revoker), "revocably");
    test_ok(aspace_map(0, copy, 0, 0, 100 * PAGE, READ_WRITE | CL_MAP_SHARED, &at), "map");
    test_ok(aspace_map(0, memobj, 0, 0, PAGE, READ_WRITE | CL_MAP_SHARED, &own), "map");
    for (uint64_t i = 0; i < 100; i++)
        *word_at(at + i * PAGE) = i + 1;
    test_ok(aspace_protect(0, at + 50 * PAGE, PAGE, CL_MAP_READ), "split");
    test_ok(revoker_revoke(revoker), "revoke");
    for (uint64_t i = 0; i < 100; i++)
        test_check(!can_read(at + i * PAGE), "revoked memory is gone");
    test_check(*word_at(own) == 1, "the other mapping stays");
    test_ok(aspace_unmap(0, own, PAGE), "unmap");
    handle_close(copy);
    handle_close(revoker);
    handle_close(memobj);
    test_pass("revoking undoes mappings");
}

static void test_death(void) {
    struct cl_ns_limits limits;
    handle_t child, memobj;
    uint64_t at;
    uint32_t observed;
    for (uint32_t i = 0; i < sizeof(limits) / 8; i++)
        ((uint64_t *)&limits)[i] = CL_LIMIT_SAME;
    test_ok(ns_create(test_namespace(), "memory", 6, &limits, &child), "ns_create");
    test_ok(memobj_create(child, 100 * PAGE, &memobj), "memobj_create");
    test_ok(aspace_map(0, memobj, 0, 0, 100 * PAGE, READ_WRITE | CL_MAP_SHARED, &at), "map");
    for (uint64_t i = 0; i < 100; i++)
        *word_at(at + i * PAGE) = i;
    test_ok(ns_kill(child), "ns_kill");
    test_ok(object_wait(child, SIGNAL_TERMINATED, 0, test_deadline(10000), &observed), "its end");
    test_check(!can_read(at) && !can_read(at + 99 * PAGE), "a dead object's memory is gone");
    test_check(memobj_resize(memobj, PAGE) == ERR_DEAD, "its handle answers DEAD");
    handle_close(memobj);
    handle_close(child);
    test_pass("an object that dies is unmapped, and keeps no namespace alive");
}

void test_objects(void) {
    test_sharing();
    test_resize();
    test_rights();
    test_revoke();
    test_death();
}
