// Threads that use, close and change the same things at once.
#include "lib/message.h"
#include "lib/string.h"
#include "threads.h"

enum { RACERS = 4, TURNS = 3000, SLOTS = 6 };

// ---- a ring of futexes ----

static uint32_t ring[RACERS], ring_done;

static void ring_run(uint64_t me) {
    uint32_t *mine = &ring[me], *next = &ring[(me + 1) % RACERS];
    for (uint32_t turn = 1; turn <= TURNS; turn++) {
        for (uint32_t now = load(mine); now != turn; now = load(mine))
            if (futex_wait((uint64_t)mine, now, 0, test_deadline(LIMIT_MS)) == ERR_TIMED_OUT)
                return;
        store(next, me == RACERS - 1 ? turn + 1 : turn);
        wake(next, 1);
    }
    __atomic_fetch_add(&ring_done, 1, __ATOMIC_RELAXED);
}

// All wait for one word; the last to come wakes all.
static uint32_t barrier_count, barrier_round, barrier_done;

static void barrier_run(uint64_t me) {
    (void)me;
    for (uint32_t turn = 0; turn < TURNS / 4; turn++) {
        if (__atomic_add_fetch(&barrier_count, 1, __ATOMIC_ACQ_REL) == RACERS) {
            store(&barrier_count, 0);
            store(&barrier_round, turn + 1);
            wake(&barrier_round, RACERS);
        }
        while (load(&barrier_round) == turn)
            if (futex_wait((uint64_t)&barrier_round, turn, 0, test_deadline(LIMIT_MS)) ==
                ERR_TIMED_OUT)
                return;
    }
    __atomic_fetch_add(&barrier_done, 1, __ATOMIC_RELAXED);
}

void futexes(void) {
    ring[0] = 1;
    workers_run(RACERS, ring_run);
    test_check(ring_done == RACERS, "a token goes round a ring");
    workers_run(RACERS, barrier_run);
    test_check(barrier_done == RACERS, "all meet at a barrier");
    test_pass("no wake-up is lost between many threads");
}

// ---- handles ----

static uint32_t slots[SLOTS];
static handle_t ends[2];

static handle_t slot_swap(uint64_t slot, handle_t handle) {
    return __atomic_exchange_n(&slots[slot], handle, __ATOMIC_ACQ_REL);
}

// Whoever takes a handle out of a slot owns it; everybody uses those in slots meanwhile.
static void handle_turn(uint64_t *random) {
    uint64_t slot = random_next(random) % SLOTS;
    struct cl_object_info info;
    struct cl_received received;
    handle_t seen = load(&slots[slot]), fresh = 0, revoker = 0;
    uint8_t byte;
    switch (random_next(random) % 8) {
    case 0: event_create(0, &fresh); break;
    case 1: handle_duplicate(seen, CL_RIGHTS_SAME, &fresh); break;
    case 2:
        if (handle_duplicate_revocable(seen, CL_RIGHTS_SAME, &fresh, &revoker) == OK) {
            if (random_next(random) % 2) revoker_revoke(revoker);
            handle_close(revoker);
        }
        break;
    case 3: event_signal(seen, SIGNAL_USER0, SIGNAL_USER1); return;
    case 4: object_info(seen, &info); return;
    case 5:
        fresh = slot_swap(slot, 0);
        if (fresh && message_send(ends[0], "", 1, &fresh, 1) == OK) return;
        break;
    case 6: message_receive(ends[1], &byte, 1, &fresh, 1, CL_DEADLINE_POLL, &received); break;
    default: break;
    }
    handle_close(slot_swap(slot, fresh));
}

static void handles_run(uint64_t me) {
    uint64_t random = me + 77;
    for (uint32_t turn = 0; turn < TURNS; turn++)
        handle_turn(&random);
}

void handle_races(void) {
    struct cl_channel_options options = {};
    test_ok(channel_create(0, 0, &options, &ends[0], &ends[1]), "channel");
    workers_run(RACERS, handles_run);
    for (uint32_t i = 0; i < SLOTS; i++)
        handle_close(slots[i]);
    handle_close(ends[0]);
    handle_close(ends[1]);
    test_pass("handles that several threads use, copy, send, revoke and close at once");
}

// ---- ports ----

static handle_t port, events[RACERS];
static uint32_t reports;

