// Test boots: `test=NAME[,NAME]` or `test=all` on the kernel's command line.
#pragma once

// Runs bundle programs test/NAME one after the other, says how each ended, and switches the machine
// off with the number of failures (at most 100). `names` is what stands behind `test=`.
[[noreturn]] void tests_run(const char *names);
