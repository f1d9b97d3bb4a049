// Memory for pointers that are good, read only, unmapped, or run from one into the next: pages that
// can be written, one that can be read, one that is not there.
#include "sweep.h"
#include "test.h"

enum { PAGES = 8 };

static uint64_t base;

void sweep_memory_make(void) {
    uint64_t size = (PAGES + 2) * CL_PAGE_SIZE;
    test_ok(aspace_map(0, 0, 0, 0, size, CL_MAP_READ | CL_MAP_WRITE, &base), "map");
    for (uint64_t page = 0; page < PAGES + 1; page++)
        *(volatile uint64_t *)(base + page * CL_PAGE_SIZE) = 0;
    test_ok(aspace_protect(0, sweep_read_only(), CL_PAGE_SIZE, CL_MAP_READ), "protect");
    test_ok(aspace_unmap(0, sweep_unmapped(), CL_PAGE_SIZE), "unmap");
}

uint64_t sweep_page(uint32_t arg) { return base + arg * CL_PAGE_SIZE; }

uint64_t sweep_read_only(void) { return base + PAGES * CL_PAGE_SIZE; }

uint64_t sweep_unmapped(void) { return base + (PAGES + 1) * CL_PAGE_SIZE; }
