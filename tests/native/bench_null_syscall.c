// What a native system call costs that does nothing.
#include "cloister.h"
#include "lib/marker.h"
#include "lib/test.h"

enum { REPEATS = 9 };

void test_run(void) {
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        MARK(MARKER_NULL_SYSCALL_BEGIN);
        for (int i = 0; i < MARKER_LOOPS; i++)
            null();
        MARK(MARKER_NULL_SYSCALL_END);
    }
    test_pass("a system call that does nothing");
}
