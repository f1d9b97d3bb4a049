// Arguments. Of three calls in four all are meant to be right; of the others one is anything.
#include "fuzz.h"
#include "lib/string.h"

enum { MESSAGE_HANDLES = 4, MESSAGE_BYTES = 600, KOIDS = 500 };
enum : uint64_t { SOON_NS = 200000, ROOM_SIZE = FUZZ_ROOM_PAGES * CL_PAGE_SIZE };

uint64_t fuzz_room;

// Of any size, small ones as often as large ones.
static uint64_t random_size(struct fuzzer *f) { return fuzz_random(f) >> fuzz_below(f, 64); }

// ---- handles ----

// The namespace is used, but not given away.
static uint64_t handle_spare(const struct sweep_arg *arg, uint64_t value) {
    bool is_use = value == fuzz_namespace && arg->types == OBJ_MASK(OBJ_NAMESPACE);
    return fuzz_is_kept(value) && !is_use ? 0 : value;
}

static uint64_t handle_good(struct fuzzer *f, const struct sweep_arg *arg) {
    if (arg->optional && fuzz_below(f, 3) == 0) return 0;
    return fuzz_handle(f, arg->types);
}

static uint64_t handle_bad(struct fuzzer *f) {
    return fuzz_below(f, 2) ? fuzz_handle(f, OBJ_MASK_ANY) : random_size(f);
}

// ---- numbers ----

static uint64_t number_good(struct fuzzer *f, const struct sweep_arg *arg) {
    switch (fuzz_below(f, 16)) {
    case 0: return fuzz_below(f, 16);
    case 1:
    case 2: return fuzz_below(f, 64) * CL_PAGE_SIZE;
    case 3: return SIGNAL_SIGNALED;
    case 4: return CL_MAP_READ | CL_MAP_WRITE;
    case 5: return CL_MAP_READ | CL_MAP_WRITE | CL_MAP_SHARED;
    case 6: return CL_RIGHTS_SAME;
    case 7: return SIGNAL_USER0 | SIGNAL_READABLE | SIGNAL_PEER_CLOSED;
    default: return arg->good;
    }
}

static uint64_t number_bad(struct fuzzer *f, const struct sweep_arg *arg) {
    switch (fuzz_below(f, 6)) {
    case 0: return random_size(f) & ~(CL_PAGE_SIZE - 1);
    case 1: return 1ul << fuzz_below(f, 64);
    case 2: return (1ul << fuzz_below(f, 64)) - 1;
    case 3: return arg->good + fuzz_below(f, 3) - 1;
    case 4: return fuzz_room + fuzz_below(f, FUZZ_ROOM_PAGES) * CL_PAGE_SIZE;
    default: return random_size(f);
    }
}

// ---- memory ----

static bool is_in_room(uint64_t address) {
    return address >= fuzz_room && address < fuzz_room + ROOM_SIZE / 2;
}

static uint64_t memory_good(struct fuzzer *f, const struct sweep_arg *arg) {
    if (arg->optional && fuzz_below(f, 4) == 0) return 0;
    uint64_t offset = fuzz_below(f, ROOM_SIZE / 2) & ~7ul;
    switch (fuzz_below(f, 12)) {
    case 0: return CL_LINUX_BASE + offset;
    case 1: return FUZZ_AREA + offset % (FUZZ_AREA_PAGES * CL_PAGE_SIZE);
    default: return fuzz_room + offset;
    }
}

// Never where the program itself lives: calls may write there.
static uint64_t memory_bad(struct fuzzer *f) {
    switch (fuzz_below(f, 4)) {
    case 0: return fuzz_below(f, CL_PAGE_SIZE);
    case 1: return CL_PROCESS_LIMIT + (fuzz_random(f) >> 17);
    case 2: return fuzz_room + ROOM_SIZE - fuzz_below(f, 64);
    default: return fuzz_room + (fuzz_below(f, ROOM_SIZE / 2) | 1);
    }
}

void fuzz_stir(struct fuzzer *f) {
    for (int i = 0; i < 16; i++) {
        uint64_t *word = (uint64_t *)(fuzz_room + (fuzz_below(f, ROOM_SIZE / 2) & ~7ul));
        uint64_t handle = fuzz_handle(f, OBJ_MASK_ANY);
        const uint64_t values[] = {0, random_size(f), fuzz_room + fuzz_below(f, CL_PAGE_SIZE), ~0ul,
                                   fuzz_is_kept(handle) ? 0 : handle};
        *word = values[fuzz_below(f, sizeof(values) / sizeof(values[0]))];
    }
}

