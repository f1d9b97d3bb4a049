// Tests of the drivers against a model of a virtio device, good and hostile. One case for each
// process: `test_drivers CASE`; without an argument the cases are listed.
#include <stdio.h>
#include <string.h>

#include "abi/errors.h"
#include "drivers/blockdev.h"
#include "drivers/chacha20.h"
#include "drivers/drivers.h"
#include "drivers/netdev.h"
#include "drivers/random.h"
#include "lib/string.h"
#include "model.h"

enum : u64 { BLK_FLUSH = 1 << 9, BLK_READ_ONLY = 1 << 5, BLK_SEG_MAX = 1 << 2, NET_MAC = 1 << 5 };

#define REQUESTS 200
static struct block_request requests[REQUESTS];
static u32 done_count[REQUESTS];
static status_t done_status[REQUESTS];
static struct blockdev *disk;
static struct netdev *card;
static u32 ready_events, ready_count;

static void request_done(struct block_request *request, status_t status) {
    CHECK(model_locks_held == 0);
    done_count[request - requests]++;
    done_status[request - requests] = status;
}

static status_t submit(u32 index, enum block_operation operation, u64 sector, u32 count) {
    struct block_request *request = &requests[index];
    request->operation = operation;
    request->sector = sector;
    request->sector_count = count;
    request->done = request_done;
    for (u32 i = 0; i * 8 < count && i < BLOCK_REQUEST_PAGES_MAX; i++)
        if (request->pages[i] == 0) request->pages[i] = model_page();
    return blockdev_submit(disk, request);
}

static void disk_start(u64 features) {
    model_start(VIRTIO_TYPE_BLOCK, features);
    drivers_init(nullptr);
    disk = blockdev_get(0);
    CHECK(disk && disk->sectors == MODEL_DISK_SECTORS);
}

static void done_check(u32 index, status_t status) {
    CHECK(done_count[index] == 1 && done_status[index] == status);
}

static void case_disk_read(void) {
    disk_start(BLK_FLUSH | BLK_SEG_MAX);
    CHECK(submit(0, BLOCK_READ, 3, 20) == OK);
    CHECK(done_count[0] == 0 && model.notifies == 1);
    CHECK(model_run() == 1);
    done_check(0, OK);
    for (u32 i = 0; i < 20 * 512; i++)
        CHECK(*((u8 *)arch_direct(requests[0].pages[i / PAGE_SIZE]) + i % PAGE_SIZE) ==
              model.disk[3 * 512 + i]);
}

static void case_disk_write_flush(void) {
    disk_start(BLK_FLUSH);
    requests[0].pages[0] = model_page();
    memset(arch_direct(requests[0].pages[0]), 0x5a, PAGE_SIZE);
    CHECK(submit(0, BLOCK_WRITE, 504, 8) == OK);
    CHECK(submit(1, BLOCK_FLUSH, 0, 0) == OK);
    model_run();
    done_check(0, OK);
    done_check(1, OK);
    CHECK(model.disk[504 * 512 - 1] != 0x5a && model.disk[512 * 512 - 1] == 0x5a);
}

static void case_disk_flush_unsupported(void) {
    disk_start(0);
    CHECK(submit(0, BLOCK_FLUSH, 0, 0) == OK);
    model_run();
    done_check(0, OK);
}

static void case_disk_refusals(void) {
    disk_start(BLK_READ_ONLY);
    CHECK(submit(0, BLOCK_READ, 512, 1) == ERR_OUT_OF_RANGE);
    CHECK(submit(0, BLOCK_READ, 511, 2) == ERR_OUT_OF_RANGE);
    CHECK(submit(0, BLOCK_READ, ~0ul, 8) == ERR_OUT_OF_RANGE);
    CHECK(submit(0, BLOCK_READ, 0, 0) == ERR_INVALID_ARGUMENT);
    CHECK(submit(0, BLOCK_READ, 0, 129) == ERR_INVALID_ARGUMENT);
    CHECK(submit(0, BLOCK_WRITE, 0, 1) == ERR_ACCESS_DENIED);
    requests[1].pages[0] = 4097;
    CHECK(submit(1, BLOCK_READ, 0, 1) == ERR_INVALID_ARGUMENT);
    CHECK(submit(2, BLOCK_READ, 511, 1) == OK);
    model_run();
    done_check(2, OK);
    CHECK(done_count[0] == 0 && done_count[1] == 0 && !blockdev_get(1));
}

