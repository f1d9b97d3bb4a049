// Reading a GUID partition table (UEFI 2.10, chapter 5) that nobody vouches for.
// Rules:
// - everything is checked before it is used: signature, revision, sizes, both checksums, bounds;
// - where the primary copy is damaged the backup at the end of the disk is taken;
// - one bad entry does not spoil the others: each comes with its own verdict;
// - nothing here allocates, blocks (but in the reader given) or locks.
#pragma once

#include "lib/types.h"

enum {
    GPT_SECTOR_BYTES = 512,
    GPT_ENTRIES_MAX = 1024,
    GPT_ENTRY_BYTES_MAX = 512,
    GPT_NAME_MAX = 108, // bytes of a name in UTF-8: 36 units of at most 3
};

// Gives the address of `count` sectors from `first` on, valid until the next call; NULL when the
// disk can't be read there.
struct gpt_disk {
    const u8 *(*read)(void *context, u64 first_sector, u64 count);
    void *context;
    u64 sectors;
};

struct gpt {
    u64 table_sector;
    u32 entries_count;
    u32 entry_bytes;
    u64 first_usable;
    u64 last_usable;
    const char *primary_problem; // why the backup was taken; NULL when the primary is good
};

struct gpt_entry {
    u8 type[16];
    u8 unique[16];
    u64 first_sector;
    u64 sectors;
    char name[GPT_NAME_MAX + 1];
};

// False: neither copy is usable; *problem says why the backup is not, gpt->primary_problem why the
// primary is not.
bool gpt_open(struct gpt *gpt, const struct gpt_disk *disk, const char **problem);

enum gpt_verdict : u32 { GPT_ENTRY_GOOD, GPT_ENTRY_UNUSED, GPT_ENTRY_BAD };

// The entry number `index` < entries_count. BAD: *problem says why; its name is still there.
enum gpt_verdict gpt_entry_read(const struct gpt *gpt, const struct gpt_disk *disk, u32 index,
                                struct gpt_entry *entry, const char **problem);

// CRC-32 (IEEE 802.3), as zlib has it; start with 0.
u32 crc32(u32 crc, const void *bytes, usize size);

enum { GUID_TEXT_BYTES = 37 };
// 8-4-4-4-12 hexadecimal digits and a zero.
void guid_format(char text[GUID_TEXT_BYTES], const u8 guid[16]);
