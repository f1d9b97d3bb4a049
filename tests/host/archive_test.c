// Archives from a sender that wants harm: what they make stays below the target, and is what it says.
#include "linux_test.h"

#include "linux/archive/archive.h"
#include "linux/archive/ustar.h"

enum { STREAM_BYTES = 64 * USTAR_BLOCK_BYTES };

static struct {
    u8 bytes[STREAM_BYTES];
    usize size;
} stream;

static void entry_put(enum ustar_type type, const char *name, const char *link, const char *text) {
    usize size = text ? strlen(text) : 0;
    const struct ustar_entry entry = {
        .type = type, .mode = 0644, .path = name, .link = link, .size_bytes = size};
    ustar_write(stream.bytes + stream.size, &entry);
    stream.size += USTAR_BLOCK_BYTES;
    if (text) memcpy(stream.bytes + stream.size, text, size);
    stream.size += (size + USTAR_BLOCK_BYTES - 1) / USTAR_BLOCK_BYTES * USTAR_BLOCK_BYTES;
}

// Gives the stream to the receiver, and begins another.
static i64 extract_as(const char *target, const char *name) {
    char problem[ARCHIVE_PROBLEM_MAX];
    fake_stream(stream.bytes, stream.size + 2 * USTAR_BLOCK_BYTES);
    i64 result = archive_extract(first, target, name, 1, problem);
    memset(&stream, 0, sizeof(stream));
    return result;
}

// Without a name of its own: as what `cp a:/tree/.` gives.
static i64 extract(const char *target) { return extract_as(target, "."); }

static void test_plain(void) {
    entry_put(USTAR_DIRECTORY, "d/", NULL, NULL);
    entry_put(USTAR_FILE, "d/one", NULL, "text");
    entry_put(USTAR_SYMLINK, "d/two", "one", NULL);
    CHECK_IS(extract("/target"), 0);
    CHECK_TEXT("/target/d/one", "text");
    CHECK_TEXT("/target/d/two", "text");
}

// The target itself is a directory, whatever an entry calls it.
static void test_the_target_as_something_else(void) {
    static const char *const names[] = {".", "./", "/", "./.", "//."};
    static const enum ustar_type types[] = {USTAR_FILE, USTAR_SYMLINK, USTAR_FIFO, USTAR_CHARACTER};
    for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
        for (u32 type = 0; type < ARRAY_SIZE(types); type++) {
            entry_put(types[type], names[i], "x", types[type] == USTAR_FILE ? "text" : NULL);
            CHECK_IS(extract("/target") < 0, true);
        }
        entry_put(USTAR_DIRECTORY, names[i], NULL, NULL);
        CHECK_IS(extract("/target"), 0);
    }
    CHECK_TEXT("/target/d/one", "text");
}

static void test_ways_out(void) {
    static const char *const names[] = {"..", "../out", "d/../../out", "./../out", "d/.."};
    for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
        entry_put(USTAR_FILE, names[i], NULL, "text");
        CHECK_IS(extract("/target") < 0, true);
    }
    entry_put(USTAR_SYMLINK, "link", "/", NULL);
    entry_put(USTAR_FILE, "link/out", NULL, "text");
    CHECK_IS(extract("/target"), -ENOTDIR);
    entry_put(USTAR_SYMLINK, "file", "/out", NULL);
    entry_put(USTAR_FILE, "file", NULL, "text");
    CHECK_IS(extract("/target"), 0);
    CHECK_TEXT("/target/file", "text");
    CHECK_IS(open_path("/out", O_RDONLY), -ENOENT);
}

// A directory is not opened for writing, from wherever.
static void test_directories_are_not_written(void) {
    CHECK_IS(open_path("/target", O_WRONLY), -EISDIR);
    entry_put(USTAR_FILE, "d", NULL, "text");
    CHECK_IS(extract("/target"), -EISDIR);
    entry_put(USTAR_DIRECTORY, "file", NULL, NULL);
    CHECK_IS(extract("/target"), -ENOTDIR);
}

// What the sender calls it does not matter: the receiver was told what it is to be called.
static void test_the_name_that_was_asked_for(void) {
    static const char *const firsts[] = {"passwd", "..", ".", "/", "", "a"};
    static const char *const inner[] = {"passwd/x", "../x", "./x", "x/x", "/x/x", "a//x"};
    CHECK_IS(path_call(NR_MKDIR, "/named"), 0);
    CHECK_IS(make_file("/named/passwd", "old"), 3);
    for (u32 i = 0; i < ARRAY_SIZE(firsts); i++) {
        entry_put(USTAR_FILE, firsts[i], NULL, "text");
        CHECK_IS(extract_as("/named", "wanted"), 0);
        CHECK_TEXT("/named/wanted", "text");
        CHECK_IS(path_call(NR_UNLINK, "/named/wanted"), 0);
        entry_put(USTAR_DIRECTORY, firsts[i], NULL, NULL);
        entry_put(USTAR_FILE, inner[i], NULL, "text");
        CHECK_IS(extract_as("/named", "wanted"), 0);
        CHECK_TEXT("/named/wanted/x", "text");
        CHECK_IS(path_call(NR_UNLINK, "/named/wanted/x"), 0);
        CHECK_IS(path_call(NR_RMDIR, "/named/wanted"), 0);
        entry_put(USTAR_FILE, inner[i], NULL, "text");
        CHECK_IS(extract_as("/named/wanted", "other"), 0); // not there yet: it is the name
        CHECK_TEXT("/named/wanted/x", "text");
        CHECK_IS(path_call(NR_UNLINK, "/named/wanted/x"), 0);
        CHECK_IS(path_call(NR_RMDIR, "/named/wanted"), 0);
    }
    entry_put(USTAR_SYMLINK, "a", "/named", NULL);
    entry_put(USTAR_FILE, "a/passwd", NULL, "text");
    CHECK_IS(extract_as("/named", "wanted"), -ENOTDIR);
    CHECK_TEXT("/named/passwd", "old");
}

