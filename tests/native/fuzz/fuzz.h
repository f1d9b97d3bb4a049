// Random system calls, made from the schema (tests/sweep_table.h): mostly with arguments that are
// right, some with one that is not.
//
// Rules:
// - The test's own program (fuzz.c) makes namespaces of little credit, with two processes of two
//   threads each in them, which do the calls (worker.c), and kills them, some in the middle.
// - Threads of a process share handles and memory, and race for them. Processes find each other's
//   objects by name and by koid.
// - A worker may end by what it does (unmap its own code, be killed by another): what counts is
//   that the kernel stands, and that all is as recorded afterwards.
#pragma once
#include "abi/numbers.h"
#include "test.h"
#include "tests/sweep_table.h"

enum { FUZZ_ARGS_MAX = 6, FUZZ_ROOM_PAGES = 64, FUZZ_AREA_PAGES = 16, FUZZ_ERRORS = -ERR_LAST + 1 };
enum : uint64_t { FUZZ_AREA = 0x7fd000000000 }; // mapped and unmapped all the time

// One for each thread; the rest of a process is shared.
struct fuzzer {
    uint64_t random_state;
};

// What was answered, by number and error: mapped by all.
struct fuzz_counts {
    uint64_t calls;
    uint32_t answers[SYSCALL_COUNT][FUZZ_ERRORS];
    uint32_t poor;        // calls that a handle had too few rights for
    uint32_t poor_done;   // those of them that were done all the same: none
    uint32_t poor_rich;   // those of them that were done with a handle that is another by now
    uint32_t poor_number; // of the last one
};
extern struct fuzz_counts *fuzz_counts;

uint64_t fuzz_random(struct fuzzer *f);
static inline uint64_t fuzz_below(struct fuzzer *f, uint64_t limit) {
    return fuzz_random(f) % limit;
}

// arguments.c
extern uint64_t fuzz_room; // FUZZ_ROOM_PAGES that can be written, then one that is not there
void fuzz_arguments(struct fuzzer *f, const struct sweep_call *call, uint64_t args[FUZZ_ARGS_MAX]);
// Numbers, addresses and handles where structures are read from.
void fuzz_stir(struct fuzzer *f);

// poor.c: handles with few rights, that nobody closes or sends.
// Before there is a second thread. Remembers up to two poor copies of a handle's object.
void fuzz_poor_make(struct fuzzer *f, handle_t handle);
// Puts one in place of an argument that asks for more; false: there is none.
bool fuzz_poor_put(struct fuzzer *f, const struct sweep_call *call, uint64_t args[FUZZ_ARGS_MAX]);
// Do all its handles have now, as the kernel says, what the call asks for?
bool fuzz_is_rich(const struct sweep_call *call, const uint64_t args[FUZZ_ARGS_MAX]);

// worker.c
// A handle of one of these types, or 0.
handle_t fuzz_handle(struct fuzzer *f, uint32_t types);
bool fuzz_is_kept(uint64_t handle);
void fuzz_keep(handle_t handle); // nobody closes or sends it
extern handle_t fuzz_namespace;
extern uint64_t fuzz_koid; // its
// Where a worker starts: its namespace, and 2 × seed, + 1: it is to become a template.
void fuzz_worker(handle_t ns, uint64_t argument);

// touch.c
// Before there is a second thread.
void fuzz_touch_init(void);
// Something with the area or the bound restricted address space: mapping, unmapping, writing.
void fuzz_touch(struct fuzzer *f);