static void case_disk_many(void) {
    disk_start(BLK_FLUSH);
    u64 page = model_page();
    for (u32 i = 0; i < REQUESTS; i++) {
        for (u32 k = 0; k < BLOCK_REQUEST_PAGES_MAX; k++)
            requests[i].pages[k] = page;
        CHECK(submit(i, BLOCK_READ, i, 8 * (1 + i % 16)) == OK);
    }
    u32 rounds = 0;
    while (model_run() > 0)
        rounds++;
    CHECK(rounds > 1);
    for (u32 i = 0; i < REQUESTS; i++)
        done_check(i, OK);
}

static void case_disk_error(void) {
    disk_start(BLK_FLUSH);
    model.evil = EVIL_STATUS;
    CHECK(submit(0, BLOCK_READ, 0, 8) == OK);
    model_run();
    done_check(0, ERR_IO_ERROR);
    model.evil = EVIL_LENGTH_SHORT;
    CHECK(submit(1, BLOCK_READ, 0, 8) == OK);
    model_run();
    done_check(1, ERR_IO_ERROR);
    model.evil = EVIL_NONE;
    CHECK(submit(2, BLOCK_READ, 0, 8) == OK);
    model_run();
    done_check(2, OK);
}

static const enum model_evil breaking[] = {EVIL_ID_OUT_OF_RANGE, EVIL_ID_TWICE, EVIL_LENGTH,
                                           EVIL_INDEX_JUMP};

static void disk_breaks(u32 how) {
    disk_start(BLK_FLUSH);
    u64 page = model_page();
    for (u32 i = 0; i < REQUESTS; i++) {
        requests[i].pages[0] = page;
        CHECK(submit(i, BLOCK_READ, i, 8) == OK);
    }
    model.evil = breaking[how];
    model_run();
    CHECK(model.resets == 2 && model.status == 0);
    for (u32 i = 0; i < REQUESTS; i++)
        CHECK(done_count[i] == 1);
    CHECK(done_status[REQUESTS - 1] == ERR_IO_ERROR);
    CHECK(submit(0, BLOCK_READ, 0, 8) == ERR_IO_ERROR);
}

static void case_disk_id_not_in_flight(void) {
    disk_start(BLK_FLUSH);
    model.evil = EVIL_ID_NOT_IN_FLIGHT;
    CHECK(submit(0, BLOCK_READ, 0, 8) == OK);
    model_run();
    done_check(0, ERR_IO_ERROR);
    CHECK(model.resets == 2);
}

static void case_disk_index_back(void) {
    disk_start(BLK_FLUSH);
    model.evil = EVIL_INDEX_BACK;
    CHECK(submit(0, BLOCK_READ, 0, 8) == OK);
    model_run();
    done_check(0, ERR_IO_ERROR);
    CHECK(model.resets == 2);
}

// Whatever the device writes, no request ends twice, and all end when the disk fails.
static void garbage_round(u32 seed) {
    model_random_seed(seed);
    disk_start(BLK_FLUSH);
    u64 page = model_page();
    u32 submitted = 0;
    for (u32 round = 0; round < 40; round++) {
        for (u32 i = model_random() % 8; i > 0 && submitted < REQUESTS; i--) {
            requests[submitted].pages[0] = page;
            if (submit(submitted, BLOCK_WRITE, model_random() % 500, 1 + model_random() % 8) == OK)
                submitted++;
        }
        model.evil = model_random() % 10 == 0 ? 1 + model_random() % EVIL_GARBAGE : EVIL_NONE;
        model_run();
    }
    for (u32 i = 0; i < submitted; i++)
        CHECK(done_count[i] == 1 || (done_count[i] == 0 && model.resets == 1));
}

