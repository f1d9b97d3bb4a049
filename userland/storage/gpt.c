#include "storage/gpt.h"
#include "lib/string.h"

struct gpt_header {
    char signature[8];
    u32 revision;
    u32 header_bytes;
    u32 header_crc;
    u32 reserved;
    u64 own_sector;
    u64 other_sector;
    u64 first_usable;
    u64 last_usable;
    u8 disk_guid[16];
    u64 table_sector;
    u32 entries_count;
    u32 entry_bytes;
    u32 table_crc;
} __attribute__((packed));
static_assert(sizeof(struct gpt_header) == 92);

struct gpt_entry_on_disk {
    u8 type[16];
    u8 unique[16];
    u64 first_sector;
    u64 last_sector;
    u64 attributes;
    u16 name[36];
};
static_assert(sizeof(struct gpt_entry_on_disk) == 128);

// Reads at a time; divides the sizes that entries can have.
enum { CHUNK_SECTORS = 8, CHUNK_BYTES = CHUNK_SECTORS * GPT_SECTOR_BYTES };

static u64 table_sectors(const struct gpt *gpt) {
    u64 bytes = (u64)gpt->entries_count * gpt->entry_bytes;
    return (bytes + GPT_SECTOR_BYTES - 1) / GPT_SECTOR_BYTES;
}

static const char *table_check(const struct gpt *gpt, const struct gpt_disk *disk, u32 expected) {
    u64 left = (u64)gpt->entries_count * gpt->entry_bytes;
    u32 crc = 0;
    for (u64 sector = gpt->table_sector; left > 0; sector += CHUNK_SECTORS) {
        u64 size = min(left, (u64)CHUNK_BYTES);
        u64 sectors = (size + GPT_SECTOR_BYTES - 1) / GPT_SECTOR_BYTES;
        const u8 *bytes = disk->read(disk->context, sector, sectors);
        if (!bytes) {
            return "its entries can't be read";
        }
        crc = crc32(crc, bytes, size);
        left -= size;
    }
    return crc == expected ? NULL : "the checksum of its entries is wrong";
}

static const char *bounds_check(const struct gpt *gpt, const struct gpt_disk *disk) {
    if (gpt->entry_bytes < sizeof(struct gpt_entry_on_disk) ||
        gpt->entry_bytes > GPT_ENTRY_BYTES_MAX ||
        (gpt->entry_bytes & (gpt->entry_bytes - 1)) != 0) {
        return "its entries have a size that is not known";
    }
    if (gpt->entries_count == 0 || gpt->entries_count > GPT_ENTRIES_MAX) {
        return "it has no entries, or too many";
    }
    u64 sectors = table_sectors(gpt);
    if (gpt->table_sector < 1 || gpt->table_sector >= disk->sectors ||
        sectors > disk->sectors - gpt->table_sector) {
        return "its entries lie outside the disk";
    }
    if (gpt->first_usable > gpt->last_usable || gpt->last_usable >= disk->sectors) {
        return "its usable range lies outside the disk";
    }
    return NULL;
}

static const char *header_checksum(const u8 *sector) {
    struct gpt_header header;
    u8 copy[GPT_SECTOR_BYTES];
    memcpy(&header, sector, sizeof(header));
    if (header.header_bytes < sizeof(header) || header.header_bytes > GPT_SECTOR_BYTES) {
        return "its header has a size that is not known";
    }
    memcpy(copy, sector, sizeof(copy));
    memset(copy + __builtin_offsetof(struct gpt_header, header_crc), 0, sizeof(u32));
    return crc32(0, copy, header.header_bytes) == header.header_crc
               ? NULL
               : "the checksum of its header is wrong";
}

