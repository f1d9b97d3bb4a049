// Futexes: values, deadlines, order, and no wake-up lost between two CPUs.
#include "lib/test.h"
#include "lib/threads.h"

enum : uint32_t { SOON_MS = 30, LONG_MS = 20000, ROUNDS = 3000 };

static uint32_t word, other_word;

static status_t wait(uint32_t *at, uint32_t expected, uint64_t ms) {
    return futex_wait((uint64_t)at, expected, 0, test_deadline(ms));
}

static uint32_t wake(uint32_t *at, uint32_t count) {
    uint32_t woken = 0;
    return futex_wake((uint64_t)at, count, &woken) == OK ? woken : 0;
}

static void values(void) {
    word = 5;
    test_check(wait(&word, 4, LONG_MS) == ERR_SHOULD_WAIT, "another value");
    test_check(wait(&word, 5, SOON_MS) == ERR_TIMED_OUT, "deadline");
    test_check(futex_wait((uint64_t)&word, 5, 0, CL_DEADLINE_POLL) == ERR_TIMED_OUT, "poll");
    test_check(wake(&word, 10) == 0, "nobody sleeps");
    test_check(futex_wait(CL_PROCESS_BASE, 0, 0, 0) == ERR_BAD_POINTER, "no memory");
    test_pass("who sleeps on what");
}

static uint32_t turn, finished;

// Two threads hand a number to and fro; a wake-up that is lost ends in a deadline.
static void ping_pong(uint64_t me) {
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t mine = 2 * i + (uint32_t)me, now;
        while ((now = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) != mine)
            if (wait(&turn, now, LONG_MS) == ERR_TIMED_OUT) return;
        __atomic_store_n(&turn, mine + 1, __ATOMIC_RELEASE);
        wake(&turn, 1);
    }
    __atomic_fetch_add(&finished, 1, __ATOMIC_RELAXED);
}

static void nothing_lost(void) {
    handle_t a = test_thread(ping_pong, 0), b = test_thread(ping_pong, 1);
    test_thread_join(a);
    test_thread_join(b);
    test_check(finished == 2 && turn == 2 * ROUNDS, "every turn was taken");
    test_pass("no wake-up is lost");
}

enum { CROWD = 4 };
static uint32_t lock_word, counter;

static void lock(void) {
    uint32_t free = 0;
    if (__atomic_compare_exchange_n(&lock_word, &free, 1, false, __ATOMIC_ACQUIRE, 0)) return;
    while (__atomic_exchange_n(&lock_word, 2, __ATOMIC_ACQUIRE) != 0)
        wait(&lock_word, 2, LONG_MS);
}

static void unlock(void) {
    if (__atomic_exchange_n(&lock_word, 0, __ATOMIC_RELEASE) == 2) wake(&lock_word, 1);
}

static void count(uint64_t unused) {
    (void)unused;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        lock();
        counter++;
        unlock();
    }
}

static void mutex(void) {
    handle_t threads[CROWD];
    for (int i = 0; i < CROWD; i++)
        threads[i] = test_thread(count, 0);
    for (int i = 0; i < CROWD; i++)
        test_thread_join(threads[i]);
    test_check(counter == CROWD * ROUNDS, "counted right");
    test_pass("a mutex of a crowd");
}

static uint32_t asleep, woken_right;

static void sleeper(uint64_t at) {
    __atomic_fetch_add(&asleep, 1, __ATOMIC_RELAXED);
    if (wait((uint32_t *)at, 0, LONG_MS) == OK)
        __atomic_fetch_add(&woken_right, 1, __ATOMIC_RELAXED);
}

static void addresses(void) {
    word = other_word = 0;
    handle_t threads[3] = {
        test_thread(sleeper, (uint64_t)&word),
        test_thread(sleeper, (uint64_t)&other_word),
        test_thread(sleeper, (uint64_t)&word),
    };
    uint32_t woken = 0;
    uint64_t deadline_ns = test_deadline(LONG_MS), now_ns = 0;
    while (woken < 2 && now_ns < deadline_ns) {
        woken += wake(&word, 1);
        thread_yield();
        clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    }
    test_check(wake(&word, 10) == 0, "two slept on this word");
    while (wake(&other_word, 10) == 0 && now_ns < deadline_ns)
        clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    for (int i = 0; i < 3; i++)
        test_thread_join(threads[i]);
    test_check(woken_right == 3, "all were woken");
    test_pass("one word's sleepers are not another's");
}

void test_run(void) {
    values();
    nothing_lost();
    mutex();
    addresses();
}
