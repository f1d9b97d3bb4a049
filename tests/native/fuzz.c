// Random system calls with arguments that are mostly nearly right: whatever comes back, the kernel
// stands, every call returns, and what was made can be taken away again.
//
// Left out is what would end this program or write where it must not: see is_allowed().
#include "abi/names.h"
#include "lib/kernel_check.h"
#include "lib/string.h"
#include "test.h"
#include "tests/sweep_table.h"

enum { CALLS = 40000, ARGS_MAX = 6, HANDLES_MAX = 48, ROOM_PAGES = 64, MESSAGE_HANDLES = 4 };
enum { KEPT_MAX = 4096, COPIES = 16, THREADS = 2, STACK_SIZE = 32768 };
enum : uint64_t { SOON_NS = 20000, DEATH_MS = 20000, SEED = 0x9e3779b97f4a7c15 };

// One for each thread; the rest is shared, and raced for.
struct fuzzer {
    uint64_t random_state;
    uint64_t answered_ok;
};
static struct fuzzer fuzzers[THREADS];
static uint8_t stacks[THREADS][STACK_SIZE] __attribute__((aligned(16)));
static handle_t handles[HANDLES_MAX];
static uint32_t types[HANDLES_MAX];
static uint64_t room; // ROOM_PAGES that can be written, then one that is not there
static handle_t child, child_copies[COPIES];
static uint8_t is_kept[KEPT_MAX]; // handles that the library and the end of the test need
static uint64_t child_koid;

static uint64_t random_u64(struct fuzzer *f) {
    f->random_state ^= f->random_state << 13;
    f->random_state ^= f->random_state >> 7;
    f->random_state ^= f->random_state << 17;
    return f->random_state;
}

static uint64_t random_below(struct fuzzer *f, uint64_t limit) { return random_u64(f) % limit; }

// Of any size, small ones as often as large ones.
static uint64_t random_size(struct fuzzer *f) { return random_u64(f) >> random_below(f, 64); }

