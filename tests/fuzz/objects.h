// Whatever calls on the object kernel, built for the host: a world of a few namespaces with a process
// in each, whose threads make system calls that bytes decide on; then everything ends, and nothing
// may be left. fuzz_objects.c takes the bytes from libFuzzer, tests/host/kernel/test_objects.c from
// a random number generator for each thread.
//
// Rules:
// - Calls go through the generated decoding, with arguments by the schema (objects_table.h, which
//   tests/host/object_calls.py makes): mostly of the right kind, so that calls pass.
// - Before a thread's next call the kernel may end it, as on the way back to user mode.
#pragma once
#include "arch/host/host.h"
#include "kernel/handlers.h"
#include "object/handle.h"

// ---- bytes ----

// The next byte; false: there are no more.
typedef bool objects_source(void *state, u8 *byte);
struct bytes {
    objects_source *next;
    void *state;
    bool has_ended;
};
// 0 at the end.
u8 byte_take(struct bytes *bytes);
static inline u32 u16_take(struct bytes *bytes) {
    u32 low = byte_take(bytes);
    return low | (u32)byte_take(bytes) << 8;
}

// ---- calls (objects_calls.c) ----

enum fuzz_kind : u8 {
    FUZZ_END, // no such argument
    FUZZ_VALUE,
    FUZZ_FLAGS,
    FUZZ_DEADLINE,
    FUZZ_HANDLE,
    FUZZ_NAME,
    FUZZ_LENGTH, // of the argument before
    FUZZ_ROOM,   // bytes and structures that are written, or only read
    FUZZ_PLACE,  // an address for mappings
    FUZZ_PAGES,  // a size in pages
    FUZZ_OFFSET, // in pages
    FUZZ_CODE,   // an address in user code
    FUZZ_RIGHTS,
    FUZZ_KOID,
    FUZZ_MESSAGE,
    FUZZ_ACL,
    FUZZ_LIMITS,
    FUZZ_OPTIONS, // of a channel
};

struct fuzz_arg {
    enum fuzz_kind kind;
    u32 mask;   // FUZZ_HANDLE: types, 0 for any; FUZZ_FLAGS: the bits that there are
    u32 rights; // FUZZ_HANDLE: what is asked for
};
struct fuzz_call {
    u32 number;
    bool ends; // threads, so that nothing more is tried: it is made seldom
    struct fuzz_arg args[6];
};
extern const struct fuzz_call fuzz_calls[];
extern const u32 fuzz_calls_count;

// Memory for arguments, of the calling thread: PAGES_OF_ROOMS pages.
enum : u64 { PAGES_OF_ROOMS = 8 };
// Maps it; false: it can't be paid.
bool rooms_map(u64 *rooms);
// One call that the bytes decide on. With one CPU a call that is done though a handle of it is not
// what the schema asks for is a panic; with more, handles may change in between.
enum call_watch { CALL_UNWATCHED, CALL_WATCHED };
void call_make(struct bytes *bytes, u64 rooms, enum call_watch watch);

// ---- the world (objects.c) ----

struct objects_options {
    u32 threads;     // that each process starts with
    u32 calls;       // of each thread, at most
    u64 limit_ns;    // how long they may take
    bool is_checked; // object_check_all() in each round, and each call's rights: for one CPU
    // The bytes of a thread that begins; one source may serve all.
    void (*bytes_for)(struct bytes *bytes, u64 thread);
};
// Once, in host_run(): the disk and the like. From then on host_user_code is the threads'.
void objects_begin(const struct objects_options *options);
// One world, from nothing to nothing. `settings` chooses its limits. A panic if something is left.
void objects_round(u8 settings);
// Calls that were made so far.
u64 objects_calls(void);
