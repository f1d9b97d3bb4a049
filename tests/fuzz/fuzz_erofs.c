// Reads everything that a hostile EROFS image offers: each inode reached from the root, its entries,
// its data. libFuzzer with ASan and UBSan finds what is read outside the image.
#include "lib/erofs.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { WALK_BUDGET = 2000 };

static void walk(struct erofs *fs, u64 nid, u32 depth, u32 *budget) {
    struct erofs_inode inode;
    if (*budget == 0 || depth > 8 || erofs_inode_read(fs, nid, &inode) != EROFS_OK) {
        return;
    }
    (*budget)--;
    u8 buffer[512];
    for (u64 offset = 0, step = 0; step < 64; step++) {
        u64 count = erofs_read(fs, &inode, offset, buffer, sizeof(buffer));
        if (count == 0) {
            break;
        }
        offset += count + 100000;
    }
    struct erofs_entry entry = {};
    for (u64 cookie = 0; *budget > 0; cookie = entry.cookie) {
        if (erofs_directory_next(fs, &inode, cookie, &entry) != EROFS_OK) {
            break;
        }
        struct erofs_entry found;
        erofs_lookup(fs, &inode, entry.name, entry.name_size, &found);
        walk(fs, entry.nid, depth + 1, budget);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    // A copy of the exact size, so that ASan sees the first byte beyond.
    u8 *image = malloc(size ? size : 1);
    memcpy(image, data, size);
    struct erofs fs;
    u32 budget = WALK_BUDGET;
    if (erofs_open(&fs, image, size) == EROFS_OK) {
        walk(&fs, fs.root_nid, 0, &budget);
    }
    free(image);
    return 0;
}
