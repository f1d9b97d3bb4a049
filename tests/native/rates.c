// Limits for reads and writes of a disk: how long what is asked for takes, who is charged, who waits
// for whom. Nothing is too late on one CPU, where the machine counts instructions as time: on others it
// may be the host that is late. `rates=slow` on the command line: the disk is slow, and is divided
// among siblings.
#include "lib/string.h"
#include "lib/test.h"
#include "lib/threads.h"
#include "lib/twin.h"

enum : uint64_t {
    PAGE = CL_PAGE_SIZE,
    REQUEST = 16 * PAGE, // the largest
    RATE = 2 << 20,
    RATE_BAD = 64, // a request is paid in a quarter of an hour
    NS_PER_S = 1'000'000'000,
    NS_PER_MS = 1'000'000,
    BURST_NS = 50 * NS_PER_MS,
    SOON_MS = 2000, // far from what would have to be waited for
    HANG_MS = 60000,
    SETTLE_MS = 50,
    BUSY_MS = 500,
};
enum {
    TRIES = 4,
    STEPS = 8,
    BURST_STEPS = 4,
    BELOW = 16,
    MANY = 20,
    BUSY = 8,
    ROUNDS = 12,
    GREEDY = 24,
    GREEDY_READS = 60
};

static handle_t disk, memory, backed;
// On one CPU each request is dear: the next then has time until it is noticed that the disk was late.
static bool is_exact;
static uint64_t rate = RATE, requests = 50;
static uint64_t disk_size, fault_offset;

static struct cl_ns_limits limits_same(void) {
    struct cl_ns_limits limits;
    memset(&limits, 0xff, sizeof(limits));
    return limits;
}

static void reads_limit(handle_t ns, uint64_t bytes, uint64_t requests) {
    struct cl_ns_limits limits = limits_same();
    limits.disk_read_bytes = bytes;
    limits.disk_read_requests = requests;
    test_ok(ns_set_limits(ns, &limits), "limits of reads");
}

static void writes_limit(uint64_t bytes, uint64_t requests) {
    struct cl_ns_limits limits = limits_same();
    limits.disk_write_bytes = bytes;
    limits.disk_write_requests = requests;
    test_ok(ns_set_limits(test_namespace(), &limits), "limits of writes");
}

static handle_t namespace_make(handle_t parent, const char *name, uint64_t bytes) {
    struct cl_ns_limits limits = limits_same();
    handle_t ns = 0;
    limits.disk_read_bytes = bytes;
    test_ok(ns_create(parent, name, (uint32_t)strlen(name), &limits, &ns), "a namespace");
    return ns;
}

static struct cl_ns_info info_of(handle_t ns) {
    struct cl_ns_info info = {};
    test_ok(ns_info(ns, &info), "a ledger");
    return info;
}

static uint64_t reads_of(handle_t ns) { return info_of(ns).disk_read_requests; }

static uint64_t now(void) { return test_deadline(0); }

static void sleep_ms(uint64_t milliseconds) {
    static uint32_t word;
    futex_wait((uint64_t)&word, 0, 0, test_deadline(milliseconds));
}

// Until it has read so often.
static void reads_await(handle_t ns, uint64_t count, const char *text) {
    uint64_t limit_ns = test_deadline(HANG_MS);
    while (reads_of(ns) < count && now() < limit_ns)
        sleep_ms(1);
    test_check(reads_of(ns) >= count, text);
}

// ---- one thread ----

static void step_read(void) { test_ok(block_read(disk, 0, memory, 0, REQUEST), "read"); }
static void step_small(void) { test_ok(block_read(disk, PAGE, memory, 0, PAGE), "a small read"); }
static void step_write(void) {
    test_ok(block_write(disk, disk_size - REQUEST, memory, 0, REQUEST), "write");
}
static void step_flush(void) { test_ok(block_flush(disk), "flush"); }
static void step_fault(void) {
    uint8_t byte;
    test_ok(memobj_read(backed, fault_offset, &byte, 1), "a page that is not there");
    fault_offset += REQUEST;
}

