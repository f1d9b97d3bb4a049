// What one container can do to the other CPU: threads on both contend for the kernel's locks, by the
// argument. For a while they do it, and for the next they only spin, in step with the victim (`pace` in
// tests/linux/hostile/attack.c): which of the two it is, the time says. For ever.
#include "cloister.h"

#include "lib/format.h"
#include "lib/message.h"
#include "lib/startup.h"
#include "lib/string.h"

enum : u64 { WINDOW_NS = 50'000'000 };
enum { THREADS = 8, STACK_BYTES = 16384, SPIN = 20000, PAGES = 16, BURST = 8, CHUNK_PAGES = 256 };

static alignas(16) u8 stacks[THREADS][STACK_BYTES];
static handle_t own_ns, first_end, second_end, event;
static u32 word;

static u64 now(void) {
    u64 now_ns = 0;
    clock_get(CL_CLOCK_REALTIME, &now_ns);
    return now_ns;
}

// The other thread has these pages in its TLB, too: each change is a shoot-down.
static void shootdowns(void) {
    static u64 shared;
    u64 address = __atomic_load_n(&shared, __ATOMIC_RELAXED), size = PAGES * CL_PAGE_SIZE, mine;
    if (address == 0 && aspace_map(0, 0, 0, 0, size, CL_MAP_READ | CL_MAP_WRITE, &address) == OK)
        __atomic_store_n(&shared, address, __ATOMIC_RELAXED);
    aspace_protect(0, address, size, CL_MAP_READ);
    aspace_protect(0, address, size, CL_MAP_READ | CL_MAP_WRITE);
    aspace_discard(0, address, size);
    if (aspace_map(0, 0, 0, 0, size, CL_MAP_READ | CL_MAP_WRITE, &mine) != OK) return;
    for (u64 at = 0; at < size; at += CL_PAGE_SIZE)
        *(volatile u8 *)(mine + at) = 1;
    aspace_unmap(0, mine, size);
}

// All but one sleep, and are woken at once.
static void futexes(void) {
    static u32 sleepers;
    u32 woken, seen = __atomic_add_fetch(&word, 1, __ATOMIC_RELAXED);
    futex_wake((u64)&word, THREADS, &woken);
    if (__atomic_add_fetch(&sleepers, 1, __ATOMIC_RELAXED) < THREADS)
        futex_wait((u64)&word, seen, 0, CL_DEADLINE_NEVER);
    __atomic_sub_fetch(&sleepers, 1, __ATOMIC_RELAXED);
}

static void channels(void) {
    char bytes[64] = {};
    struct cl_received received;
    message_send(first_end, bytes, sizeof(bytes), NULL, 0);
    message_receive(second_end, bytes, sizeof(bytes), NULL, 0, CL_DEADLINE_POLL, &received);
}

static void handles(void) {
    handle_t copy;
    if (handle_duplicate(event, CL_RIGHTS_SAME, &copy) == OK) handle_close(copy);
}

// To look at a ledger recalls what it has idle; what it takes then comes from the parent that it
// shares with the victim.
static void ledgers(void) {
    struct cl_ns_info info;
    u64 mine, size = CHUNK_PAGES * CL_PAGE_SIZE;
    if (aspace_map(0, 0, 0, 0, size, CL_MAP_READ | CL_MAP_WRITE, &mine) != OK) return;
    for (u64 at = 0; at < size; at += CL_PAGE_SIZE)
        *(volatile u8 *)(mine + at) = 1;
    aspace_unmap(0, mine, size);
    ns_info(own_ns, &info);
}

static void queues(void) {
    u32 woken, seen = __atomic_add_fetch(&word, 1, __ATOMIC_RELAXED);
    futex_wake((u64)&word, 1, &woken);
    thread_yield();
    if (woken) futex_wait((u64)&word, seen, 0, CL_DEADLINE_NEVER);
}

static void objects(void) {
    handle_t made[2];
    static const struct cl_channel_options small = {.call_bytes_max = 64};
    if (event_create(0, &made[0]) == OK) handle_close(made[0]);
    if (memobj_create(0, CL_PAGE_SIZE, &made[0]) == OK) handle_close(made[0]);
    if (channel_create(0, 0, &small, &made[0], &made[1]) != OK) return;
    handle_close(made[0]);
    handle_close(made[1]);
}

// Nobody sleeps meanwhile.
static void spin(void) {
    u32 woken;
    __atomic_add_fetch(&word, 1, __ATOMIC_RELAXED);
    futex_wake((u64)&word, THREADS, &woken);
    for (u32 i = 0; i < SPIN; i++)
        __asm__ volatile("");
}

// What is measured beside it is the measurement's own error.
static void nothing(void) { spin(); }

static const struct storm {
    const char *name;
    void (*once)(void);
} storms[] = {
    {"shootdowns", shootdowns}, {"futexes", futexes}, {"channels", channels}, {"handles", handles},
    {"ledgers", ledgers},       {"queues", queues},   {"objects", objects},   {"nothing", nothing},
};

[[noreturn]] static void storm_run(u64 number) {
    for (;;) {
        if (now() / WINDOW_NS % 2 == 0) {
            spin();
            continue;
        }
        for (u32 i = 0; i < BURST; i++)
            storms[number].once();
    }
}

int main(struct startup *startup) {
    const char *name = startup_argument(startup, NULL);
    static const struct cl_channel_options options = {.send_bytes_max = 4096};
    own_ns = startup_handle(startup, "ns");
    if (event_create(0, &event) != OK) return 3;
    if (channel_create(0, 0, &options, &first_end, &second_end) != OK) return 3;
    for (u64 number = 0; name && number < ARRAY_SIZE(storms); number++) {
        if (strcmp(name, storms[number].name) != 0) continue;
        for (u32 i = 1; i < THREADS; i++) {
            handle_t thread;
            u64 stack = (u64)stacks[i] + STACK_BYTES - 8;
            if (thread_create((u64)storm_run, stack, number, &thread) != OK) return 3;
        }
        storm_run(number);
    }
    return 2;
}