static bool is_allowed(const struct sweep_call *call) {
    static const uint32_t numbers[] = {
        SYSCALL_PROCESS_EXIT,   SYSCALL_PROCESS_FREEZE,  SYSCALL_THREAD_EXIT, SYSCALL_THREAD_CREATE,
        SYSCALL_FIXUP_REGISTER, SYSCALL_SYSTEM_POWEROFF, SYSCALL_LOG_WRITE,   SYSCALL_SERIAL_WRITE,
        SYSCALL_SERIAL_READ,    SYSCALL_BLOCK_WRITE,     SYSCALL_NIC_SEND,
    };
    for (uint32_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (call->number == numbers[i]) return false;
    return true;
}

static uint64_t now_ns(void) {
    uint64_t now = 0;
    clock_get(CL_CLOCK_MONOTONIC, &now);
    return now;
}

static uint64_t koid_of(handle_t handle) {
    struct cl_object_info info;
    return object_info(handle, &info) == OK ? info.koid : 0;
}

// In place of another one, which is closed: but never of the first, which is the child namespace.
static void handle_keep(struct fuzzer *f, handle_t handle) {
    struct cl_object_info info;
    uint32_t slot = 1 + (uint32_t)random_below(f, HANDLES_MAX - 1);
    if (object_info(handle, &info) != OK) info.type = 0;
    handle_close(handles[slot]);
    handles[slot] = handle;
    types[slot] = info.type;
}

static handle_t handle_of(struct fuzzer *f, uint32_t mask) {
    for (int tries = 0; tries < 40; tries++) {
        uint32_t slot = (uint32_t)random_below(f, HANDLES_MAX);
        if (mask & OBJ_MASK(types[slot])) return handles[slot];
    }
    return 0;
}

static bool is_kept_handle(uint64_t value) {
    return (uint32_t)value < KEPT_MAX && is_kept[(uint32_t)value];
}

// The child is used as a namespace, but not given away.
static uint64_t handle_spare(const struct sweep_arg *arg, uint64_t value) {
    bool is_use = value == child && arg->types == OBJ_MASK(OBJ_NAMESPACE);
    return is_kept_handle(value) && !is_use ? 0 : value;
}

static uint64_t handle_argument(struct fuzzer *f, const struct sweep_arg *arg) {
    switch (random_below(f, 12)) {
    case 0: return handles[random_below(f, HANDLES_MAX)];
    case 1: return random_size(f);
    case 2: return 0;
    default: return handle_of(f, arg->types);
    }
}

static uint64_t number_argument(struct fuzzer *f, const struct sweep_arg *arg) {
    switch (random_below(f, 20)) {
    case 0: return random_size(f);
    case 1: return random_size(f) & ~(CL_PAGE_SIZE - 1);
    case 2:
    case 3: return random_below(f, 16);
    case 4:
    case 5: return 1ul << random_below(f, 64);
    case 6: return arg->good + random_below(f, 3) - 1;
    case 7:
    case 8: return random_below(f, 64) * CL_PAGE_SIZE;
    case 9: return room + random_below(f, ROOM_PAGES) * CL_PAGE_SIZE;
    case 10: return SIGNAL_SIGNALED;
    case 11: return CL_MAP_READ | CL_MAP_WRITE;
    case 12: return CL_RIGHTS_SAME;
    case 13: return 0;
    default: return arg->good;
    }
}

// Never where the program itself lives: calls may write there.
static uint64_t memory_argument(struct fuzzer *f, const struct sweep_arg *arg) {
    uint64_t in_room = room + (random_below(f, ROOM_PAGES * CL_PAGE_SIZE / 2) & ~7ul);
    switch (random_below(f, 16)) {
    case 0: return arg->optional ? 0 : random_below(f, CL_PAGE_SIZE);
    case 1: return CL_PROCESS_LIMIT + (random_u64(f) >> 17);
    case 2: return room + ROOM_PAGES * CL_PAGE_SIZE - random_below(f, 64);
    case 3: return in_room + 1;
    default: return in_room;
    }
}

// What structures are read from: numbers, addresses and handles in turns.
static void room_stir(struct fuzzer *f) {
    for (int i = 0; i < 16; i++) {
        uint64_t *word =
            (uint64_t *)(room + (random_below(f, ROOM_PAGES * CL_PAGE_SIZE / 2) & ~7ul));
        uint64_t handle = handles[1 + random_below(f, HANDLES_MAX - 1)];
        const uint64_t values[] = {0, random_size(f), room + random_below(f, CL_PAGE_SIZE), ~0ul,
                                   handle};
        *word = values[random_below(f, sizeof(values) / sizeof(values[0]))];
    }
}

static void message_make(struct fuzzer *f, uint64_t address) {
    uint32_t *list = (uint32_t *)room;
    struct cl_message *message = (struct cl_message *)address;
    for (int i = 0; i < MESSAGE_HANDLES; i++)
        list[i] = handles[1 + random_below(f, HANDLES_MAX - 1)];
    *message = (struct cl_message){
        .bytes = room + CL_PAGE_SIZE,
        .bytes_size = (uint32_t)random_below(f, 600),
        .handles = (uint64_t)list,
        .handles_count = (uint32_t)random_below(f, MESSAGE_HANDLES),
    };
}

static bool is_in_room(uint64_t address) {
    return address >= room && address < room + ROOM_PAGES * CL_PAGE_SIZE / 2;
}

static uint64_t struct_make(struct fuzzer *f, const struct sweep_arg *arg) {
    uint64_t address = memory_argument(f, arg);
    if (!is_in_room(address)) return address;
    if (arg->good == sizeof(struct cl_message) && address % 8 == 0 && random_below(f, 4))
        message_make(f, address);
    else if (random_below(f, 2))
        memset((void *)address, random_below(f, 2) ? 0xff : 0, arg->good);
    return address;
}

// A short path, so that what was bound is found again.
static uint64_t name_make(struct fuzzer *f, const struct sweep_arg *arg) {
    uint64_t address = memory_argument(f, arg);
    if (is_in_room(address))
        for (int i = 0; i < 5; i++)
            ((char *)address)[i] = i % 2 ? '/' : (char)('a' + random_below(f, i == 0 ? 26 : 3));
    return address;
}

static uint64_t argument_make(struct fuzzer *f, const struct sweep_arg *arg) {
    switch (arg->kind) {
    case SWEEP_NUMBER: return number_argument(f, arg);
    case SWEEP_DEADLINE: return random_below(f, 4) ? 0 : now_ns() + random_below(f, SOON_NS);
    case SWEEP_HANDLE: return handle_spare(arg, handle_argument(f, arg));
    case SWEEP_IN_STRUCT: return struct_make(f, arg);
    case SWEEP_STRING: return name_make(f, arg);
    default: return memory_argument(f, arg);
    }
}

static status_t system_call(uint64_t number, const uint64_t args[ARGS_MAX], uint64_t outs[3]) {
    uint64_t rax = number, rdi = args[0], rsi = args[1], rdx = args[2];
    register uint64_t r10 __asm__("r10") = args[3];
    register uint64_t r8 __asm__("r8") = args[4];
    register uint64_t r9 __asm__("r9") = args[5];
    __asm__ volatile("syscall"
                     : "+a"(rax), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10), "+r"(r8), "+r"(r9)
                     :
                     : "rcx", "r11", "memory");
    outs[0] = rdx;
    outs[1] = r8;
    outs[2] = r9;
    return (status_t)rax;
}

