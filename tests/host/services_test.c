// Unit tests of what the services read from outside: shell lines, keys, manifests, records,
// partition tables. `services_test DISK` reads a disk that the build made.
#include "check.h"

#include "init/manifest.h"
#include "lib/records.h"
#include "shell/editor.h"
#include "shell/words.h"
#include "storage/gpt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The line's commands as text: words in brackets, a bar behind each command.
static const char *cut_text(const char *line) {
    static char cut[LINE_CUT_MAX], text[4096];
    u32 used, place = 0;
    struct words words;
    const char *problem = line_cut(line, strlen(line), cut, &used);
    if (problem) {
        return problem;
    }
    text[0] = 0;
    while (line_command(cut, used, &place, &words)) {
        const char *word = NULL;
        while ((word = words_next(&words, word))) {
            sprintf(text + strlen(text), "[%s]", word);
        }
        strcat(text, "|");
    }
    return text;
}

static void check_cut(const char *line, const char *expected) {
    const char *found = cut_text(line);
    if (strcmp(found, expected) != 0) {
        printf("`%s` is cut into %s, not %s\n", line, found, expected);
        failures++;
    }
}

static void test_words(void) {
    check_cut("", "");
    check_cut("  ;; ; ", "");
    check_cut("run busybox echo hello", "[run][busybox][echo][hello]|");
    check_cut("a;b ; c;", "[a]|[b]|[c]|");
    check_cut("a 'b c' \"d e\" f\\ g", "[a][b c][d e][f g]|");
    check_cut("a '' \"\" b", "[a][][][b]|");
    check_cut("a'b'\"c\"d", "[abcd]|");
    check_cut("'a;b' \"c;d\" e\\;f", "[a;b][c;d][e;f]|");
    check_cut("\"a\\\"b\\\\c\\$d\\e\"", "[a\"b\\c$d\\e]|");
    check_cut("'a\\b'", "[a\\b]|");
    check_cut("a\\\nb c", "[ab][c]|");
    check_cut("a\nb", "[a]|[b]|");
    check_cut("sh -c 'a | b > c && d'", "[sh][-c][a | b > c && d]|");
    check_cut("echo $a *.c ~ #x {y} [z] k=v", "[echo][$a][*.c][~][#x][{y}][[z]][k=v]|");
    check_cut("'a", "a single quote has no end");
    check_cut("\"a", "a double quote has no end");
    check_cut("a\\", "a backslash at the end quotes nothing");
    CHECK(strstr(cut_text("a | b"), "must be quoted"));
    CHECK(strstr(cut_text("a && b"), "must be quoted"));
}

static char echoed[256];

static void echo(const char *bytes, usize size_bytes) { strncat(echoed, bytes, size_bytes); }

static void check_typed(const char *keys, enum editor_result expected, const char *line,
                        const char *shown) {
    static struct editor editor;
    enum editor_result result = EDITOR_MORE;
    editor.size_bytes = 0;
    editor.escape = 0;
    echoed[0] = 0;
    for (; *keys; keys++) {
        result = editor_take(&editor, *keys, echo);
    }
    CHECK(result == expected);
    CHECK(editor.size_bytes == strlen(line) && memcmp(editor.line, line, strlen(line)) == 0);
    CHECK(strcmp(echoed, shown) == 0);
}

static void test_editor(void) {
    check_typed("ab\r", EDITOR_LINE, "ab", "ab\n");
    check_typed("ab\x7f"
                "c\b\r",
                EDITOR_LINE, "a", "ab\b \bc\b \b\n");
    check_typed("\x7f\r", EDITOR_LINE, "", "\n");
    check_typed("a\xc3\xa4\x7f", EDITOR_MORE, "a", "a\xc3\xa4\b \b");
    check_typed("ab\x03", EDITOR_CLEARED, "", "ab^C\n");
    check_typed("a\x04\x01"
                "b",
                EDITOR_MORE, "ab", "ab");
    check_typed("a\x1b[A\x1b[1;5C\x1bOH\x1bxb", EDITOR_MORE, "ab", "ab");
    check_typed("a b\x17"
                "c",
                EDITOR_MORE, "a c", "a b\b \bc");
    check_typed("ab\x15"
                "c",
                EDITOR_MORE, "c", "ab\b \b\b \bc");
}

