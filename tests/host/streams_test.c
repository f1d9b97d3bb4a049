// What containers and their clients read of each other: records of the log, headers of archives.
// `streams_test FILE` writes an archive there, for another program to read.
#include "check.h"

#include "lib/log_ring.h"
#include "linux/archive/ustar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// On the heap, so that a step beyond its end is seen.
static u8 *page_alloc(void) { return aligned_alloc(PAGE_SIZE, PAGE_SIZE); }

static u64 record_put(u8 *page, u64 position, const char *text, u32 size) {
    struct log_record record = {
        .position = position, .time_ns = 1, .size_bytes = size, .stream = LOG_STDOUT};
    memcpy(page + position % PAGE_SIZE, &record, sizeof(record));
    memcpy(page + position % PAGE_SIZE + sizeof(record), text, size);
    return log_position_next(position + sizeof(record) + size);
}

static void test_log_records(void) {
    static char filler[PAGE_SIZE];
    u8 *page = page_alloc();
    u64 position = LOG_RING_BYTES;
    memset(page, 0, PAGE_SIZE);
    CHECK(log_page_next(page, &position) == NULL);
    u64 second = record_put(page, position, "abc", 3);
    CHECK(second == LOG_RING_BYTES + 32);
    u64 end = record_put(page, second, filler, PAGE_SIZE - 32 - sizeof(struct log_record));
    CHECK(end == LOG_RING_BYTES + PAGE_SIZE);
    const struct log_record *record = log_page_next(page, &position);
    CHECK(record && record->size_bytes == 3 && memcmp(record + 1, "abc", 3) == 0);
    CHECK(position == second);
    CHECK(log_page_next(page, &position) != NULL);
    CHECK(position == end);
    // One byte too long, of another lap, of no stream: none of them is a record.
    struct log_record *head = (struct log_record *)(page + 32);
    head->size_bytes++;
    CHECK(log_page_next(page, &(u64){second}) == NULL);
    head->size_bytes = 0;
    CHECK(log_page_next(page, &(u64){second + LOG_RING_BYTES}) == NULL);
    CHECK(log_page_next(page, &(u64){second}) != NULL);
    head->stream = 0;
    CHECK(log_page_next(page, &(u64){second}) == NULL);
    free(page);
}

static void test_random_logs(void) {
    u8 *page = page_alloc();
    for (int round = 0; round < 20000; round++) {
        u64 position = LOG_RING_BYTES + (u64)(rand() % PAGE_SIZE);
        u64 at = log_position_next(position);
        for (usize i = 0; i < PAGE_SIZE; i++)
            page[i] = (u8)rand();
        if (at % PAGE_SIZE != 0) memcpy(page + at % PAGE_SIZE, &at, sizeof(at));
        const struct log_record *record = log_page_next(page, &position);
        if (record) CHECK((const u8 *)(record + 1) + record->size_bytes <= page + PAGE_SIZE);
    }
    free(page);
}

static void test_headers(void) {
    static char path[USTAR_PATH_MAX + 1], link[USTAR_PATH_MAX + 1];
    u8 block[USTAR_BLOCK_BYTES];
    struct ustar_entry out, in = {.type = USTAR_SYMLINK,
                                  .mode = 04755,
                                  .uid = 1000,
                                  .gid = 7,
                                  .size_bytes = 0,
                                  .mtime_seconds = 1234567890,
                                  .path = "a/b",
                                  .link = "c"};
    ustar_write(block, &in);
    CHECK(ustar_read(block, &out, path, link));
    CHECK(out.type == in.type && out.mode == in.mode && out.uid == in.uid && out.gid == in.gid);
    CHECK(out.mtime_seconds == in.mtime_seconds);
    CHECK(strcmp(path, "a/b") == 0 && strcmp(link, "c") == 0);
    CHECK(!ustar_is_end(block));
    const usize filler = 155; // behind the digits of the checksum: it may be anything
    for (usize i = 0; i < USTAR_BLOCK_BYTES; i += i + 1 == filler ? 2 : 1) {
        block[i] ^= 1;
        CHECK(!ustar_read(block, &out, path, link));
        block[i] ^= 1;
    }
}

static void test_pax(void) {
    static char longest[USTAR_PATH_MAX + 1];
    static char text[PAX_BYTES_MAX + 1];
    static struct pax pax;
    for (usize size = USTAR_NAME_MAX + 1; size <= USTAR_PATH_MAX; size++) {
        memset(longest, 'x', size);
        longest[size] = 0;
        usize used = pax_write(text, &(struct ustar_entry){.path = longest, .link = ""});
        CHECK(used > size && used <= size + 13);
        CHECK(pax_read(text, used, &pax) && pax.fields == PAX_PATH);
        CHECK(strcmp(pax.path, longest) == 0);
        CHECK(!pax_read(text, used - 1, &pax));
    }
    CHECK(pax_write(text, &(struct ustar_entry){.path = "short", .link = ""}) == 0);
    static const char *const bad[] = {"9", "9 ", "99 path=x\n", "0 path=x\n", "x", "11 path=x\n"};
    for (usize i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        CHECK(!pax_read(bad[i], strlen(bad[i]), &pax));
    CHECK(pax_read("6 a=b\n9 path=x\n", 15, &pax) && strcmp(pax.path, "x") == 0);
}

static void archive_put(const char *name) {
    FILE *file = fopen(name, "wb");
    u8 block[USTAR_BLOCK_BYTES];
    static char pax[PAX_BYTES_MAX + 1];
    char path[301];
    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = 0;
    struct ustar_entry entry = {.type = USTAR_FILE,
                                .mode = 0640,
                                .uid = 3'000'000,
                                .gid = 34,
                                .mtime_seconds = 99,
                                .path = path,
                                .link = "",
                                .size_bytes = 3};
    usize size = pax_write(pax, &entry);
    ustar_write(block, &(struct ustar_entry){
                           .type = USTAR_PAX, .path = "pax", .link = "", .size_bytes = size});
    fwrite(block, 1, sizeof(block), file);
    memset(pax + size, 0, sizeof(block));
    fwrite(pax, 1, sizeof(block), file);
    ustar_write(block, &entry);
    fwrite(block, 1, sizeof(block), file);
    memset(block, 0, sizeof(block));
    memcpy(block, "abc", 3);
    fwrite(block, 1, sizeof(block), file);
    memset(block, 0, sizeof(block));
    fwrite(block, 1, sizeof(block), file);
    fwrite(block, 1, sizeof(block), file);
    fclose(file);
}

int main(int argc, char **argv) {
    test_log_records();
    test_random_logs();
    test_headers();
    test_pax();
    if (argc > 1) archive_put(argv[1]);
    return failures ? 1 : 0;
}