// Calls on this process's own part of its memory go to the room only, and not to its end.
static void own_memory_spare(struct fuzzer *f, const struct sweep_call *call,
                             uint64_t args[ARGS_MAX]) {
    bool is_map = call->number == SYSCALL_ASPACE_MAP;
    if (call->number < SYSCALL_ASPACE_MAP || call->number > SYSCALL_ASPACE_DISCARD) return;
    if (args[0] == 0 || is_map) args[0] = handle_of(f, OBJ_MASK(OBJ_ASPACE));
    if (args[0] == 0) args[0] = 1;
}

static void call_once(struct fuzzer *f, const struct sweep_call *call) {
    uint64_t args[ARGS_MAX] = {}, outs[3];
    for (uint32_t i = 0; i < call->args_count; i++)
        args[i] = argument_make(f, &call->args[i]);
    own_memory_spare(f, call, args);
    if (call->number == SYSCALL_HANDLE_CLOSE && is_kept_handle(args[0])) return;
    if (call->number == SYSCALL_NS_KILL && koid_of((handle_t)args[0]) == child_koid) return;
    status_t status = system_call(call->number, args, outs);
    test_check(status <= OK && status >= ERR_LAST, "a status that is none");
    if (status != OK) return;
    f->answered_ok++;
    for (int i = 0; i < 3; i++)
        if (outs[i] > 0 && outs[i] <= CL_PROCESS_HANDLES_MAX && random_below(f, 2))
            handle_keep(f, (handle_t)outs[i]);
}

static void device_keep(const char *name, uint32_t rights) {
    handle_t copy;
    if (test_named(name) && handle_duplicate(test_named(name), rights, &copy) == OK)
        handle_keep(&fuzzers[0], copy);
}