static void card_ready(void *argument, u32 events) {
    CHECK(argument == &ready_events && model_locks_held == 0);
    ready_events |= events;
    ready_count++;
}

static void card_start(void) {
    model_start(VIRTIO_TYPE_NET, NET_MAC);
    drivers_init(nullptr);
    card = netdev_get(0);
    CHECK(card && memcmp(card->mac, "\x52\x54\x00\x12\x34\x56", 6) == 0);
    netdev_ready_set(card, card_ready, &ready_events);
}

static void case_net_send(void) {
    card_start();
    u8 frame[NETDEV_FRAME_MAX + 1];
    for (u32 i = 0; i < sizeof(frame); i++)
        frame[i] = (u8)model_random();
    CHECK(netdev_send(card, frame, NETDEV_FRAME_MIN - 1) == ERR_OUT_OF_RANGE);
    CHECK(netdev_send(card, frame, NETDEV_FRAME_MAX + 1) == ERR_OUT_OF_RANGE);
    for (u32 i = 0; i < 100; i++) {
        u32 size = i % 2 ? NETDEV_FRAME_MAX : NETDEV_FRAME_MIN + i;
        CHECK(netdev_send(card, frame, size) == OK);
        model_run();
        CHECK(model.sent_count == i + 1 && model.sent_size == size);
        CHECK(memcmp(model.sent, frame, size) == 0);
    }
    CHECK(ready_count == 0); // nobody waits, so nobody is interrupted
}

static void case_net_send_full(void) {
    card_start();
    u8 frame[64] = {1};
    model.hold = 1;
    u32 count = 0;
    while (netdev_send(card, frame, sizeof(frame)) == OK)
        count++;
    CHECK(count == 32 && netdev_send(card, frame, sizeof(frame)) == ERR_SHOULD_WAIT);
    model.hold = 0;
    model_run();
    CHECK((ready_events & NETDEV_WRITABLE) && model.sent_count == 32);
    CHECK(netdev_send(card, frame, sizeof(frame)) == OK);
}

static void case_net_receive(void) {
    card_start();
    u8 buffer[NETDEV_FRAME_MAX];
    usize size;
    CHECK(netdev_receive(card, buffer, &size) == ERR_SHOULD_WAIT);
    for (u32 i = 0; i < 100; i++) {
        model.incoming_size = i % 2 ? NETDEV_FRAME_MAX : 60 + i;
        memset(model.incoming, (int)i, sizeof(model.incoming));
        u32 sent = model.incoming_size;
        model_run();
        CHECK(ready_events == NETDEV_READABLE);
        CHECK(netdev_receive(card, buffer, &size) == OK && size == sent && buffer[size - 1] == i);
        CHECK(netdev_receive(card, buffer, &size) == ERR_SHOULD_WAIT);
    }
}

static void case_net_receive_dry(void) {
    card_start();
    u8 buffer[NETDEV_FRAME_MAX];
    usize size;
    for (u32 i = 0; i < 40; i++) {
        model.incoming_size = 60 + i;
        model_run();
    }
    for (u32 i = 0; i < 32; i++)
        CHECK(netdev_receive(card, buffer, &size) == OK && size == 60 + i);
    CHECK(netdev_receive(card, buffer, &size) == ERR_SHOULD_WAIT);
}

static void case_net_receive_odd_sizes(void) {
    card_start();
    u8 buffer[NETDEV_FRAME_MAX];
    usize size;
    model.evil = EVIL_LENGTH_SHORT;
    model.incoming_size = 60;
    model_run();
    model.evil = EVIL_NONE;
    model.incoming_size = NETDEV_FRAME_MIN - 1;
    model_run();
    model.incoming_size = NETDEV_FRAME_MAX + 1;
    model_run();
    CHECK(netdev_receive(card, buffer, &size) == ERR_SHOULD_WAIT);
    model.incoming_size = 60;
    model_run();
    CHECK(netdev_receive(card, buffer, &size) == OK && size == 60);
}

