// The ustar format (POSIX.1-1988), with pax headers (2001) for names that are too long for it: blocks
// of 512 bytes, a header for each file, its contents filled up to a whole block.
// Rules: what is read is not trusted; ustar_read checks it.
#pragma once

#include "lib/types.h"

enum {
    USTAR_BLOCK_BYTES = 512,
    USTAR_NAME_MAX = 100,
    USTAR_PATH_MAX = 4095, // with a pax header
};

enum ustar_type : char {
    USTAR_FILE = '0',
    USTAR_HARD_LINK = '1',
    USTAR_SYMLINK = '2',
    USTAR_CHARACTER = '3',
    USTAR_BLOCK = '4',
    USTAR_DIRECTORY = '5',
    USTAR_FIFO = '6',
    USTAR_PAX = 'x',
    USTAR_PAX_GLOBAL = 'g',
    USTAR_PROBLEM = 'P', // our own: the contents say why the archive ends here
};

struct ustar_entry {
    enum ustar_type type;
    u32 mode;
    u32 uid;
    u32 gid;
    u32 major;
    u32 minor;
    u64 size_bytes;
    u64 mtime_seconds;
    const char *path; // cut in a header, where it is too long
    const char *link;
};

void ustar_write(u8 block[USTAR_BLOCK_BYTES], const struct ustar_entry *entry);

// A header's fields; path and link are strings in `path` and `link`. False: it is none.
bool ustar_read(const u8 block[USTAR_BLOCK_BYTES], struct ustar_entry *entry,
                char path[USTAR_PATH_MAX + 1], char link[USTAR_PATH_MAX + 1]);
bool ustar_is_end(const u8 block[USTAR_BLOCK_BYTES]);

// A pax record `LENGTH KEY=VALUE\n`. Returns its size; 0: no room.
usize pax_write(char *to, usize room, const char *key, const char *value);
// Looks for a key in pax records; false: it is not there, or its value is longer than USTAR_PATH_MAX.
bool pax_find(const char *records, usize size, const char *key, char value[USTAR_PATH_MAX + 1]);
