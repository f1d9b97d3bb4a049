// What the first write to an anonymous page costs, zeroing it included.
#include "cloister.h"
#include "lib/marker.h"
#include "lib/test.h"

enum { REPEATS = 9, PAGE = 4096 };

void test_run(void) {
    uint64_t size = MARKER_PAGES * PAGE;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        uint64_t at;
        test_ok(aspace_map(0, 0, 0, 0, size, CL_MAP_READ | CL_MAP_WRITE, &at), "aspace_map");
        MARK(MARKER_PAGE_TOUCH_BEGIN);
        for (uint64_t offset = 0; offset < size; offset += PAGE)
            *(volatile uint64_t *)(at + offset) = offset;
        MARK(MARKER_PAGE_TOUCH_END);
        test_ok(aspace_unmap(0, at, size), "aspace_unmap");
    }
    test_pass("the first write to a page");
}