// Never too soon: but for the burst, and the last, which is paid afterwards. Nor late, unless it is the
// host's disk that is.
static void expect(void (*step)(void), uint64_t each_ns, const char *text) {
    uint64_t took_ns = 0, wanted_ns = STEPS * each_ns, most_ns = wanted_ns + wanted_ns / 10;
    for (uint32_t try = 0; try < TRIES; try++) {
        for (uint32_t i = 0; i < BURST_STEPS; i++)
            step();
        uint64_t from_ns = now();
        for (uint32_t i = 0; i < STEPS; i++)
            step();
        took_ns = now() - from_ns;
        test_printf("%s: %lu us of %lu", text, took_ns / 1000, wanted_ns / 1000);
        test_check(took_ns + BURST_NS + each_ns >= wanted_ns, "no sooner than allowed");
        if (!is_exact || took_ns <= most_ns) break;
    }
    test_check(!is_exact || took_ns <= most_ns, "and no later");
    test_pass(text);
}

[[noreturn]] static void spin(handle_t, uint64_t) {
    for (;;)
        __asm__ volatile(".rept 100\n\tnop\n\t.endr");
}

static void alone(void) {
    handle_t ns = test_namespace(), busy = namespace_make(ns, "busy", 0), process;
    // Else time is counted on to the next event while the machine waits for the host's disk.
    test_ok(twin_start(busy, spin, 0, 0, &process), "something to do for the CPU");
    handle_close(process);
    uint64_t by_bytes_ns = REQUEST * NS_PER_S / rate, by_requests_ns = NS_PER_S / requests;
    reads_limit(ns, rate, 0);
    expect(step_read, by_bytes_ns, "bytes read in a second");
    expect(step_fault, by_bytes_ns, "bytes of pages read on demand");
    reads_limit(ns, 0, requests);
    expect(step_small, by_requests_ns, "reads in a second");
    reads_limit(ns, rate, requests);
    expect(step_small, by_requests_ns, "requests bite before bytes");
    reads_limit(ns, rate, 1000);
    expect(step_read, by_bytes_ns, "bytes bite before requests");
    reads_limit(ns, RATE_BAD, 0);
    writes_limit(rate, 0);
    expect(step_write, by_bytes_ns, "bytes written in a second, beside reads");
    writes_limit(0, requests);
    expect(step_flush, by_requests_ns, "flushes are writes");
    writes_limit(0, 0);
    reads_limit(ns, 0, 0);
    test_ok(test_namespace_end(busy), "its end");
}

static void counts(void) {
    struct cl_ns_info before = info_of(test_namespace());
    step_read();
    step_small();
    step_write();
    step_flush();
    struct cl_ns_info after = info_of(test_namespace());
    test_check(after.disk_read_bytes - before.disk_read_bytes == REQUEST + PAGE &&
                   after.disk_read_requests - before.disk_read_requests == 2,
               "reads are counted");
    test_check(after.disk_write_bytes - before.disk_write_bytes == REQUEST &&
                   after.disk_write_requests - before.disk_write_requests == 2,
               "writes are counted");
    test_pass("what is transferred is counted, bytes and requests");
}

// ---- several namespaces ----

[[noreturn]] static void reader(handle_t block, uint64_t size) {
    handle_t own = 0;
    memobj_create(0, size, &own);
    while (block_read(block, 0, own, 0, size) == OK)
        continue;
    process_exit(1);
}

[[noreturn]] static void filler(handle_t object, uint64_t) {
    uint8_t byte;
    for (uint64_t offset = 0; memobj_read(object, offset, &byte, 1) == OK; offset += REQUEST)
        continue;
    process_exit(1);
}

static handle_t start(handle_t ns, twin_entry *entry, handle_t object) {
    handle_t copy = 0, process = 0;
    test_ok(handle_duplicate(object, CL_RIGHTS_SAME, &copy), "a copy");
    test_ok(twin_start(ns, entry, copy, REQUEST, &process), "a process starts");
    return process;
}

static void readers_start(handle_t ns, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        handle_close(start(ns, reader, disk));
}

// Namespaces in each of which one computes.
static void busy_start(handle_t busy[BUSY]) {
    for (uint32_t i = 0; i < BUSY; i++) {
        char name[] = {'b', (char)('0' + i), 0};
        busy[i] = namespace_make(test_namespace(), name, 0);
        handle_close(start(busy[i], spin, disk));
    }
}

static void busy_end(handle_t busy[BUSY]) {
    for (uint32_t i = 0; i < BUSY; i++)
        test_ok(test_namespace_end(busy[i]), "its end");
}