static void test_damage(void) {
    entry_put(USTAR_FILE, "short", NULL, "text");
    fake_stream(stream.bytes, USTAR_BLOCK_BYTES + 3);
    char problem[ARCHIVE_PROBLEM_MAX];
    CHECK_IS(archive_extract(first, "/target", ".", 1, problem) < 0, true);
    stream.bytes[0] ^= 1; // the sum is wrong
    CHECK_IS(extract("/target"), -EINVAL);
    entry_put(USTAR_HARD_LINK, "hard", "d/one", NULL);
    CHECK_IS(extract("/target"), -EINVAL);
}

// What a header has no room for is in the one before it, both ways.
static void test_large_numbers(void) {
    static u8 taken[16 * USTAR_BLOCK_BYTES];
    static char records[USTAR_BLOCK_BYTES];
    static struct pax pax;
    char problem[ARCHIVE_PROBLEM_MAX];
    struct ustar_entry entry;
    char name[USTAR_PATH_MAX + 1];
    char link[USTAR_PATH_MAX + 1];
    static i64 times[4] = {9, 0, 17'179'869'184, 0};
    CHECK_IS(make_file("/large", "text"), 4);
    strcpy(path, "/large");
    CHECK_IS(CALL3(first, NR_CHOWN, path, 3'000'000, 4'000'000'000), 0);
    CHECK_IS(CALL4(first, NR_UTIMENSAT, AT_FDCWD, path, times, 0), 0);
    fake_stream_take(taken, sizeof(taken), -EPIPE);
    CHECK_IS(archive_write(first, "/large", "large", 1, problem), 0);
    fake_stream(taken, fake_stream_taken());
    CHECK_IS(archive_extract(first, "/target", "large", 1, problem), 0);
    CHECK_IS(stat_path(NR_STAT, "/target/large"), 0);
    CHECK_IS(status.uid, 3'000'000);
    CHECK_IS(status.gid, 4'000'000'000);
    CHECK_IS(status.mtime.seconds, times[2]);
    CHECK_IS(CALL2(first, NR_TRUNCATE, strcpy(path, "/large"), 9l << 30), 0);
    fake_stream_take(taken, sizeof(taken), -EPIPE);
    CHECK_IS(archive_write(first, "/large", "large", 1, problem), -EPIPE);
    fake_stream_take(NULL, 0, 0);
    CHECK_IS(ustar_read(taken, &entry, name, link), true);
    CHECK_IS(entry.type, USTAR_PAX);
    memcpy(records, taken + USTAR_BLOCK_BYTES, sizeof(records));
    CHECK_IS(pax_read(records, entry.size_bytes, &pax), true);
    CHECK_IS(pax.fields, PAX_SIZE | PAX_UID | PAX_GID);
    CHECK_IS(ustar_read(taken + (2l * USTAR_BLOCK_BYTES), &entry, name, link), true);
    CHECK_IS(entry.size_bytes, 0);
    pax_apply(&pax, &entry);
    CHECK_IS(entry.size_bytes, 9l << 30);
}

static void test_pax_records(void) {
    static struct pax pax;
    static const struct {
        const char *text;
        bool is_fine;
    } cases[] = {
        {"", true},
        {"9 size=8\n", true},
        {"9 what=8\n", true},
        {"14 mtime=1.25\n", true},
        {"9 size=8\n9 size=9\n", true},
        {"8 size=8\n", false},
        {"11 size=8\n", false},
        {"9 size=x\n", false},
        {"8 size=\n", false},
        {"9 size 8\n", false},
        {"28 size=9223372036854775808\n", false},
        {"18 uid=4294967295\n", false},
        {"99999999 size=8\n", false},
        {"0 size=8\n", false},
        {" 9 size=8\n", false},
    };
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++)
        CHECK_IS(pax_read(cases[i].text, strlen(cases[i].text), &pax), cases[i].is_fine);
    CHECK_IS(pax_read("9 size=8\n9 size=9\n", 18, &pax), true);
    CHECK_IS(pax.size_bytes, 9);
    CHECK_IS(pax_read("10 path=\0a\n", 11, &pax), false);
    CHECK_IS(pax_read("11 path=a\0b\n", 12, &pax), false);
}

int main(int argc, char **argv) {
    boot_image(argc, argv);
    CHECK_IS(path_call(NR_MKDIR, "/target"), 0);
    test_plain();
    test_the_target_as_something_else();
    test_ways_out();
    test_directories_are_not_written();
    test_the_name_that_was_asked_for();
    test_damage();
    test_large_numbers();
    test_pax_records();
    return failures != 0;
}
