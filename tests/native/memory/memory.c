// Memory as a program sees it. What each part has used is given back at its end, to the page.
#include "memory.h"

static handle_t scratch; // a memory object of one page

uint64_t used_pages(void) {
    struct cl_ns_info info;
    test_ok(ns_info(test_namespace(), &info), "ns_info");
    return info.memory_used_pages;
}

bool can_read(uint64_t address) { return memobj_write(scratch, 0, (const void *)address, 1) == OK; }

bool can_write(uint64_t address) {
    uint8_t before;
    return memobj_read(scratch, 8, (void *)address, 1) == OK &&
           memobj_read(scratch, 8, &before, 1) == OK;
}

uint64_t map_pages(uint64_t pages) {
    uint64_t address = 0;
    test_ok(aspace_map(0, 0, 0, 0, pages * PAGE, READ_WRITE, &address), "map");
    return address;
}

handle_t memobj_make(uint64_t pages) {
    handle_t memobj = 0;
    test_ok(memobj_create(0, pages * PAGE, &memobj), "memobj_create");
    return memobj;
}

static void run(void (*part)(void), const char *text) {
    part(); // once to have what stays: page tables, heap slabs
    uint64_t before = used_pages();
    part();
    test_check(used_pages() == before, text);
    test_pass(text);
}

void test_run(void) {
    scratch = memobj_make(1);
    run(test_mappings, "mappings give back every page");
    run(test_objects, "memory objects give back every page");
    run(test_restricted, "restricted address spaces give back every page");
    handle_close(scratch);
}