// Below a limit siblings alternate; what they read is theirs and the limited one's.
static void below(void) {
    handle_t above = namespace_make(test_namespace(), "above", RATE);
    handle_t many = namespace_make(above, "many", 0), one = namespace_make(above, "one", 0);
    uint64_t from_ns = now();
    readers_start(one, 1);
    readers_start(many, MANY);
    reads_await(one, BELOW, "it is served below a limit");
    uint64_t by_many = reads_of(many), by_one = reads_of(one), by_all = reads_of(above);
    uint64_t took_ns = now() - from_ns, each_ns = REQUEST * NS_PER_S / RATE;
    test_printf("below a limit: %lu reads by one, %lu by %u", by_one, by_many, MANY);
    test_check(by_all * each_ns <= took_ns + BURST_NS + 2 * each_ns, "a limit holds for all below");
    test_check(by_many <= 2 * by_one, "one has its turns beside many");
    test_check(info_of(test_namespace()).disk_read_bytes >= by_all * REQUEST, "counted above");
    handle_close(many);
    handle_close(one);
    test_ok(test_namespace_end(above), "their end");
    test_pass("a limit holds for all below, and they take turns");
}

// What another waits to be allowed to read is read by who may, at once.
static void same_page(void) {
    handle_t ns = namespace_make(test_namespace(), "slow", RATE_BAD), object = 0;
    uint8_t byte;
    test_ok(memobj_create_block(test_namespace(), disk, 0, 8 * REQUEST, &object), "of the disk");
    handle_close(start(ns, filler, object));
    reads_await(ns, 1, "the first is free");
    sleep_ms(SETTLE_MS); // it waits for the second, or will
    uint64_t from_ns = now();
    test_ok(memobj_read(object, REQUEST, &byte, 1), "the same page");
    test_check(now() - from_ns < SOON_MS * NS_PER_MS, "nobody waits for who is limited");
    test_check(reads_of(ns) == 1, "which has not read it");
    from_ns = now();
    test_ok(test_namespace_end(ns), "its end");
    test_check(now() - from_ns < SOON_MS * NS_PER_MS, "a kill ends the wait");
    handle_close(object);
    test_pass("who waits for its time holds up nobody, and can be killed");
}

// Computes before each page that it reads.
[[noreturn]] static void filler_busy(handle_t object, uint64_t) {
    uint8_t byte;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        for (uint64_t until_ns = test_deadline(SETTLE_MS / 5); now() < until_ns;)
            continue;
        memobj_read(object, i * REQUEST, &byte, 1);
    }
    spin(0, 0);
}

// A page that one has asked the disk for is there when the disk has read it, and not only when that
// one has a processor again.
static void same_page_busy(void) {
    handle_t busy[BUSY], object = 0;
    uint64_t least_ns = ~0ul; // the host's disk may be late now and then
    uint8_t byte;
    test_ok(memobj_create_block(test_namespace(), disk, 0, ROUNDS * REQUEST, &object),
            "of the disk");
    busy_start(busy);
    handle_t ns = busy[0];
    handle_close(start(ns, filler_busy, object));
    for (uint64_t i = 0; i < ROUNDS; i++) {
        reads_await(ns, i + 1, "it asks for a page");
        uint64_t from_ns = now();
        test_ok(memobj_read(object, i * REQUEST, &byte, 1), "the same page");
        uint64_t took_ns = now() - from_ns;
        if (took_ns < least_ns) least_ns = took_ns;
    }
    test_printf("a page that a busy one reads: %lu us", least_ns / 1000);
    test_check(least_ns < NS_PER_MS, "nobody waits for another's processor");
    busy_end(busy);
    handle_close(object);
    test_pass("a page is there for all when the disk has read it");
}

static void update(void) {
    handle_t ns = namespace_make(test_namespace(), "updated", RATE_BAD);
    readers_start(ns, 2);
    reads_await(ns, 1, "the first is free");
    sleep_ms(SETTLE_MS);
    test_check(reads_of(ns) == 1, "the next is not");
    reads_limit(ns, 0, 0);
    reads_await(ns, 20, "without a limit they go on at once");
    reads_limit(ns, RATE_BAD, 0);
    uint64_t count = reads_of(ns);
    sleep_ms(4 * SETTLE_MS);
    test_check(reads_of(ns) <= count + 2, "with one they stop");
    reads_limit(ns, 0, 100);
    reads_await(ns, count + 20, "with a better one they go on");
    test_ok(test_namespace_end(ns), "its end");
    test_pass("a limit changes for those that wait");
}

