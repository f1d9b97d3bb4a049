// Long work of one in the kernel keeps nobody else from going on. How long that takes is judged on one
// CPU whose time is counted in instructions (tests/qemu/test_native.py); else all is done just so.
//
// An address space is freed by who lets go of it last, as soon as that has a processor: others, who
// have to do with what was mapped there, don't wait for it. And whatever a call has to go through,
// interrupts come in between: a sleeper beside it is served.
#include "lib/string.h"
#include "lib/test.h"
#include "lib/threads.h"
#include "lib/twin.h"

enum : uint64_t {
    MAPPINGS = 60000,
    END = CL_LINUX_BASE + MAPPINGS * CL_PAGE_SIZE,
    LATE_NS = 50'000'000,
    TABLE_SIZE = CL_PAGE_SIZE * 512,
    TABLES = 4096,
    SLEEP_NS = 3'000'000,
    WAKE_NS_MAX = 2'000'000,
};
enum { SPINNERS = 8, SLEEPS = 60 };
// What the holder and the test tell each other, in the memory that is shared.
enum word { WORD_NOTHING, WORD_READY, WORD_GO, WORD_FREEING };

struct scene {
    handle_t slow, owner, memory,
        revoker; // `memory` is the owner's; the holder has it by `revoker`
};

static bool is_counted(void) { return test_option("counted") != nullptr; }

static uint64_t now(void) {
    uint64_t now_ns;
    clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    return now_ns;
}

static void sleep_ms(uint64_t milliseconds) {
    static uint32_t word;
    futex_wait((uint64_t)&word, 0, 0, test_deadline(milliseconds));
}

static void say(handle_t memory, enum word word) {
    test_ok(memobj_write(memory, 0, &word, sizeof(word)), "a word is said");
}

static void wait_for(handle_t memory, enum word wanted) {
    for (enum word word = WORD_NOTHING; word != wanted; sleep_ms(1))
        test_ok(memobj_read(memory, 0, &word, sizeof(word)), "a word is read");
}

[[noreturn]] static void spin(handle_t, uint64_t) {
    for (;;)
        __asm__ volatile(".rept 100\n\tnop\n\t.endr");
}

// An address space that takes long to go through.
static handle_t mappings_make(void) {
    const uint32_t flags = CL_MAP_READ | CL_MAP_EXACT;
    handle_t aspace, small;
    uint64_t at;
    test_ok(aspace_create(&aspace), "an address space");
    test_ok(memobj_create(0, CL_PAGE_SIZE, &small), "a page");
    for (uint64_t address = CL_LINUX_BASE; address < END; address += CL_PAGE_SIZE)
        test_ok(aspace_map(aspace, small, 0, address, CL_PAGE_SIZE, flags, &at), "a mapping");
    handle_close(small);
    return aspace;
}

// Has one with `memory` at its end, and lets go of it.
[[noreturn]] static void hold(handle_t memory, uint64_t) {
    handle_t aspace = mappings_make();
    uint64_t at;
    test_ok(aspace_map(aspace, memory, 0, END, CL_PAGE_SIZE, CL_MAP_READ | CL_MAP_EXACT, &at),
            "the last one");
    say(memory, WORD_READY);
    wait_for(memory, WORD_GO);
    say(memory, WORD_FREEING);
    handle_close(aspace);
    const enum word word = WORD_NOTHING;
    (void)memobj_write(memory, 0, &word, sizeof(word)); // by now its owner may be dead
    process_exit(0);
}

static void start(handle_t ns, twin_entry *entry, handle_t bootstrap) {
    handle_t process;
    test_ok(twin_start(ns, entry, bootstrap, 0, &process), "a process starts");
    handle_close(process);
}

// In the middle of it, beside others that leave the holder little time.
static struct scene scene_begin(void) {
    struct scene scene = {.slow = test_child_namespace("slow"),
                          .owner = test_child_namespace("owner")};
    handle_t copy;
    test_ok(memobj_create(scene.owner, CL_PAGE_SIZE * 2, &scene.memory), "memory");
    test_ok(handle_duplicate_revocable(scene.memory, CL_RIGHTS_SAME, &copy, &scene.revoker),
            "a copy");
    start(scene.slow, hold, copy);
    wait_for(scene.memory, WORD_READY);
    for (uint32_t i = 0; i < SPINNERS; i++)
        start(scene.slow, spin, 0);
    sleep_ms(20);
    say(scene.memory, WORD_GO);
    wait_for(scene.memory, WORD_FREEING);
    return scene;
}

