// The storms of tests/services/storm.c for Linux, as near as it has the same things: eight threads
// contend for what its kernel locks, and in turns they only spin, in step with the victim (`pace` in
// attack.c). For ever; never run outside a container.
#include "../check.h"

enum : u64 { NS_PER_MS = 1000000 };
enum {
    PAGE = 4096,
    THREADS = 8,
    STACK_BYTES = 16384,
    SPIN = 20000,
    PAGES = 16,
    BURST = 8,
    CHUNK_PAGES = 256,
    FUTEX_WAIT = 128, // private
    FUTEX_WAKE = 129,
    SYS_dup = 32,
    SYS_clone = 56,
    SYS_eventfd = 284,
    SYS_pipe2 = 293,
    SYS_memfd_create = 319,
    MADV_DONTNEED = 4,
    O_NONBLOCK = 04000,
    // VM, FS, FILES, SIGHAND, THREAD, SYSVSEM
    CLONE_THREAD_FLAGS = 0x50f00,
    MAP_ANONYMOUS_PRIVATE = 0x22,
};

static u8 stacks[THREADS][STACK_BYTES] __attribute__((aligned(16)));
static int pipe_ends[2];
static u32 word;
static u64 window_ns;

static u64 now(void) {
    struct timespec at;
    SYS(SYS_clock_gettime, 0, &at);
    return (u64)at.seconds * 1000000000 + (u64)at.nanoseconds;
}

static void pages_touch(long address, long size) {
    for (long at = 0; at < size; at += PAGE)
        *(volatile char *)(address + at) = 1;
}

static long pages_map(long size) {
    return SYS(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS_PRIVATE, -1, 0);
}

static void pages_once(long size) {
    long mine = pages_map(size);
    if (mine < 0) return;
    pages_touch(mine, size);
    SYS(SYS_munmap, mine, size);
}

static void shootdowns(void) {
    static long shared;
    long address = __atomic_load_n(&shared, __ATOMIC_RELAXED), size = PAGES * PAGE;
    if (address == 0) {
        address = pages_map(size);
        __atomic_store_n(&shared, address, __ATOMIC_RELAXED);
    }
    SYS(SYS_mprotect, address, size, PROT_READ);
    SYS(SYS_mprotect, address, size, PROT_READ | PROT_WRITE);
    SYS(SYS_madvise, address, size, MADV_DONTNEED);
    pages_once(size);
}

// All but one sleep, and are woken at once.
static void futexes(void) {
    static u32 sleepers;
    u32 seen = __atomic_add_fetch(&word, 1, __ATOMIC_RELAXED);
    SYS(SYS_futex, &word, FUTEX_WAKE, THREADS, 0, 0, 0);
    if (__atomic_add_fetch(&sleepers, 1, __ATOMIC_RELAXED) < THREADS)
        SYS(SYS_futex, &word, FUTEX_WAIT, seen, 0, 0, 0);
    __atomic_sub_fetch(&sleepers, 1, __ATOMIC_RELAXED);
}

// Channels there.
static void pipes(void) {
    char bytes[64] = {};
    SYS(SYS_write, pipe_ends[1], bytes, sizeof(bytes));
    SYS(SYS_read, pipe_ends[0], bytes, sizeof(bytes));
}

static void descriptors(void) {
    long copy = SYS(SYS_dup, pipe_ends[0]);
    if (copy >= 0) SYS(SYS_close, copy);
}

// What the container's memory is counted by.
static void counters(void) { pages_once(CHUNK_PAGES * PAGE); }

static void queues(void) {
    u32 seen = __atomic_add_fetch(&word, 1, __ATOMIC_RELAXED);
    long woken = SYS(SYS_futex, &word, FUTEX_WAKE, 1, 0, 0, 0);
    SYS(SYS_sched_yield);
    if (woken > 0) SYS(SYS_futex, &word, FUTEX_WAIT, seen, 0, 0, 0);
}

static void objects(void) {
    int ends[2];
    long made = SYS(SYS_eventfd, 0);
    if (made >= 0) SYS(SYS_close, made);
    made = SYS(SYS_memfd_create, "m", 0);
    if (made >= 0) SYS(SYS_close, made);
    if (SYS(SYS_pipe2, ends, 0) != 0) return;
    SYS(SYS_close, ends[0]);
    SYS(SYS_close, ends[1]);
}

// Nobody sleeps meanwhile.
static void spin(void) {
    __atomic_add_fetch(&word, 1, __ATOMIC_RELAXED);
    SYS(SYS_futex, &word, FUTEX_WAKE, THREADS, 0, 0, 0);
    for (u32 i = 0; i < SPIN; i++)
        __asm__ volatile("");
}

static void nothing(void) { spin(); }

// By the names that Cloister's have.
static const struct storm {
    const char *name;
    void (*once)(void);
} storms[] = {
    {"shootdowns", shootdowns}, {"futexes", futexes},  {"channels", pipes},
    {"handles", descriptors},   {"ledgers", counters}, {"queues", queues},
    {"objects", objects},       {"nothing", nothing},
};
static const struct storm *chosen;

[[noreturn]] static void storm_run(void) {
    for (;;) {
        if (now() / window_ns % 2 == 0) {
            spin();
            continue;
        }
        for (u32 i = 0; i < BURST; i++)
            chosen->once();
    }
}

// A thread of this process on `stack`, which runs storm_run().
static long thread_make(u8 *stack) {
    long result;
    register long r10 __asm__("r10") = 0;
    register long r8 __asm__("r8") = 0;
    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "call *%[run]\n"
                     "1:"
                     : "=a"(result)
                     : "a"((long)SYS_clone), "D"((long)CLONE_THREAD_FLAGS), "S"(stack), "d"(0L),
                       "r"(r10), "r"(r8), [run] "b"(storm_run)
                     : "rcx", "r11", "memory");
    return result;
}

static u64 number_of(const char *text) {
    u64 number = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        number = number * 10 + (u64)(*text - '0');
    return number;
}

static int program(long argc, char **argv) {
    if (argc != 3 || SYS(SYS_pipe2, pipe_ends, O_NONBLOCK) != 0) return 2;
    for (u32 i = 0; i < sizeof(storms) / sizeof(storms[0]); i++)
        if (text_equal(argv[1], storms[i].name)) chosen = &storms[i];
    window_ns = number_of(argv[2]) * NS_PER_MS;
    if (!chosen || window_ns == 0) return 2;
    for (u32 i = 1; i < THREADS; i++)
        if (thread_make(stacks[i] + STACK_BYTES) < 0) return 3;
    storm_run();
}

LINUX_PROGRAM(program)