// The one of two whose turn it is, or the one behind it: the other goes on.
static void turn_of_the_dead(uint32_t which) {
    handle_t ns = namespace_make(test_namespace(), "dead", RATE_BAD), processes[2];
    for (uint32_t i = 0; i < 2; i++)
        processes[i] = start(ns, reader, disk);
    reads_await(ns, 1, "the first is free");
    sleep_ms(SETTLE_MS);
    uint32_t seen;
    test_ok(process_kill(processes[which]), "one is killed");
    test_check(object_wait(processes[which], SIGNAL_TERMINATED, 0, test_deadline(SOON_MS), &seen) ==
                   OK,
               "at once");
    reads_limit(ns, 0, 0);
    reads_await(ns, 20, "the other goes on");
    for (uint32_t i = 0; i < 2; i++)
        handle_close(processes[i]);
    test_ok(test_namespace_end(ns), "its end");
}

// Reads of one that does nothing else, beside so many namespaces in each of which one computes and
// some read.
static uint64_t reads_beside(uint32_t each) {
    handle_t busy[BUSY], one = namespace_make(test_namespace(), "one", 0);
    busy_start(busy);
    for (uint32_t i = 0; i < BUSY; i++)
        readers_start(busy[i], each);
    readers_start(one, 1);
    reads_await(one, 1, "it has begun");
    sleep_ms(SETTLE_MS);
    uint64_t reads = reads_of(one);
    sleep_ms(BUSY_MS);
    reads = reads_of(one) - reads;
    busy_end(busy);
    test_ok(test_namespace_end(one), "its end");
    return reads;
}

// Whose turn it is at the disk may have to wait for a processor: nobody waits for that.
static void beside_busy(void) {
    bool is_served = false;
    for (uint32_t try = 0; try < TRIES && !is_served; try++) { // the host's disk may be late
        uint64_t alone = reads_beside(0), beside = reads_beside(4);
        test_printf("beside some that compute: %lu reads, and read as well: %lu", alone, beside);
        is_served = beside * 2 >= alone;
    }
    test_check(is_served, "one reads beside many that compute and read");
    test_pass("one reads beside many that compute and read");
}

// ---- a slow disk ----

static void divided(void) {
    handle_t greedy = namespace_make(test_namespace(), "greedy", 0);
    handle_t one = namespace_make(test_namespace(), "one", 0);
    readers_start(greedy, GREEDY);
    readers_start(one, 1);
    reads_await(one, 1, "both have begun");
    uint64_t greedy_from = reads_of(greedy), one_from = reads_of(one);
    reads_await(greedy, greedy_from + GREEDY_READS, "it reads");
    uint64_t by_greedy = reads_of(greedy) - greedy_from, by_one = reads_of(one) - one_from;
    test_printf("a slow disk: %lu reads by one, %lu by %u", by_one, by_greedy, GREEDY);
    // Four are with the disk, and one has its turn before.
    test_check(by_greedy <= 7 * (by_one + 1), "one reads beside many");
    test_ok(test_namespace_end(greedy), "its end");
    test_ok(test_namespace_end(one), "its end");
    test_pass("a slow disk is divided among siblings, not among threads");
}

void test_run(void) {
    struct cl_object_info info;
    struct cl_system_info machine = {};
    test_ok(system_info(test_handle(OBJ_SYSTEM), &machine), "the number of CPUs");
    is_exact = machine.cpus == 1;
    if (is_exact) {
        rate /= 10;
        requests /= 10;
    }
    disk = test_handle(OBJ_BLOCK);
    if (!disk) return;
    test_ok(object_info(disk, &info), "what the disk is");
    disk_size = info.detail[0];
    if (test_option("rates")) {
        divided();
        return;
    }
    test_ok(memobj_create(test_namespace(), REQUEST, &memory), "memory");
    test_ok(memobj_create_block(test_namespace(), disk, 0, REQUEST * (STEPS + BURST_STEPS) * TRIES,
                                &backed),
            "memory from the disk");
    alone();
    counts();
    below();
    if (is_exact) beside_busy();
    same_page();
    if (is_exact) same_page_busy();
    update();
    turn_of_the_dead(0);
    turn_of_the_dead(1);
    test_pass("a turn goes on when its thread is killed");
    handle_close(memory);
    handle_close(backed);
}
