// Devices: disk, network card, random numbers, clocks. The machine's disk forgets what is written
// when it is switched off; QEMU's user network answers ARP for 10.0.2.2.
#include "lib/test.h"
#include "lib/string.h"

enum : uint64_t { PAGE = CL_PAGE_SIZE, PART = 64 * PAGE, REALTIME_MIN_NS = 1700000000000000000 };
enum { FRAME_SIZE = 60, FRAME_MAX = 1514, ROUNDS = 200, ANSWER_MS = 10000 };

static handle_t disk;
static uint64_t disk_size;

static handle_t memory(uint64_t size) {
    handle_t memobj = 0;
    test_ok(memobj_create(test_namespace(), size, &memobj), "memory object");
    return memobj;
}

static bool same(handle_t a, uint64_t a_offset, handle_t b, uint64_t b_offset) {
    static uint8_t x[CL_PAGE_SIZE], y[CL_PAGE_SIZE];
    test_ok(memobj_read(a, a_offset, x, PAGE), "read memory");
    test_ok(memobj_read(b, b_offset, y, PAGE), "read memory");
    return memcmp(x, y, PAGE) == 0;
}

static void disk_reads(void) {
    handle_t whole = memory(PART), pieces = memory(PART), backed = 0;
    test_ok(block_read(disk, 0, whole, 0, PART), "a large read");
    for (uint64_t offset = PART; offset > 0; offset -= PAGE)
        test_ok(block_read(disk, offset - PAGE, pieces, PART - offset, PAGE), "a small read");
    test_ok(memobj_create_block(test_namespace(), disk, 0, PART, &backed), "backed by the disk");
    for (uint64_t offset = 0; offset < PART; offset += PAGE) {
        test_check(same(whole, offset, pieces, PART - PAGE - offset), "small reads are the same");
        test_check(same(whole, offset, backed, offset), "pages filled on demand are the same");
    }
    handle_close(whole);
    handle_close(pieces);
    handle_close(backed);
    test_pass("a disk gives the same bytes, in large and small reads and through mappings");
}

static void disk_writes(void) {
    static uint8_t pattern[CL_PAGE_SIZE];
    handle_t written = memory(2 * PAGE), read = memory(4 * PAGE), before = memory(4 * PAGE);
    uint64_t last = disk_size - 4 * PAGE;
    for (unsigned i = 0; i < sizeof(pattern); i++)
        pattern[i] = (uint8_t)(i * 31 + i / 256);
    test_ok(memobj_write(written, 0, pattern, PAGE), "fill");
    test_ok(block_read(disk, last, before, 0, 4 * PAGE), "read");
    test_ok(block_write(disk, last + PAGE, written, 0, 2 * PAGE), "write");
    test_ok(block_flush(disk), "flush");
    test_ok(block_read(disk, last, read, 0, 4 * PAGE), "read again");
    test_check(same(read, PAGE, written, 0) && same(read, 2 * PAGE, written, PAGE), "as written");
    test_check(same(read, 0, before, 0) && same(read, 3 * PAGE, before, 3 * PAGE), "and no more");
    test_check(block_write(disk, disk_size, written, 0, PAGE) == ERR_OUT_OF_RANGE,
               "beyond the end");
    test_check(block_read(disk, last, read, 0, 5 * PAGE) == ERR_OUT_OF_RANGE, "across the end");
    test_ok(block_write(disk, last, before, 0, 4 * PAGE), "as it was");
    handle_close(written);
    handle_close(read);
    handle_close(before);
    test_pass("a disk keeps what is written, there and nowhere else");
}

static void disk_part(void) {
    handle_t part = 0, a = memory(PAGE), b = memory(PAGE);
    test_ok(block_range(disk, test_namespace(), 2 * PAGE, 3 * PAGE, &part), "a part");
    test_ok(block_read(part, PAGE, a, 0, PAGE), "read the part");
    test_ok(block_read(disk, 3 * PAGE, b, 0, PAGE), "read the whole");
    test_check(same(a, 0, b, 0), "a part begins where it was said to");
    test_check(block_read(part, 3 * PAGE, a, 0, PAGE) == ERR_OUT_OF_RANGE, "the part's end");
    handle_t beyond = 0;
    test_check(block_range(part, test_namespace(), PAGE, 3 * PAGE, &beyond) == ERR_OUT_OF_RANGE,
               "no part is larger than the whole");
    handle_close(part);
    handle_close(a);
    handle_close(b);
    test_pass("a part of a disk is that part and no more");
}