static void test_manifest(void) {
    static const char text[] =
        "# a comment\n\n  namespace  a # why\nservice s x:y wait\nnonsense z\n"
        "service\ntemplate t";
    struct manifest manifest;
    struct manifest_line line;
    const char *problem;
    manifest_open(&manifest, text, strlen(text));
    CHECK(manifest_next(&manifest, &line, &problem) == MANIFEST_LINE);
    CHECK(line.kind == MANIFEST_NAMESPACE && strcmp(line.name, "a") == 0 && line.number == 3);
    CHECK(manifest_next(&manifest, &line, &problem) == MANIFEST_LINE);
    CHECK(line.kind == MANIFEST_SERVICE && manifest_has_word(&line, "x:y") &&
          manifest_has_word(&line, "wait") && !manifest_has_word(&line, "s"));
    CHECK(manifest_next(&manifest, &line, &problem) == MANIFEST_BAD && line.number == 5);
    CHECK(manifest_next(&manifest, &line, &problem) == MANIFEST_BAD && line.number == 6);
    CHECK(manifest_next(&manifest, &line, &problem) == MANIFEST_LINE);
    CHECK(line.kind == MANIFEST_TEMPLATE && line.words_count == 0);
    CHECK(manifest_next(&manifest, &line, &problem) == MANIFEST_END);
}

static void test_records(void) {
    static const handle_t handles[] = {7, 9};
    static const char bytes[] = "hns\0aone\0eA=1\0himage\0atwo\0eB=\0a";
    struct records records;
    CHECK(records_open(&records, bytes, sizeof(bytes), handles, 2));
    CHECK(records_handle(&records, "image") == 9 && records_handle(&records, "imag") == 0);
    CHECK(records_take(&records, "ns") == 7 && records_take(&records, "ns") == 0);
    const char *word = records_next(&records, 'a', NULL);
    CHECK(strcmp(word, "one") == 0);
    word = records_next(&records, 'a', word);
    CHECK(strcmp(word, "two") == 0);
    word = records_next(&records, 'a', word);
    CHECK(word && strcmp(word, "") == 0 && !records_next(&records, 'a', word));
    CHECK(strcmp(records_value(&records, 'e', "A"), "1") == 0);
    CHECK(strcmp(records_value(&records, 'e', "B"), "") == 0 && !records_value(&records, 'e', "C"));
    CHECK(!records_open(&records, bytes, sizeof(bytes), handles, 1));
    CHECK(!records_open(&records, "aone", 4, handles, 0));
    CHECK(!records_open(&records, "a\0\0b", 5, handles, 0));
    CHECK(records_open(&records, "", 0, handles, 0));
}

static u8 *disk_bytes;
static u64 disk_sectors;

static const u8 *disk_read(void *context, u64 first_sector, u64 count) {
    (void)context;
    bool is_inside = first_sector < disk_sectors && count <= disk_sectors - first_sector;
    return is_inside ? disk_bytes + first_sector * GPT_SECTOR_BYTES : NULL;
}

// What gpt_open says of the disk: its problem, or the number of good entries.
static void check_disk(bool is_usable, const char *primary_problem, u32 good_expected) {
    struct gpt_disk disk = {disk_read, NULL, disk_sectors};
    struct gpt gpt;
    struct gpt_entry entry;
    const char *problem;
    u32 good = 0;
    CHECK(gpt_open(&gpt, &disk, &problem) == is_usable);
    CHECK(primary_problem ? gpt.primary_problem && strstr(gpt.primary_problem, primary_problem)
                          : !gpt.primary_problem);
    for (u32 i = 0; is_usable && i < gpt.entries_count; i++) {
        good += gpt_entry_read(&gpt, &disk, i, &entry, &problem) == GPT_ENTRY_GOOD;
    }
    CHECK(good == good_expected);
}

static void disk_load(const char *path) {
    FILE *file = fopen(path, "rb");
    fseek(file, 0, SEEK_END);
    disk_sectors = (u64)ftell(file) / GPT_SECTOR_BYTES;
    rewind(file);
    disk_bytes = malloc(disk_sectors * GPT_SECTOR_BYTES);
    CHECK(fread(disk_bytes, GPT_SECTOR_BYTES, disk_sectors, file) == disk_sectors);
    fclose(file);
}

static void test_gpt(void) {
    u8 *primary = disk_bytes + GPT_SECTOR_BYTES;
    u8 *backup = disk_bytes + (disk_sectors - 1) * GPT_SECTOR_BYTES;
    CHECK(crc32(0, "123456789", 9) == 0xcbf43926);
    check_disk(true, NULL, 2);
    primary[16] ^= 1;
    check_disk(true, "checksum of its header", 2);
    primary[16] ^= 1;
    primary[GPT_SECTOR_BYTES + 32] ^= 1; // the first entry's first sector
    check_disk(true, "checksum of its entries", 2);
    backup[0] ^= 1;
    check_disk(false, "checksum of its entries", 0);
    primary[GPT_SECTOR_BYTES + 32] ^= 1;
    check_disk(true, NULL, 2);
}

int main(int argc, char **argv) {
    test_words();
    test_editor();
    test_manifest();
    test_records();
    if (argc > 1) {
        disk_load(argv[1]);
        test_gpt();
        free(disk_bytes);
    }
    return failures > 0;
}