static void scene_end(struct scene *scene, uint64_t from_ns, const char *text) {
    uint64_t took_ns = now() - from_ns;
    enum word word;
    bool is_freeing =
        memobj_read(scene->memory, 0, &word, sizeof(word)) != OK || word == WORD_FREEING;
    test_printf("%s: %lu us", text, took_ns / 1000);
    test_check(!is_counted() || is_freeing, "it is not freed yet");
    test_check(!is_counted() || took_ns < LATE_NS, text);
    test_pass(text);
    handle_close(scene->memory);
    handle_close(scene->revoker);
    test_ok(test_namespace_end(scene->slow), "the end of the slow one");
    test_ok(test_namespace_end(scene->owner), "the owner's end");
}

static void resize(void) {
    struct scene scene = scene_begin();
    uint64_t from_ns = now();
    test_ok(memobj_resize(scene.memory, CL_PAGE_SIZE), "resize");
    scene_end(&scene, from_ns, "memory is given another size");
}

static void revoke(void) {
    struct scene scene = scene_begin();
    uint64_t from_ns = now();
    test_ok(revoker_revoke(scene.revoker), "revoke");
    scene_end(&scene, from_ns, "what was mapped there is taken back");
}

// The reaper has to do with all that die.
static void reap(void) {
    struct scene scene = scene_begin();
    handle_t other = test_child_namespace("other");
    uint64_t from_ns = now();
    test_ok(ns_kill(scene.owner), "the owner is killed");
    test_ok(test_namespace_end(other), "another namespace's end");
    scene_end(&scene, from_ns, "another namespace ends while the memory's owner does");
}

// ---- a sleeper beside it ----

[[noreturn]] static void protect(handle_t memory, uint64_t) {
    handle_t aspace = mappings_make();
    say(memory, WORD_READY);
    for (;;) {
        test_ok(aspace_protect(aspace, CL_LINUX_BASE, END - CL_LINUX_BASE, 0), "protect");
        test_ok(aspace_protect(aspace, CL_LINUX_BASE, END - CL_LINUX_BASE, CL_MAP_READ), "protect");
    }
}

static void room_map(handle_t aspace) {
    uint64_t at;
    test_ok(aspace_map(aspace, 0, 0, CL_LINUX_BASE, TABLES * TABLE_SIZE,
                       CL_MAP_READ | CL_MAP_WRITE | CL_MAP_EXACT, &at),
            "much room");
}

// An address space with page tables that are empty: they stay.
static handle_t tables_make(void) {
    handle_t aspace;
    test_ok(aspace_create(&aspace), "an address space");
    test_ok(thread_bind_aspace(aspace), "it is bound");
    room_map(aspace);
    for (uint64_t i = 0; i < TABLES; i++)
        *(volatile uint8_t *)(CL_LINUX_BASE + i * TABLE_SIZE) = 1;
    test_ok(aspace_unmap(aspace, CL_LINUX_BASE, TABLES * TABLE_SIZE), "unmap");
    return aspace;
}

[[noreturn]] static void unmap(handle_t memory, uint64_t) {
    handle_t aspace = tables_make();
    say(memory, WORD_READY);
    for (;;) {
        room_map(aspace);
        test_ok(aspace_unmap(aspace, CL_LINUX_BASE, TABLES * TABLE_SIZE), "unmap");
    }
}

[[noreturn]] static void fork(handle_t memory, uint64_t) {
    handle_t aspace = tables_make(), twin;
    room_map(aspace);
    say(memory, WORD_READY);
    for (;;) {
        test_ok(aspace_fork(aspace, &twin), "fork");
        handle_close(twin);
    }
}

static uint64_t sleep_late_ns(uint64_t sleep_ns) {
    static uint32_t word;
    uint64_t deadline_ns = now() + sleep_ns;
    futex_wait((uint64_t)&word, 0, 0, deadline_ns);
    return now() - deadline_ns;
}

static void wake(twin_entry *work, const char *text) {
    handle_t ns = test_child_namespace("busy"), memory, copy;
    uint64_t late_ns = 0;
    test_ok(memobj_create(0, CL_PAGE_SIZE, &memory), "memory");
    test_ok(handle_duplicate(memory, CL_RIGHTS_SAME, &copy), "a copy");
    start(ns, work, copy);
    wait_for(memory, WORD_READY);
    for (uint32_t i = 0; i < SLEEPS; i++) {
        uint64_t this_ns = sleep_late_ns(SLEEP_NS + i * 50'000);
        late_ns = this_ns > late_ns ? this_ns : late_ns;
    }
    test_printf("%s: %lu us late", text, late_ns / 1000);
    test_check(!is_counted() || late_ns <= WAKE_NS_MAX, text);
    test_pass(text);
    handle_close(memory);
    test_ok(test_namespace_end(ns), "its end");
}

void test_run(void) {
    resize();
    revoke();
    reap();
    wake(protect, "a sleeper beside who changes what many mappings allow");
    wake(unmap, "a sleeper beside who goes through many empty tables");
    wake(fork, "a sleeper beside who copies them");
}