// One waits, the others register, signal, unregister and close.
static void ports_run(uint64_t me) {
    uint64_t random = me + 5, key;
    uint32_t signals;
    for (uint32_t turn = 0; turn < TURNS / 2; turn++) {
        if (me == 0) {
            if (port_wait(port, 0, now_ns() + 50'000, &key, &signals) == OK) reports++;
            continue;
        }
        uint64_t chosen = random_next(&random) % RACERS;
        handle_t own = 0;
        switch (random_next(&random) % 5) {
        case 0: port_register(port, events[chosen], SIGNAL_USER0, chosen, 0); break;
        case 1: port_register(port, events[chosen], SIGNAL_USER0, chosen, CL_PORT_ONCE); break;
        case 2: port_unregister(port, chosen); break;
        case 3: event_signal(events[chosen], SIGNAL_USER0, turn % 2 ? SIGNAL_USER0 : 0); break;
        default: // its object goes while it may be reported
            if (event_create(0, &own) != OK) break;
            port_register(port, own, SIGNAL_USER0, 100 + me, turn % 2 ? CL_PORT_ONCE : 0);
            event_signal(own, 0, SIGNAL_USER0);
            handle_close(own);
        }
    }
}

// Every signal of a ONCE registration is reported exactly once to one of many.
static uint32_t once_reported;

static void once_run(uint64_t me) {
    uint64_t key;
    uint32_t signals;
    if (me != 0) {
        while (port_wait(port, 0, test_deadline(LIMIT_MS), &key, &signals) == OK && key != 1000)
            __atomic_fetch_add(&once_reported, 1, __ATOMIC_RELAXED);
        return;
    }
    for (uint64_t turn = 0; turn < TURNS / 8; turn++) {
        handle_t event = events[turn % RACERS];
        event_signal(event, SIGNAL_USER0, 0);
        test_check(port_register(port, event, SIGNAL_USER0, turn, CL_PORT_ONCE) == OK, "once");
        event_signal(event, 0, SIGNAL_USER0);
        uint64_t limit = test_deadline(LIMIT_MS);
        while (__atomic_load_n(&once_reported, __ATOMIC_ACQUIRE) != turn + 1 && now_ns() < limit)
            thread_yield();
    }
    test_check(once_reported == TURNS / 8, "each once");
    port_register(port, events[0], SIGNAL_USER0, 1000, 0);
    event_signal(events[0], 0, SIGNAL_USER0);
}

void port_races(void) {
    test_ok(port_create(0, &port), "port");
    for (uint32_t i = 0; i < RACERS; i++)
        test_ok(event_create(0, &events[i]), "event");
    workers_run(RACERS, ports_run);
    for (uint64_t key = 0; key < 110; key++)
        port_unregister(port, key);
    workers_run(RACERS, once_run);
    for (uint32_t i = 0; i < RACERS; i++)
        handle_close(events[i]);
    handle_close(port);
    test_pass("registrations come and go while they are reported");
}

// ---- memory ----

enum : uint64_t { PLACE = 0x7fb000000000, PLACE_PAGES = 16, PATTERN = 0xc0ffee00 };
static handle_t memory;
static uint32_t memory_ended;

// Reads a word; ~0 when it can't be read.
extern char race_from[], race_to[], race_target[];
static __attribute__((noinline)) uint64_t read_safely(uint64_t address) {
    uint64_t value;
    asm volatile(".globl race_from, race_to, race_target\n"
                 "race_from: movq (%1), %0\n"
                 "race_to: jmp 1f\n"
                 "race_target: movq $-1, %0\n"
                 "1:"
                 : "=&r"(value)
                 : "r"(address)
                 : "memory");
    return value;
}

static void memory_change(uint64_t *random) {
    uint32_t rw = CL_MAP_READ | CL_MAP_WRITE;
    uint64_t page = random_next(random) % PLACE_PAGES;
    uint64_t pages = random_next(random) % (PLACE_PAGES - page) + 1, mapped;
    uint64_t at = PLACE + page * CL_PAGE_SIZE, size = pages * CL_PAGE_SIZE;
    switch (random_next(random) % 6) {
    case 0: aspace_map(0, memory, page * CL_PAGE_SIZE, at, size, rw | CL_MAP_FIXED, &mapped); break;
    case 1:
        aspace_map(0, memory, page * CL_PAGE_SIZE, at, size, rw | CL_MAP_FIXED | CL_MAP_SHARED,
                   &mapped);
        break;
    case 2: aspace_map(0, 0, 0, at, size, rw | CL_MAP_FIXED, &mapped); break;
    case 3: aspace_unmap(0, at, size); break;
    case 4: aspace_protect(0, at, size, random_next(random) % 2 ? CL_MAP_READ : rw); break;
    default: aspace_discard(0, at, size); break;
    }
}

// Whatever is mapped at a moment: a page shows itself, zeros, or a fault.
static void memory_run(uint64_t me) {
    uint64_t random = me + 9;
    if (me < 2) {
        for (uint32_t turn = 0; turn < TURNS / 2; turn++)
            memory_change(&random);
        __atomic_fetch_add(&memory_ended, 1, __ATOMIC_RELEASE);
        return;
    }
    while (load(&memory_ended) != 2) {
        uint64_t page = random_next(&random) % PLACE_PAGES;
        uint64_t value = read_safely(PLACE + page * CL_PAGE_SIZE);
        if (value != UINT64_MAX && value != 0 && value != PATTERN + page) {
            test_printf("page %lu shows %lx", page, value);
            test_fail("a page of something else is seen");
            return;
        }
    }
}

void memory_races(void) {
    test_ok(fixup_register((uint64_t)race_from, (uint64_t)race_to, (uint64_t)race_target), "fixup");
    test_ok(memobj_create(0, PLACE_PAGES * CL_PAGE_SIZE, &memory), "memory");
    for (uint64_t i = 0; i < PLACE_PAGES; i++) {
        uint64_t word = PATTERN + i;
        test_ok(memobj_write(memory, i * CL_PAGE_SIZE, &word, sizeof(word)), "contents");
    }
    workers_run(RACERS, memory_run);
    test_ok(aspace_unmap(0, PLACE, PLACE_PAGES * CL_PAGE_SIZE), "unmap");
    handle_close(memory);
    test_pass("memory that is mapped, protected and unmapped while others read it");
}