static void objects_make(void) {
    struct cl_ns_limits limits;
    uint64_t size = (ROOM_PAGES + 1) * CL_PAGE_SIZE;
    memset(&limits, 0xff, sizeof(limits)); // CL_LIMIT_SAME
    test_ok(ns_create(test_namespace(), "fuzz", 4, &limits, &child), "ns_create");
    child_koid = koid_of(child);
    for (int i = 0; i < COPIES; i++)
        test_ok(handle_duplicate(child, CL_RIGHTS_SAME, &child_copies[i]), "handle_duplicate");
    for (uint32_t handle = 0; handle < KEPT_MAX; handle++)
        is_kept[handle] = koid_of(handle) != 0;
    handles[0] = child;
    types[0] = OBJ_NAMESPACE;
    test_ok(aspace_map(0, 0, 0, 0, size, CL_MAP_READ | CL_MAP_WRITE, &room), "map");
    test_ok(aspace_protect(0, room + size - CL_PAGE_SIZE, CL_PAGE_SIZE, 0), "protect");
    handle_t first, second;
    const struct cl_channel_options options = {.call_bytes_max = 512, .call_handles_max = 4};
    test_ok(channel_create(child, child, &options, &first, &second), "channel_create");
    handle_keep(&fuzzers[0], first);
    handle_keep(&fuzzers[0], second);
    device_keep("system", RIGHT_INSPECT | RIGHT_DUPLICATE | RIGHT_WAIT);
    device_keep("block0", RIGHT_INSPECT | RIGHT_DUPLICATE | RIGHT_READ);
    device_keep("nic0", RIGHT_INSPECT | RIGHT_DUPLICATE | RIGHT_READ);
}

// From the kernel's command line: `seed=N`.
static uint64_t seed(void) {
    const char *text = test_option("seed");
    uint64_t value = 0;
    for (; text && *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (uint64_t)(*text - '0');
    return SEED + value * THREADS;
}

// A random number in a message can be one of the child's handles, and then it is sent away.
static handle_t child_find(void) {
    for (int i = 0; i < COPIES; i++)
        if (koid_of(child_copies[i]) == child_koid) return child_copies[i];
    return child;
}

static void fuzz(struct fuzzer *f) {
    const uint64_t calls_count = sizeof(sweep_calls) / sizeof(sweep_calls[0]);
    for (uint64_t i = 0; i < CALLS; i++) {
        const struct sweep_call *call = &sweep_calls[random_below(f, calls_count)];
        if (i % 8 == 0) room_stir(f);
        if (is_allowed(call)) call_once(f, call);
    }
    thread_bind_aspace(0);
}

static void thread_run(uint64_t index) {
    fuzz(&fuzzers[index]);
    thread_exit();
}

static void threads_run(void) {
    handle_t threads[THREADS];
    uint32_t observed;
    for (uint64_t i = 1; i < THREADS; i++)
        test_ok(thread_create((uint64_t)thread_run, (uint64_t)stacks[i] + STACK_SIZE - 8, i,
                              &threads[i]),
                "thread_create");
    for (uint64_t i = 1; i < THREADS; i++)
        is_kept[threads[i]] = true;
    fuzz(&fuzzers[0]);
    for (uint64_t i = 1; i < THREADS; i++)
        test_ok(object_wait(threads[i], SIGNAL_TERMINATED, 0, test_deadline(DEATH_MS), &observed),
                "a thread's end");
}

void test_run(void) {
    uint32_t observed;
    uint64_t answered_ok = 0;
    for (uint64_t i = 0; i < THREADS; i++)
        fuzzers[i].random_state = seed() + i;
    objects_make();
    threads_run();
    kernel_check();
    handle_t end = child_find();
    test_ok(ns_kill(end), "ns_kill");
    test_ok(object_wait(end, SIGNAL_TERMINATED, 0, test_deadline(DEATH_MS), &observed), "its end");
    for (uint64_t i = 0; i < THREADS; i++)
        answered_ok += fuzzers[i].answered_ok;
    test_check(answered_ok > THREADS * CALLS / 20, "too few calls were right to mean anything");
    test_printf("fuzz: %lu of %u calls were done", answered_ok, THREADS * CALLS);
    test_pass("random system calls of two threads return, and the kernel stands");
}
