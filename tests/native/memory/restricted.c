// Restricted address spaces, reached from normal mode while they are bound.
#include "memory.h"

enum { BASE = 0x400000 };

static handle_t space_make(void) {
    handle_t aspace = 0;
    test_ok(aspace_create(&aspace), "aspace_create");
    return aspace;
}

static void map_at(handle_t aspace, uint64_t address, uint64_t pages) {
    uint64_t mapped;
    test_ok(aspace_map(aspace, 0, 0, address, pages * PAGE, READ_WRITE | CL_MAP_EXACT, &mapped),
            "map");
}

static void test_fork(void) {
    handle_t parent = space_make();
    handle_t child;
    map_at(parent, BASE, 700);
    test_ok(thread_bind_aspace(parent), "bind");
    for (uint64_t i = 0; i < 700; i++)
        *word_at(BASE + i * PAGE) = i;
    uint64_t before = used_pages();
    test_ok(aspace_fork(parent, &child), "fork");
    test_check(used_pages() - before < 20, "a twin costs tables, not pages");
    *word_at(BASE) = 1000;
    test_ok(thread_bind_aspace(child), "bind the twin");
    test_check(*word_at(BASE) == 0 && *word_at(BASE + 699 * PAGE) == 699, "as before the fork");
    *word_at(BASE + PAGE) = 2000;
    test_ok(thread_bind_aspace(parent), "bind the first");
    test_check(*word_at(BASE) == 1000 && *word_at(BASE + PAGE) == 1, "the first is on its own");
    test_ok(thread_bind_aspace(0), "unbind");
    test_check(!can_read(BASE), "nothing is bound");
    handle_close(parent);
    test_ok(thread_bind_aspace(child), "bind the twin");
    before = used_pages();
    for (uint64_t i = 0; i < 700; i++)
        *word_at(BASE + i * PAGE) += 1;
    test_check(used_pages() == before, "pages that nobody else has are not copied");
    test_check(*word_at(BASE + PAGE) == 2001 && *word_at(BASE + 699 * PAGE) == 700, "written");
    test_ok(thread_bind_aspace(0), "unbind");
    handle_close(child);
    test_pass("a fork is a twin; writes part them");
}

static void test_move(void) {
    handle_t aspace = space_make();
    uint64_t moved;
    map_at(aspace, BASE, 300);
    test_ok(thread_bind_aspace(aspace), "bind");
    for (uint64_t i = 0; i < 300; i += 3)
        *word_at(BASE + i * PAGE) = i + 1;
    uint64_t before = used_pages();
    test_ok(
        aspace_move(aspace, BASE + 50 * PAGE, 200 * PAGE, 2 * BASE + 0x1000, 400 * PAGE, &moved),
        "move");
    test_check(moved == 2 * BASE + 0x1000 && used_pages() - before < 4, "pages are not copied");
    test_check(*word_at(BASE + 48 * PAGE) == 49 && *word_at(BASE + 252 * PAGE) == 253, "the rest");
    test_check(!can_read(BASE + 51 * PAGE), "the old place is empty");
    for (uint64_t i = 51; i < 250; i += 3)
        test_check(*word_at(moved + (i - 50) * PAGE) == i + 1, "what moved");
    test_check(*word_at(moved + 399 * PAGE) == 0, "the new end");
    test_check(aspace_move(aspace, BASE, PAGE, moved, PAGE, &moved) == ERR_ALREADY_EXISTS, "taken");
    test_check(aspace_move(aspace, BASE + 100 * PAGE, PAGE, 0, PAGE, &moved) == ERR_NOT_FOUND,
               "nothing there");
    test_ok(thread_bind_aspace(0), "unbind");
    handle_close(aspace);
    test_pass("moving takes the pages along");
}

static void test_bind(void) {
    handle_t aspace = space_make();
    handle_t process, other;
    uint64_t mapped;
    test_ok(process_create(test_namespace(), &process, &other), "process_create");
    test_check(thread_bind_aspace(other) == ERR_INVALID_ARGUMENT, "a process's own part");
    test_check(aspace_fork(other, &process) == ERR_INVALID_ARGUMENT, "fork of a process's part");
    test_ok(
        aspace_map(aspace, 0, 0, BASE, PAGE, READ_WRITE | CL_MAP_EXECUTE | CL_MAP_EXACT, &mapped),
        "writable and executable for a Linux program");
    test_check(aspace_map(aspace, 0, 0, CL_PROCESS_BASE, PAGE, READ_WRITE | CL_MAP_EXACT,
                          &mapped) == ERR_OUT_OF_RANGE,
               "above the split");
    handle_close(process);
    handle_close(other);
    handle_close(aspace);
    test_pass("only an own restricted address space can be bound and forked");
}

void test_restricted(void) {
    test_fork();
    test_move();
    test_bind();
}
