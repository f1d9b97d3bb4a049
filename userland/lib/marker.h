// Markers: places in a program where `./cloister bench` reads the machine's instruction counter.
//
// A marker is one no-op with a tell-tale displacement that names it. Outside a bench it costs one
// instruction and does nothing; under a bench, a TCG plugin (pybuild/bench/plugin.c) recognises it
// and writes down how much the CPU has executed until then. No assembly but this, no library, no
// state: usable in the kernel, in native programs and in Linux programs alike.
//
// Rules:
// - The numbers are read by pybuild/bench/markers.py from this file: keep the form `NAME = number`.
// - A loop is marked around, not inside: MARK(X_BEGIN), MARKER_LOOPS operations, MARK(X_END).
//   Repeat that whole several times; the bench takes the median.
#pragma once

enum {
    // In the upper half of the displacement; the marker's number is in the lower half.
    MARKER_TAG = 0x6d720000,

    // Operations between a loop's two markers. Pages are fewer: 1 MiB, so that Linux can't answer
    // with a huge page.
    MARKER_LOOPS = 1000,
    MARKER_PAGES = 256,

    // The shell's prompt is about to be printed; Linux's init is about to print.
    MARKER_BOOT_PROMPT = 1,

    // The manager has been told to start a container; the parent is about to fork.
    MARKER_CONTAINER_TOLD = 2,
    // The first instruction of the program in it (tests/bench/tiny.c).
    MARKER_CONTAINER_FIRST = 3,
    // The container's ledger is back to zero; the parent's wait has returned.
    MARKER_CONTAINER_GONE = 4,

    MARKER_CHANNEL_CALL_BEGIN = 10,
    MARKER_CHANNEL_CALL_END = 11,
    MARKER_NULL_SYSCALL_BEGIN = 12,
    MARKER_NULL_SYSCALL_END = 13,
    MARKER_LINUX_GETPPID_BEGIN = 14,
    MARKER_LINUX_GETPPID_END = 15,
    // Alone: nobody else wants the CPU. Pair: each yield switches to the other process and back.
    MARKER_YIELD_ALONE_BEGIN = 16,
    MARKER_YIELD_ALONE_END = 17,
    MARKER_YIELD_PAIR_BEGIN = 18,
    MARKER_YIELD_PAIR_END = 19,
    MARKER_PAGE_TOUCH_BEGIN = 20,
    MARKER_PAGE_TOUCH_END = 21,
    MARKER_PIPE_BEGIN = 22,
    MARKER_PIPE_END = 23,
    // tests/bench/bench_userland.c
    MARKER_FORK_EXEC_BEGIN = 24,
    MARKER_FORK_EXEC_END = 25,
    MARKER_VFORK_EXEC_BEGIN = 26,
    MARKER_VFORK_EXEC_END = 27,
    MARKER_FORK_EXIT_BEGIN = 28,
    MARKER_FORK_EXIT_END = 29,
    MARKER_FILE_BEGIN = 30,
    MARKER_FILE_END = 31,
    MARKER_STAT_BEGIN = 32,
    MARKER_STAT_END = 33,
    MARKER_LIST_BEGIN = 34,
    MARKER_LIST_END = 35,
    MARKER_FIND_BEGIN = 36,
    MARKER_FIND_END = 37,
    MARKER_LOOP_BUILTIN_BEGIN = 38,
    MARKER_LOOP_BUILTIN_END = 39,
    MARKER_LOOP_PROGRAM_BEGIN = 40,
    MARKER_LOOP_PROGRAM_END = 41,
    // The victim's work in tests/linux/hostile/attack.c
    MARKER_VICTIM_BEGIN = 42,
    MARKER_VICTIM_END = 43,
    // tests/native/revocation.c: one call that ends a thousand copies.
    MARKER_REVOCATION_BEGIN = 44,
    MARKER_REVOCATION_END = 45,
    // Its steps beside one that only spins, and beside one that storms.
    MARKER_PACE_SPIN_BEGIN = 46,
    MARKER_PACE_SPIN_END = 47,
    MARKER_PACE_STORM_BEGIN = 48,
    MARKER_PACE_STORM_END = 49,
    MARKER_PACE_STEP = 50,
};

// NUMBER is one of the constants above. Orders memory accesses as far as the compiler goes.
#define MARK(NUMBER) __asm__ volatile("nopl %c0(%%rax)" ::"i"(MARKER_TAG | (NUMBER)) : "memory")
