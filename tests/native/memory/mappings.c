// Anonymous memory: what a mapping allows, splitting, moving, discarding.
#include "memory.h"

static void test_zero(void) {
    uint64_t at = map_pages(4);
    test_check(*word_at(at) == 0 && *word_at(at + 3 * PAGE + 8) == 0, "zero before a write");
    *word_at(at) = 1;
    *word_at(at + PAGE) = 2;
    test_check(*word_at(at) == 1 && *word_at(at + PAGE) == 2, "a write stays");
    test_ok(aspace_unmap(0, at, 4 * PAGE), "unmap");
    test_check(!can_read(at), "unmapped memory can't be read");
    test_pass("anonymous memory is zero and private");
}

static void test_protect(void) {
    uint64_t at = map_pages(3);
    *word_at(at + PAGE) = 42;
    test_ok(aspace_protect(0, at + PAGE, PAGE, CL_MAP_READ), "read-only");
    test_check(can_read(at + PAGE) && !can_write(at + PAGE), "read-only");
    test_check(can_write(at) && can_write(at + 2 * PAGE), "the neighbours stay writable");
    test_ok(aspace_protect(0, at + PAGE, PAGE, 0), "no rights");
    test_check(!can_read(at + PAGE), "without rights");
    test_ok(aspace_protect(0, at, 3 * PAGE, READ_WRITE), "writable again");
    test_check(*word_at(at + PAGE) == 42 && can_write(at + PAGE), "the page has survived");
    test_check(aspace_protect(0, at, 4 * PAGE, READ_WRITE) == ERR_NOT_FOUND, "a hole");
    test_check(aspace_protect(0, at, PAGE, READ_WRITE | CL_MAP_EXECUTE) == ERR_INVALID_ARGUMENT,
               "W^X");
    test_ok(aspace_unmap(0, at, 3 * PAGE), "unmap");
    test_pass("protect takes and gives rights, and loses no page");
}

static void test_places(void) {
    uint64_t at = map_pages(8);
    uint64_t other = 0;
    test_ok(aspace_unmap(0, at + 2 * PAGE, PAGE), "a hole of one page");
    test_check(aspace_map(0, 0, 0, at + PAGE, 2 * PAGE, READ_WRITE | CL_MAP_EXACT, &other) ==
                   ERR_ALREADY_EXISTS,
               "EXACT over something");
    test_ok(aspace_map(0, 0, 0, at, PAGE, READ_WRITE, &other), "hint");
    test_check(other == at + 2 * PAGE, "the hole is found");
    *word_at(at) = 7;
    test_ok(aspace_map(0, 0, 0, at, 2 * PAGE, READ_WRITE | CL_MAP_FIXED, &other), "FIXED");
    test_check(other == at && *word_at(at) == 0, "FIXED replaces");
    test_check(aspace_map(0, 0, 0, 0x10000, PAGE, READ_WRITE | CL_MAP_EXACT, &other) ==
                   ERR_OUT_OF_RANGE,
               "below the own part");
    test_ok(aspace_unmap(0, at, 8 * PAGE), "unmap");
    test_pass("places are found, taken and replaced");
}

static void test_discard(void) {
    uint64_t at = map_pages(4);
    *word_at(at + PAGE) = 5;
    test_ok(aspace_discard(0, at + PAGE, PAGE), "discard");
    test_check(*word_at(at + PAGE) == 0, "discarded memory is zero");
    test_ok(aspace_unmap(0, at, 4 * PAGE), "unmap");
    test_pass("discarded pages read as zero");
}

static void test_growth(void) {
    uint64_t at = map_pages(1);
    uint64_t other;
    uint64_t before = used_pages();
    for (uint64_t i = 1; i < 500; i++)
        test_ok(aspace_map(0, 0, 0, at + i * PAGE, PAGE, READ_WRITE | CL_MAP_EXACT, &other),
                "grow");
    test_check(used_pages() == before, "growing by pages piles nothing up");
    for (uint64_t i = 0; i < 500; i++)
        *word_at(at + i * PAGE) = i;
    for (uint64_t i = 0; i < 500; i += 2)
        test_ok(aspace_unmap(0, at + i * PAGE, PAGE), "every second page");
    for (uint64_t i = 1; i < 500; i += 2)
        test_check(*word_at(at + i * PAGE) == i, "the others stay");
    test_ok(aspace_unmap(0, at, 500 * PAGE), "unmap");
    test_pass("neighbours join; many holes are no harm");
}

void test_mappings(void) {
    test_zero();
    test_protect();
    test_places();
    test_discard();
    test_growth();
}
