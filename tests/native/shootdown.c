// Unmapping while another CPU uses the page: after aspace_unmap has returned, nothing is written
// through what that CPU remembers, not even when the page is already somebody else's.
#include "lib/test.h"
#include "lib/string.h"

enum : uint64_t { CODE = 0x400000, DATA = 0x500000, OTHER = 0x700000, STACK_SIZE = 0x2000 };
enum { ROUNDS = 100, REUSED_PAGES = 4, PATTERN = 0x5a5a5a5a };

static handle_t aspace;
static uint8_t writer_stack[STACK_SIZE] __attribute__((aligned(16)));
static struct cl_restricted_state state;
static uint32_t round_begun; // by the test, read by the writer
static uint32_t round_ended; // by the writer

// 1: mov [rdi], rax; jmp 1b
static const uint8_t writer_code[] = {0x48, 0x89, 0x07, 0xeb, 0xfb};

static uint32_t load(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }

static void wait_until(uint32_t *word, uint32_t value) {
    for (uint32_t now = load(word); now != value; now = load(word))
        futex_wait((uint64_t)word, now, 0, test_deadline(10000));
}

static void set(uint32_t *word, uint32_t value) {
    uint32_t woken;
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
    futex_wake((uint64_t)word, 1, &woken);
}

// Each round: writes to DATA until it faults.
static void writer(uint64_t unused) {
    (void)unused;
    test_ok(thread_bind_aspace(aspace), "the writer binds the address space too");
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        wait_until(&round_begun, round);
        uint32_t reason = ~0u;
        state = (struct cl_restricted_state){.rip = CODE, .rdi = DATA, .rax = PATTERN};
        test_check(restricted_enter((uint64_t)&state, &reason) == OK &&
                       reason == CL_RESTRICTED_REASON_PAGE_FAULT && state.fault_address == DATA,
                   "the writer ends with a fault");
        set(&round_ended, round);
    }
    thread_exit();
}

static void map(uint64_t address, uint64_t pages) {
    uint64_t mapped;
    test_ok(aspace_map(aspace, 0, 0, address, pages * CL_PAGE_SIZE,
                       CL_MAP_READ | CL_MAP_WRITE | CL_MAP_FIXED, &mapped),
            "map");
}

// Pages that take the place of the unmapped one stay as they are.
static void check_reused(void) {
    map(OTHER, REUSED_PAGES);
    for (uint64_t turn = 0; turn < 100; turn++) {
        for (uint64_t page = 0; page < REUSED_PAGES; page++) {
            volatile uint64_t *word = (uint64_t *)(OTHER + page * CL_PAGE_SIZE);
            if (*word != turn) {
                test_fail("a page was written after it had been unmapped");
                return;
            }
            *word = turn + 1;
        }
    }
    test_ok(aspace_unmap(aspace, OTHER, REUSED_PAGES * CL_PAGE_SIZE), "unmap the others");
}

static void rounds(void) {
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        map(DATA, 1);
        volatile uint64_t *word = (uint64_t *)DATA;
        *word = 0;
        set(&round_begun, round);
        while (*word != PATTERN)
            thread_yield();
        test_ok(aspace_unmap(aspace, DATA, CL_PAGE_SIZE), "unmap");
        check_reused();
        wait_until(&round_ended, round);
    }
}

void test_run(void) {
    handle_t thread = 0;
    uint64_t mapped = 0;
    test_ok(aspace_create(&aspace), "an address space");
    test_ok(thread_bind_aspace(aspace), "bound");
    test_ok(aspace_map(aspace, 0, 0, CODE, CL_PAGE_SIZE,
                       CL_MAP_READ | CL_MAP_WRITE | CL_MAP_EXECUTE | CL_MAP_FIXED, &mapped),
            "a page for code");
    memcpy((void *)CODE, writer_code, sizeof(writer_code));
    test_ok(thread_create((uint64_t)writer, (uint64_t)writer_stack + STACK_SIZE - 8, 0, &thread),
            "the writer");
    rounds();
    uint32_t seen = 0;
    test_check(object_wait(thread, SIGNAL_TERMINATED, 0, test_deadline(5000), &seen) == OK, "end");
    handle_close(thread);
    test_ok(thread_bind_aspace(0), "unbind");
    handle_close(aspace);
    test_pass("a page that was unmapped is not written by anyone");
}
