// Prints every path of an EROFS image with its inode, one line each, and the sum of its bytes:
// what test_userland_lib.py compares with the tree that the image was made of.
#include "lib/erofs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void dump(struct erofs *fs, u64 nid, const char *path) {
    struct erofs_inode inode;
    if (erofs_inode_read(fs, nid, &inode) != EROFS_OK) {
        printf("%s: %s\n", path, fs->problem);
        return;
    }
    u8 buffer[1000];
    u64 sum = 0;
    u64 count;
    for (u64 at = 0; (count = erofs_read(fs, &inode, at, buffer, sizeof(buffer))) > 0;
         at += count) {
        for (u64 i = 0; i < count; i++) {
            sum = (sum * 31 + buffer[i]) & 0xffffffff;
        }
    }
    bool is_directory = (inode.mode & 0170000) == 0040000;
    printf("%s %o %u %u %u %lu %lu\n", path, inode.mode, inode.nlink, inode.uid, inode.gid,
           is_directory ? 0 : inode.size_bytes, is_directory ? 0 : sum);
    struct erofs_entry entry = {};
    for (u64 cookie = 0; is_directory; cookie = entry.cookie) {
        if (erofs_directory_next(fs, &inode, cookie, &entry) != EROFS_OK) {
            break;
        }
        struct erofs_entry found;
        if (erofs_lookup(fs, &inode, entry.name, entry.name_size, &found) != EROFS_OK ||
            found.nid != entry.nid) {
            printf("%s/%.*s: not found by lookup\n", path, (int)entry.name_size, entry.name);
        }
        bool is_dot = entry.name[0] == '.' &&
                      (entry.name_size == 1 || (entry.name_size == 2 && entry.name[1] == '.'));
        if (!is_dot) {
            char child[4096];
            snprintf(child, sizeof(child), "%s/%.*s", path, (int)entry.name_size, entry.name);
            dump(fs, entry.nid, child);
        }
    }
}

int main(int argc, char **argv) {
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file) {
        return 2;
    }
    fseek(file, 0, SEEK_END);
    u64 size = (u64)ftell(file);
    rewind(file);
    u8 *image = malloc(size ? size : 1);
    size = fread(image, 1, size, file);
    fclose(file);
    struct erofs fs;
    if (erofs_open(&fs, image, size) != EROFS_OK) {
        printf("open: %s\n", fs.problem);
    } else {
        dump(&fs, fs.root_nid, "");
    }
    free(image);
}