// Who has 10.0.2.2? Tell 10.0.2.15 (RFC 826).
static void arp_request(uint8_t frame[FRAME_SIZE], const uint8_t mac[6]) {
    static const uint8_t fixed[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};
    static const uint8_t sender[] = {10, 0, 2, 15}, target[] = {10, 0, 2, 2};
    memset(frame, 0, FRAME_SIZE);
    memset(frame, 0xff, 6);
    memcpy(frame + 6, mac, 6);
    memcpy(frame + 12, fixed, sizeof(fixed));
    memcpy(frame + 22, mac, 6);
    memcpy(frame + 28, sender, sizeof(sender));
    memcpy(frame + 38, target, sizeof(target));
}

// Waits for a frame; false when the time is up.
static bool frame_wait(handle_t nic, uint8_t frame[FRAME_MAX], uint64_t *size) {
    uint64_t deadline_ns = test_deadline(ANSWER_MS);
    uint32_t seen;
    status_t status;
    while ((status = nic_receive(nic, frame, FRAME_MAX, size)) == ERR_SHOULD_WAIT)
        if (object_wait(nic, SIGNAL_READABLE, 0, deadline_ns, &seen) != OK) return false;
    return status == OK;
}

static void nic_frames(handle_t nic) {
    struct cl_object_info info;
    uint8_t frame[FRAME_MAX], mac[6];
    uint64_t size = 0;
    test_ok(object_info(nic, &info), "what the card is");
    memcpy(mac, &info.detail[0], sizeof(mac));
    for (unsigned i = 0; i < ROUNDS; i++) {
        arp_request(frame, mac);
        test_ok(nic_send(nic, frame, FRAME_SIZE), "send");
        bool came = frame_wait(nic, frame, &size);
        test_check(came && size >= 42 && memcmp(frame, mac, 6) == 0 && frame[21] == 2,
                   "the answer comes to us");
        if (!came) break;
    }
    test_check(nic_send(nic, frame, 13) == ERR_OUT_OF_RANGE, "too short");
    test_check(nic_send(nic, frame, FRAME_MAX + 1) == ERR_TOO_BIG, "too long");
    test_pass("frames go out and answers come in");
}

static void random_bytes(void) {
    static uint8_t a[256], b[256];
    uint32_t counts[256] = {}, distinct = 0;
    test_ok(random_get(a, sizeof(a)), "random bytes");
    test_ok(random_get(b, sizeof(b)), "and more");
    test_check(memcmp(a, b, 32) != 0, "never the same twice");
    for (unsigned i = 0; i < sizeof(a); i++)
        distinct += counts[a[i]]++ == 0;
    test_check(distinct > 120, "most values come"); // 162 expected, 5 is the deviation
    test_pass("random bytes are random");
}

static void clocks(void) {
    uint64_t first = 0, second = 0, real = 0;
    test_ok(clock_get(CL_CLOCK_MONOTONIC, &first), "monotonic");
    test_ok(clock_get(CL_CLOCK_MONOTONIC, &second), "monotonic");
    test_ok(clock_get(CL_CLOCK_REALTIME, &real), "realtime");
    uint64_t base, multiplier, wall_ns, before, after;
    test_ok(clock_scale(&base, &multiplier, &wall_ns), "scale");
    clock_get(CL_CLOCK_MONOTONIC, &before);
    uint64_t ticks = __builtin_ia32_rdtsc() - base;
    clock_get(CL_CLOCK_MONOTONIC, &after);
    uint64_t own_ns = (uint64_t)((unsigned __int128)ticks * multiplier >> 32);
    test_check(own_ns >= before && own_ns <= after, "a program reads the same time by itself");
    test_check(real - wall_ns >= second && real - wall_ns <= before, "and the real one");
    test_check(second >= first && real > REALTIME_MIN_NS, "time goes on");
    test_pass("clocks tell the time");
}

void test_run(void) {
    struct cl_object_info info;
    disk = test_handle(OBJ_BLOCK);
    if (disk) {
        test_ok(object_info(disk, &info), "what the disk is");
        disk_size = info.detail[0];
        disk_reads();
        disk_writes();
        disk_part();
    }
    if (test_handle(OBJ_NIC)) nic_frames(test_handle(OBJ_NIC));
    random_bytes();
    clocks();
}