static void case_net_hostile(void) {
    card_start();
    u8 buffer[NETDEV_FRAME_MAX];
    usize size;
    model.incoming_size = 60;
    model.evil = EVIL_LENGTH;
    model_run();
    CHECK(netdev_receive(card, buffer, &size) == ERR_IO_ERROR && model.resets == 2);
    CHECK(netdev_send(card, buffer, 60) == ERR_IO_ERROR && model.resets == 2);
}

static void case_rng(void) {
    model_start(VIRTIO_TYPE_RNG, 0);
    drivers_init(nullptr);
    CHECK(!random_is_seeded());
    CHECK(model_run() == 1 && random_is_seeded());
    u8 bytes[2][100];
    random_bytes(bytes[0], 100);
    random_bytes(bytes[1], 100);
    CHECK(memcmp(bytes[0], bytes[1], 32) != 0);
    CHECK(model_run() == 0);
    static u8 long_answer[MIB(1)];
    random_bytes(long_answer, sizeof(long_answer));
    CHECK(model_run() == 1); // asked again
}

static void case_rng_hostile(void) {
    model_start(VIRTIO_TYPE_RNG, 0);
    model.evil = EVIL_LENGTH;
    drivers_init(nullptr);
    model_run();
    CHECK(!random_is_seeded());
}

static void case_chacha20(void) {
    u8 key[32], block[64];
    for (u32 i = 0; i < 32; i++)
        key[i] = (u8)i;
    const u8 nonce[12] = {0, 0, 0, 9, 0, 0, 0, 0x4a};
    const u8 expected[64] = {// RFC 8439, section 2.3.2
                             0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd,
                             0x1f, 0xa3, 0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0,
                             0x68, 0x03, 0x04, 0x22, 0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2,
                             0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa, 0x09, 0x14, 0xc2, 0xd7, 0x05,
                             0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1, 0xde, 0x16, 0x4e,
                             0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e};
    chacha20_block(key, 1, nonce, block);
    CHECK(memcmp(block, expected, 64) == 0);
}

static void case_no_device(void) {
    model_start(VIRTIO_TYPE_BLOCK, 0);
    model.type = 0x3f; // some other device
    drivers_init(nullptr);
    CHECK(!blockdev_get(0) && !netdev_get(0));
}

static void case_behind_bridge(void) {
    model_start(VIRTIO_TYPE_BLOCK, 0);
    model.behind_bridge = 1;
    drivers_init(nullptr);
    CHECK(blockdev_get(0));
}

// Each of these devices must be left alone, and nothing else may happen.
static void refused(void) {
    drivers_init(nullptr);
    CHECK(!blockdev_get(0) && !(model.status & 4));
}

static void case_refuse_legacy(void) {
    model_start(VIRTIO_TYPE_BLOCK, 0);
    model.features = 0;
    refused();
}

static void case_refuse_features(void) {
    model_start(VIRTIO_TYPE_BLOCK, 0);
    model.features_refused = true;
    refused();
}

static void case_refuse_reset_stuck(void) {
    model_start(VIRTIO_TYPE_BLOCK, 0);
    model.reset_stuck = true;
    refused();
}

static void case_refuse_bar_unset(void) {
    model_start(VIRTIO_TYPE_BLOCK, 0);
    model.bar_unset = true;
    refused();
}

static void case_refuse_blocks_outside_bar(void) {
    model_start(VIRTIO_TYPE_BLOCK, 0);
    model.caps_shift = 0xffffe000;
    model.capabilities_loop = true;
    refused();
}

