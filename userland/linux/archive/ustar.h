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

// What does not fit into its field is zeros there, and belongs into a pax header before it.
void ustar_write(u8 block[USTAR_BLOCK_BYTES], const struct ustar_entry *entry);

// A header's fields; path and link are strings in `path` and `link`. False: it is none.
bool ustar_read(const u8 block[USTAR_BLOCK_BYTES], struct ustar_entry *entry,
                char path[USTAR_PATH_MAX + 1], char link[USTAR_PATH_MAX + 1]);
bool ustar_is_end(const u8 block[USTAR_BLOCK_BYTES]);

// The records of a pax header, for what of an entry has no room in its own. Returns their size; 0:
// nothing is needed. They have room in PAX_BYTES_MAX.
enum { PAX_BYTES_MAX = 2 * USTAR_PATH_MAX + 256 };
usize pax_write(char to[PAX_BYTES_MAX], const struct ustar_entry *entry);

enum pax_field : u32 {
    PAX_PATH = 1,
    PAX_LINK = 2,
    PAX_SIZE = 4,
    PAX_UID = 8,
    PAX_GID = 16,
    PAX_MTIME = 32,
};

// What a pax header says of the entry behind it.
struct pax {
    u32 fields; // enum pax_field: those that are there
    u64 size_bytes;
    u64 uid;
    u64 gid;
    u64 mtime_seconds;
    char path[USTAR_PATH_MAX + 1];
    char link[USTAR_PATH_MAX + 1];
};

// Unknown keys are passed over. False: they are no records, or a value is out of range.
bool pax_read(const char *records, usize size, struct pax *pax);
// Puts what is there into the entry, and forgets it.
void pax_apply(struct pax *pax, struct ustar_entry *entry);
