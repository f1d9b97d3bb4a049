// Everything that the services read from outside, and that needs no kernel: records, shell lines,
// typed keys, the boot manifest, partition tables. The first byte says which.
#include "init/manifest.h"
#include "lib/records.h"
#include "shell/editor.h"
#include "shell/words.h"
#include "storage/gpt.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)           \
    do {                           \
        if (!(condition)) abort(); \
    } while (0)

static void records_try(const uint8_t *data, size_t size) {
    static const handle_t handles[RECORDS_HANDLES_MAX] = {1, 2, 3, 4};
    struct records records;
    u32 count = size ? data[0] % (RECORDS_HANDLES_MAX + 2) : 0;
    if (size == 0 || !records_open(&records, (const char *)data + 1, size - 1, handles, count)) {
        return;
    }
    char *copy = malloc(size + 64);
    struct records_writer writer;
    records_begin(&writer, copy, size + 64);
    for (int kind = 1; kind < 256; kind++) {
        const char *text = NULL;
        while ((text = records_next(&records, (char)kind, text))) {
            records_add(&writer, (char)kind, text);
        }
    }
    CHECK(!writer.is_full && writer.size_bytes == size - 1);
    records_value(&records, 'e', "PATH");
    records_take(&records, "ns");
    free(copy);
}

static void words_try(const uint8_t *data, size_t size) {
    static char cut[LINE_CUT_MAX];
    u32 used, place = 0;
    struct words words;
    if (size > LINE_BYTES_MAX || line_cut((const char *)data, size, cut, &used)) {
        return;
    }
    CHECK(used <= 2 * size + 4);
    while (line_command(cut, used, &place, &words)) {
        u32 count = 0;
        const char *word = NULL;
        while ((word = words_next(&words, word))) {
            CHECK(strlen(word) <= size);
            count++;
        }
        CHECK(count > 0);
    }
    CHECK(place == used);
}

static void echo(const char *bytes, usize size_bytes) { CHECK(size_bytes > 0 && bytes[0] != 0); }

static void editor_try(const uint8_t *data, size_t size) {
    static struct editor editor;
    editor.size_bytes = 0;
    editor.escape = 0;
    for (size_t i = 0; i < size; i++) {
        editor_take(&editor, (char)data[i], echo);
        CHECK(editor.size_bytes <= LINE_BYTES_MAX);
    }
}

static void manifest_try(const uint8_t *data, size_t size) {
    struct manifest manifest;
    struct manifest_line line, copy;
    const char *problem;
    enum manifest_result result;
    manifest_open(&manifest, (const char *)data, size);
    while ((result = manifest_next(&manifest, &line, &problem)) != MANIFEST_END) {
        CHECK(result == MANIFEST_LINE || strlen(problem) > 0);
        if (result == MANIFEST_LINE) {
            manifest_copy(&copy, &line);
            CHECK(strlen(copy.name) <= MANIFEST_WORD_MAX);
            for (u32 i = 0; i < copy.words_count; i++) {
                CHECK(manifest_has_word(&line, copy.words[i]));
            }
        }
    }
}

struct image {
    const uint8_t *data;
    size_t size;
};

// Gives exactly the sectors, in memory of their own, so that a read beyond them is seen.
static const u8 *image_read(void *context, u64 first_sector, u64 count) {
    static u8 *sectors;
    const struct image *image = context;
    free(sectors);
    sectors = NULL;
    if (first_sector > image->size / GPT_SECTOR_BYTES ||
        count > image->size / GPT_SECTOR_BYTES - first_sector) {
        return NULL;
    }
    sectors = malloc(count * GPT_SECTOR_BYTES);
    memcpy(sectors, image->data + first_sector * GPT_SECTOR_BYTES, count * GPT_SECTOR_BYTES);
    return sectors;
}

static void gpt_try(const uint8_t *data, size_t size) {
    struct image image = {data, size};
    struct gpt_disk disk = {image_read, &image, size / GPT_SECTOR_BYTES};
    struct gpt gpt;
    const char *problem;
    if (!gpt_open(&gpt, &disk, &problem)) {
        CHECK(problem && gpt.primary_problem);
        return;
    }
    for (u32 i = 0; i < gpt.entries_count; i++) {
        struct gpt_entry entry;
        if (gpt_entry_read(&gpt, &disk, i, &entry, &problem) == GPT_ENTRY_GOOD) {
            CHECK(entry.first_sector + entry.sectors <= disk.sectors && entry.sectors > 0);
            CHECK(strlen(entry.name) <= GPT_NAME_MAX);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const tries[])(const uint8_t *, size_t) = {
        records_try, words_try, editor_try, manifest_try, gpt_try,
    };
    if (size > 0) {
        // Memory of its own, so that a read beyond it is seen.
        uint8_t *copy = malloc(size);
        memcpy(copy, data + 1, size - 1);
        tries[data[0] % ARRAY_SIZE(tries)](copy, size - 1);
        free(copy);
    }
    return 0;
}