static void case_refuse_notify_outside(void) {
    model_start(VIRTIO_TYPE_BLOCK, 0);
    model.notify_multiplier = 0xffffffff;
    model.notify_offset[0] = 0xffff;
    refused();
}

static void case_refuse_small_queue(void) {
    model_start(VIRTIO_TYPE_BLOCK, 0);
    model.queue_size_max = 17;
    refused();
}

static void case_refuse_no_queue(void) {
    model_start(VIRTIO_TYPE_BLOCK, 0);
    model.queue_size_max = 0;
    refused();
}

static void case_capability_loop(void) {
    model_start(VIRTIO_TYPE_BLOCK, 0);
    model.capabilities_loop = true;
    drivers_init(nullptr);
    CHECK(blockdev_get(0));
}

static void case_few_vectors(void) {
    model_start(VIRTIO_TYPE_NET, NET_MAC);
    model.msix_entries = 1;
    drivers_init(nullptr);
    CHECK(!netdev_get(0) && !(model.status & 4));
}

#define CASE(name, sentence) {#name, sentence, case_##name}
static const struct test {
    const char *name;
    const char *sentence;
    void (*run)(void);
} tests[] = {
    CASE(disk_read, "a read fills the pages with the sectors, then is done"),
    CASE(disk_write_flush, "a write changes these sectors and no others"),
    CASE(disk_flush_unsupported, "a disk without a cache is flushed at once"),
    CASE(disk_refusals, "what is out of range or malformed never reaches the device"),
    CASE(disk_many, "requests that do not fit in the ring wait and all are done"),
    CASE(disk_error, "an error of the device, or a read that is too short, is IO_ERROR"),
    CASE(disk_id_not_in_flight, "an id that is not in flight stops the disk"),
    CASE(disk_index_back, "a used index that goes back stops the disk"),
    CASE(net_send, "frames go out as they are"),
    CASE(net_send_full, "a full ring refuses, and tells when there is room"),
    CASE(net_receive, "frames come in as they are, in order"),
    CASE(net_receive_dry, "frames beyond the buffers are dropped, the others kept"),
    CASE(net_receive_odd_sizes, "frames of impossible sizes are dropped"),
    CASE(net_hostile, "a card that breaks a rule is stopped"),
    CASE(rng, "the generator is seeded, and seeded again after a while"),
    CASE(rng_hostile, "a broken entropy device seeds nothing"),
    CASE(chacha20, "the block of RFC 8439"),
    CASE(no_device, "devices that we have no driver for are left alone"),
    CASE(behind_bridge, "devices behind a bridge are found"),
    CASE(refuse_legacy, "no VERSION_1, no driver"),
    CASE(refuse_features, "a device that refuses the features is not started"),
    CASE(refuse_reset_stuck, "a device that does not reset is not started"),
    CASE(refuse_bar_unset, "a BAR without an address is not used"),
    CASE(refuse_blocks_outside_bar, "registers outside their BAR are not used"),
    CASE(refuse_notify_outside, "a notify register outside its block is not used"),
    CASE(refuse_small_queue, "a queue too small for one request is not used"),
    CASE(refuse_no_queue, "a device without its queue is not started"),
    CASE(capability_loop, "a list of capabilities that loops ends"),
    CASE(few_vectors, "a card with too few interrupt vectors is not started"),
};

int main(int count, char **arguments) {
    u32 seed; // or which way to break
    for (u32 i = 0; i < ARRAY_SIZE(tests); i++) {
        if (count < 2)
            printf("%s: %s\n", tests[i].name, tests[i].sentence);
        else if (strcmp(arguments[1], tests[i].name) == 0)
            return tests[i].run(), 0;
    }
    if (count == 2 && sscanf(arguments[1], "garbage%u", &seed) == 1) return garbage_round(seed), 0;
    if (count == 2 && sscanf(arguments[1], "breaks%u", &seed) == 1 && seed < ARRAY_SIZE(breaking))
        return disk_breaks(seed), 0;
    return count < 2 ? 0 : 2;
}