static void message_make(struct fuzzer *f, uint64_t address) {
    uint32_t *list = (uint32_t *)fuzz_room;
    for (int i = 0; i < MESSAGE_HANDLES; i++) {
        handle_t handle = fuzz_handle(f, OBJ_MASK_ANY);
        list[i] = fuzz_is_kept(handle) ? 0 : handle;
    }
    uint32_t handles = fuzz_below(f, 2) ? 0 : (uint32_t)fuzz_below(f, MESSAGE_HANDLES);
    *(struct cl_message *)address = (struct cl_message){
        .bytes = fuzz_room + CL_PAGE_SIZE,
        .bytes_size = (uint32_t)fuzz_below(f, fuzz_below(f, 8) ? MESSAGE_BYTES : 4 * CL_PAGE_SIZE),
        .handles = (uint64_t)list,
        .handles_count = handles,
    };
}

static void struct_make(struct fuzzer *f, const struct sweep_arg *arg, uint64_t address) {
    if (!is_in_room(address) || address % 8 != 0) return;
    if (arg->good == sizeof(struct cl_message) && fuzz_below(f, 8))
        message_make(f, address);
    else if (arg->bytes)
        memcpy((void *)address, arg->bytes, arg->good);
    else
        memset((void *)address, fuzz_below(f, 4) ? 0 : 0xff, arg->good);
}

// A short path, so that what was bound is found again.
static void name_make(struct fuzzer *f, uint64_t address) {
    if (!is_in_room(address)) return;
    for (int i = 0; i < 5; i++)
        ((char *)address)[i] = i % 2 ? '/' : (char)('a' + fuzz_below(f, i == 0 ? 26 : 3));
}

// ---- all ----

static uint64_t argument_good(struct fuzzer *f, const struct sweep_arg *arg) {
    switch (arg->kind) {
    case SWEEP_NUMBER: return number_good(f, arg);
    case SWEEP_DEADLINE: return 0;
    case SWEEP_HANDLE: return handle_good(f, arg);
    default: return memory_good(f, arg);
    }
}

static uint64_t argument_bad(struct fuzzer *f, const struct sweep_arg *arg) {
    switch (arg->kind) {
    case SWEEP_NUMBER: return number_bad(f, arg);
    case SWEEP_DEADLINE: return 1; // long ago
    case SWEEP_HANDLE: return handle_bad(f);
    default: return memory_bad(f);
    }
}

static uint64_t soon(struct fuzzer *f) {
    uint64_t now_ns = 0;
    clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    return now_ns + fuzz_below(f, SOON_NS);
}

// Calls on this process's own part of its memory are touch.c's.
static void own_memory_spare(struct fuzzer *f, uint32_t number, uint64_t *aspace) {
    if (number < SYSCALL_ASPACE_MAP || number > SYSCALL_ASPACE_DISCARD || *aspace) return;
    *aspace = fuzz_handle(f, OBJ_MASK(OBJ_ASPACE));
    if (!*aspace) *aspace = ~0u;
}

void fuzz_arguments(struct fuzzer *f, const struct sweep_call *call, uint64_t args[FUZZ_ARGS_MAX]) {
    uint64_t bad = fuzz_below(f, 4) ? call->args_count : fuzz_below(f, call->args_count + 1);
    for (uint32_t i = 0; i < call->args_count; i++) {
        const struct sweep_arg *arg = &call->args[i];
        args[i] = i == bad ? argument_bad(f, arg) : argument_good(f, arg);
        if (arg->kind == SWEEP_HANDLE) args[i] = handle_spare(arg, args[i]);
        if (arg->kind == SWEEP_IN_STRUCT) struct_make(f, arg, args[i]);
        if (arg->kind == SWEEP_STRING) name_make(f, args[i]);
        if (arg->kind == SWEEP_DEADLINE && fuzz_below(f, 4) == 0) args[i] = soon(f);
    }
    own_memory_spare(f, call->number, &args[0]);
    if (call->number == SYSCALL_NS_OPEN_KOID) args[1] = fuzz_koid + fuzz_below(f, KOIDS);
}