// NULL when the copy at this sector is good.
static const char *copy_open(struct gpt *gpt, const struct gpt_disk *disk, u64 sector) {
    struct gpt_header header;
    const u8 *bytes = disk->read(disk->context, sector, 1);
    if (!bytes) {
        return "it can't be read";
    }
    memcpy(&header, bytes, sizeof(header));
    if (memcmp(header.signature, "EFI PART", 8) != 0) {
        return "there is none";
    }
    if (header.revision != 0x10000) {
        return "its revision is not 1.0";
    }
    const char *problem = header_checksum(bytes);
    if (problem) {
        return problem;
    }
    if (header.own_sector != sector) {
        return "it says that it belongs elsewhere";
    }
    gpt->table_sector = header.table_sector;
    gpt->entries_count = header.entries_count;
    gpt->entry_bytes = header.entry_bytes;
    gpt->first_usable = header.first_usable;
    gpt->last_usable = header.last_usable;
    problem = bounds_check(gpt, disk);
    return problem ? problem : table_check(gpt, disk, header.table_crc);
}

bool gpt_open(struct gpt *gpt, const struct gpt_disk *disk, const char **problem) {
    *problem = "the disk is too small";
    gpt->primary_problem = *problem;
    if (disk->sectors < 3) {
        return false;
    }
    gpt->primary_problem = copy_open(gpt, disk, 1);
    if (!gpt->primary_problem) {
        return true;
    }
    *problem = copy_open(gpt, disk, disk->sectors - 1);
    return !*problem;
}

// One unit of UTF-16 as UTF-8; surrogates become `?`, for names here need none.
static u32 name_unit(char *to, u16 unit) {
    if (unit < 0x80) {
        to[0] = (char)(unit < 0x20 || unit == 0x7f ? '?' : unit);
        return 1;
    }
    if (unit < 0x800) {
        to[0] = (char)(0xc0 | unit >> 6);
        to[1] = (char)(0x80 | (unit & 0x3f));
        return 2;
    }
    if (unit >= 0xd800 && unit < 0xe000) {
        to[0] = '?';
        return 1;
    }
    to[0] = (char)(0xe0 | unit >> 12);
    to[1] = (char)(0x80 | (unit >> 6 & 0x3f));
    to[2] = (char)(0x80 | (unit & 0x3f));
    return 3;
}

static void name_decode(char *name, const u16 units[36]) {
    u32 size = 0;
    for (u32 i = 0; i < 36 && units[i] != 0; i++) {
        size += name_unit(name + size, units[i]);
    }
    name[size] = 0;
}

enum gpt_verdict gpt_entry_read(const struct gpt *gpt, const struct gpt_disk *disk, u32 index,
                                struct gpt_entry *entry, const char **problem) {
    static const u8 unused[16] = {};
    struct gpt_entry_on_disk raw;
    u64 place = (u64)index * gpt->entry_bytes;
    u64 sector = gpt->table_sector + place / GPT_SECTOR_BYTES;
    const u8 *bytes = disk->read(disk->context, sector, 1);
    entry->name[0] = 0;
    if (!bytes) {
        *problem = "its entry can't be read";
        return GPT_ENTRY_BAD;
    }
    memcpy(&raw, bytes + place % GPT_SECTOR_BYTES, sizeof(raw));
    if (memcmp(raw.type, unused, sizeof(unused)) == 0) {
        return GPT_ENTRY_UNUSED;
    }
    memcpy(entry->type, raw.type, sizeof(raw.type));
    memcpy(entry->unique, raw.unique, sizeof(raw.unique));
    name_decode(entry->name, raw.name);
    if (raw.first_sector < gpt->first_usable || raw.last_sector > gpt->last_usable ||
        raw.first_sector > raw.last_sector) {
        *problem = "it lies outside the usable part of the disk";
        return GPT_ENTRY_BAD;
    }
    entry->first_sector = raw.first_sector;
    entry->sectors = raw.last_sector - raw.first_sector + 1;
    return GPT_ENTRY_GOOD;
}

u32 crc32(u32 crc, const void *bytes, usize size) {
    // Four bits at a time.
    static const u32 table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    const u8 *at = bytes;
    crc = ~crc;
    while (size-- > 0) {
        crc ^= *at++;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

void guid_format(char text[GUID_TEXT_BYTES], const u8 guid[16]) {
    static const u8 order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    static const char digits[] = "0123456789abcdef";
    for (u32 i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *text++ = '-';
        }
        *text++ = digits[guid[order[i]] >> 4];
        *text++ = digits[guid[order[i]] & 15];
    }
    *text = 0;
}
