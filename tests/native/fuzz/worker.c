// A process that does random calls: two threads, one table of handles.
#include "fuzz.h"

enum { THREADS = 2, STACK_SIZE = 32768, HANDLES_MAX = 48, KEPT_MAX = 4096, COPIES = 4 };
enum { CALLS = 4000 };

static struct fuzzer fuzzers[THREADS];
static uint8_t stacks[THREADS][STACK_SIZE] __attribute__((aligned(16)));
static handle_t handles[HANDLES_MAX];
static uint32_t types[HANDLES_MAX];
static uint8_t is_kept[KEPT_MAX];

handle_t fuzz_namespace;
uint64_t fuzz_koid;
struct fuzz_counts *fuzz_counts;

uint64_t fuzz_random(struct fuzzer *f) {
    f->random_state ^= f->random_state << 13;
    f->random_state ^= f->random_state >> 7;
    f->random_state ^= f->random_state << 17;
    return f->random_state * 0x2545f4914f6cdd1d;
}

// What would end this program, wait for ever, or write where it must not.
static bool is_allowed(const struct sweep_call *call) {
    static const uint32_t numbers[] = {
        SYSCALL_PROCESS_EXIT,  SYSCALL_PROCESS_FREEZE, SYSCALL_THREAD_EXIT,
        SYSCALL_THREAD_CREATE, SYSCALL_FIXUP_REGISTER, SYSCALL_SYSTEM_POWEROFF,
        SYSCALL_LOG_WRITE,     SYSCALL_SERIAL_WRITE,   SYSCALL_SERIAL_READ,
    };
    for (uint32_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (call->number == numbers[i]) return false;
    return true;
}

// ---- handles ----

bool fuzz_is_kept(uint64_t handle) {
    return (uint32_t)handle < KEPT_MAX && is_kept[(uint32_t)handle];
}

void fuzz_keep(handle_t handle) {
    if (handle < KEPT_MAX) is_kept[handle] = true;
}

handle_t fuzz_handle(struct fuzzer *f, uint32_t mask) {
    for (int tries = 0; tries < 40; tries++) {
        uint32_t slot = (uint32_t)fuzz_below(f, HANDLES_MAX);
        if (handles[slot] && mask & OBJ_MASK(types[slot])) return handles[slot];
    }
    return 0;
}

// In place of another one, which is closed: but never of the first, the namespace. A result that is
// no handle may be the number of one that is kept.
static void handle_keep(struct fuzzer *f, handle_t handle) {
    struct cl_object_info info;
    uint32_t slot = 1 + (uint32_t)fuzz_below(f, HANDLES_MAX - 1);
    if (fuzz_is_kept(handle)) return;
    if (object_info(handle, &info) != OK) info.type = 0;
    handle_close(handles[slot]);
    handles[slot] = handle;
    types[slot] = info.type;
}

static uint64_t koid_of(handle_t handle) {
    struct cl_object_info info;
    return object_info(handle, &info) == OK ? info.koid : 0;
}

// ---- calls ----

static status_t system_call(uint64_t number, const uint64_t args[FUZZ_ARGS_MAX], uint64_t outs[3]) {
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

// The namespace that all is in is killed by the test, and keeps its limits.
static bool is_spared(const struct sweep_call *call, const uint64_t args[FUZZ_ARGS_MAX]) {
    bool is_end = call->number == SYSCALL_NS_KILL || call->number == SYSCALL_NS_SET_LIMITS;
    if (is_end) return koid_of((handle_t)args[0]) == fuzz_koid;
    return call->number == SYSCALL_HANDLE_CLOSE && fuzz_is_kept(args[0]);
}

static void poor_answered(const struct sweep_call *call, const uint64_t args[FUZZ_ARGS_MAX],
                          status_t status) {
    __atomic_fetch_add(&fuzz_counts->poor, 1, __ATOMIC_RELAXED);
    if (status != OK) return;
    if (fuzz_is_rich(call, args)) {
        __atomic_fetch_add(&fuzz_counts->poor_rich, 1, __ATOMIC_RELAXED);
        return;
    }
    __atomic_fetch_add(&fuzz_counts->poor_done, 1, __ATOMIC_RELAXED);
    fuzz_counts->poor_number = call->number;
}

static void call_once(struct fuzzer *f, const struct sweep_call *call) {
    uint64_t args[FUZZ_ARGS_MAX] = {}, outs[3];
    fuzz_arguments(f, call, args);
    bool is_poor = fuzz_below(f, 8) == 0 && fuzz_poor_put(f, call, args);
    if (is_spared(call, args)) return;
    status_t status = system_call(call->number, args, outs);
    uint64_t place = status > 0 || status < ERR_LAST ? FUZZ_ERRORS : (uint64_t)-status;
    if (place == FUZZ_ERRORS) process_exit(2); // a status that is none
    __atomic_fetch_add(&fuzz_counts->answers[call->number][place], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&fuzz_counts->calls, 1, __ATOMIC_RELAXED);
    if (is_poor) poor_answered(call, args, status);
    if (status != OK) return;
    for (int i = 0; i < 3; i++)
        if (outs[i] > 0 && outs[i] <= CL_PROCESS_HANDLES_MAX && fuzz_below(f, 2))
            handle_keep(f, (handle_t)outs[i]);
}

static void run(uint64_t index) {
    const uint64_t calls_count = sizeof(sweep_calls) / sizeof(sweep_calls[0]);
    struct fuzzer *f = &fuzzers[index];
    for (uint32_t i = 0; i < CALLS; i++) {
        const struct sweep_call *call = &sweep_calls[fuzz_below(f, calls_count)];
        if (i % 8 == 0) fuzz_stir(f);
        if (i % 4 == 0) fuzz_touch(f);
        if (is_allowed(call)) call_once(f, call);
    }
    thread_exit();
}

// ---- starting ----

static void cloned(void) { process_exit(0); }

static void counts_map(void) {
    handle_t memobj;
    uint64_t address, size = (sizeof(*fuzz_counts) + CL_PAGE_SIZE - 1) & ~(CL_PAGE_SIZE - 1);
    if (ns_open(fuzz_namespace, "counts", 6, CL_RIGHTS_SAME, &memobj) != OK ||
        aspace_map(0, memobj, 0, 0, size, CL_MAP_READ | CL_MAP_WRITE | CL_MAP_SHARED, &address) !=
            OK)
        process_exit(3);
    handle_close(memobj);
    fuzz_counts = (struct fuzz_counts *)address;
}

static void room_map(void) {
    uint64_t size = (FUZZ_ROOM_PAGES + 1) * CL_PAGE_SIZE;
    if (aspace_map(0, 0, 0, 0, size, CL_MAP_READ | CL_MAP_WRITE, &fuzz_room) != OK ||
        aspace_protect(0, fuzz_room + size - CL_PAGE_SIZE, CL_PAGE_SIZE, 0) != OK)
        process_exit(4);
}

static void handles_make(struct fuzzer *f) {
    handle_t first, second, copy;
    const struct cl_channel_options options = {.call_bytes_max = 512, .call_handles_max = 4};
    handles[0] = fuzz_namespace;
    types[0] = OBJ_NAMESPACE;
    for (int i = 0; i < COPIES; i++)
        if (handle_duplicate(fuzz_namespace, CL_RIGHTS_SAME, &copy) == OK) fuzz_keep(copy);
    fuzz_keep(fuzz_namespace);
    if (channel_create(fuzz_namespace, fuzz_namespace, &options, &first, &second) != OK) return;
    handle_keep(f, first);
    handle_keep(f, second);
    for (const char *name = "xyz"; *name; name++)
        if (ns_open(fuzz_namespace, name, 1, CL_RIGHTS_SAME, &copy) == OK) handle_keep(f, copy);
}

// Of each type that is made without ado.
static void poor_make(struct fuzzer *f) {
    handle_t made, more;
    fuzz_poor_make(f, fuzz_namespace);
    for (int i = 1; i < HANDLES_MAX; i++)
        if (handles[i]) fuzz_poor_make(f, handles[i]);
    if (memobj_create(0, CL_PAGE_SIZE, &made) == OK) fuzz_poor_make(f, made);
    if (event_create(0, &made) == OK) fuzz_poor_make(f, made);
    if (port_create(0, &made) == OK) fuzz_poor_make(f, made);
    if (timer_create(0, &made) == OK) fuzz_poor_make(f, made);
    if (queue_create(0, 512, 4, &made) == OK) fuzz_poor_make(f, made);
    if (aspace_create(&made) == OK) fuzz_poor_make(f, made);
    if (thread_self(&made) == OK) fuzz_poor_make(f, made);
    if (handle_duplicate_revocable(made, CL_RIGHTS_SAME, &made, &more) == OK)
        fuzz_poor_make(f, more);
}

void fuzz_worker(handle_t ns, uint64_t argument) {
    handle_t thread;
    fuzz_namespace = ns;
    fuzz_koid = koid_of(ns);
    if (argument & 1) process_freeze((uint64_t)cloned, (uint64_t)stacks[1] - 8);
    for (uint64_t i = 0; i < THREADS; i++)
        fuzzers[i].random_state = argument * 0x9e3779b97f4a7c15 + i * 2 + 1;
    counts_map();
    room_map();
    handles_make(&fuzzers[0]);
    poor_make(&fuzzers[0]);
    fuzz_touch_init();
    if (thread_create((uint64_t)run, (uint64_t)stacks[1] + STACK_SIZE - 8, 1, &thread) == OK)
        fuzz_keep(thread);
    run(0);
}
