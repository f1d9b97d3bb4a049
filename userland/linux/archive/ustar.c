#include "linux/archive/ustar.h"

#include "lib/format.h"
#include "lib/string.h"

struct ustar_header {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char user[32];
    char group[32];
    char major[8];
    char minor[8];
    char prefix[155];
    char padding[12];
};
static_assert(sizeof(struct ustar_header) == USTAR_BLOCK_BYTES);

enum : u64 { NUMBER_MAX = 1UL << 40 };

// Octal digits, all but the last byte of the field.
static void number_write(char *field, usize size, u64 number) {
    for (usize i = size - 1; i-- > 0; number >>= 3)
        field[i] = (char)('0' + (number & 7));
}

static bool number_read(const char *field, usize size, u64 *number) {
    usize at = 0;
    *number = 0;
    while (at < size && field[at] == ' ')
        at++;
    for (; at < size && field[at] >= '0' && field[at] <= '7'; at++)
        *number = *number << 3 | (u64)(field[at] - '0');
    return (at == size || field[at] == 0 || field[at] == ' ') && *number < NUMBER_MAX;
}

static u32 checksum_of(const u8 *block) {
    u32 sum = 0;
    usize start = __builtin_offsetof(struct ustar_header, checksum);
    for (usize i = 0; i < USTAR_BLOCK_BYTES; i++)
        sum +=
            i >= start && i < start + sizeof(((struct ustar_header *)0)->checksum) ? ' ' : block[i];
    return sum;
}

void ustar_write(u8 block[USTAR_BLOCK_BYTES], const struct ustar_entry *entry) {
    struct ustar_header *header = (struct ustar_header *)block;
    memset(header, 0, sizeof(*header));
    memcpy(header->name, entry->path, min(strlen(entry->path), sizeof(header->name)));
    if (entry->link)
        memcpy(header->link, entry->link, min(strlen(entry->link), sizeof(header->link)));
    number_write(header->mode, sizeof(header->mode), entry->mode);
    number_write(header->uid, sizeof(header->uid), entry->uid);
    number_write(header->gid, sizeof(header->gid), entry->gid);
    number_write(header->size, sizeof(header->size), entry->size_bytes);
    number_write(header->mtime, sizeof(header->mtime), entry->mtime_seconds);
    number_write(header->major, sizeof(header->major), entry->major);
    number_write(header->minor, sizeof(header->minor), entry->minor);
    header->type = entry->type;
    memcpy(header->magic, "ustar", 6);
    memcpy(header->version, "00", 2);
    number_write(header->checksum, sizeof(header->checksum) - 1, checksum_of(block));
    header->checksum[sizeof(header->checksum) - 1] = ' ';
}

static usize field_copy(char *to, const char *field, usize size) {
    const char *end = memchr(field, 0, size);
    usize length = end ? (usize)(end - field) : size;
    memcpy(to, field, length);
    to[length] = 0;
    return length;
}

static bool numbers_read(const struct ustar_header *header, struct ustar_entry *entry) {
    u64 mode, uid, gid, major, minor;
    bool is_fine = number_read(header->mode, sizeof(header->mode), &mode) &&
                   number_read(header->uid, sizeof(header->uid), &uid) &&
                   number_read(header->gid, sizeof(header->gid), &gid) &&
                   number_read(header->size, sizeof(header->size), &entry->size_bytes) &&
                   number_read(header->mtime, sizeof(header->mtime), &entry->mtime_seconds) &&
                   number_read(header->major, sizeof(header->major), &major) &&
                   number_read(header->minor, sizeof(header->minor), &minor);
    if (!is_fine) return false;
    entry->mode = (u32)mode & 07777;
    entry->uid = (u32)uid;
    entry->gid = (u32)gid;
    entry->major = (u32)major;
    entry->minor = (u32)minor;
    return true;
}

bool ustar_read(const u8 block[USTAR_BLOCK_BYTES], struct ustar_entry *entry,
                char path[USTAR_PATH_MAX + 1], char link[USTAR_PATH_MAX + 1]) {
    const struct ustar_header *header = (const struct ustar_header *)block;
    u64 checksum;
    *entry = (struct ustar_entry){.path = path, .link = link};
    if (memcmp(header->magic, "ustar", 5) != 0 ||
        !number_read(header->checksum, sizeof(header->checksum), &checksum) ||
        checksum != checksum_of(block) || !numbers_read(header, entry))
        return false;
    usize used = field_copy(path, header->prefix, sizeof(header->prefix));
    if (used > 0) path[used++] = '/';
    field_copy(path + used, header->name, sizeof(header->name));
    field_copy(link, header->link, sizeof(header->link));
    entry->type = header->type ? header->type : USTAR_FILE;
    return true;
}

bool ustar_is_end(const u8 block[USTAR_BLOCK_BYTES]) {
    for (usize i = 0; i < USTAR_BLOCK_BYTES; i++) {
        if (block[i] != 0) return false;
    }
    return true;
}

usize pax_write(char *to, usize room, const char *key, const char *value) {
    usize rest = strlen(key) + strlen(value) + 3; // a blank, `=` and a newline
    usize digits = 1;
    for (usize limit = 10; rest + digits >= limit; limit *= 10)
        digits++;
    usize size = rest + digits;
    usize written = format_text(to, room, "%lu %s=%s\n", size, key, value);
    return written < room && written == size ? size : 0;
}

// The record at `at`: its length counts itself. 0: there is none.
static usize record_size(const char *at, usize room, usize *head) {
    usize size = 0;
    usize digits = 0;
    while (digits < room && digits < 6 && at[digits] >= '0' && at[digits] <= '9')
        size = size * 10 + (usize)(at[digits++] - '0');
    *head = digits + 1;
    bool is_fine = digits > 0 && digits < room && at[digits] == ' ' && size > *head && size <= room;
    return is_fine && at[size - 1] == '\n' ? size : 0;
}

bool pax_find(const char *records, usize size, const char *key, char value[USTAR_PATH_MAX + 1]) {
    usize key_size = strlen(key);
    usize head;
    for (usize at = 0, length; (length = record_size(records + at, size - at, &head));
         at += length) {
        const char *pair = records + at + head;
        usize pair_size = length - head - 1;
        if (pair_size <= key_size || memcmp(pair, key, key_size) != 0 || pair[key_size] != '=')
            continue;
        usize value_size = pair_size - key_size - 1;
        if (value_size > USTAR_PATH_MAX || memchr(pair, 0, pair_size)) return false;
        memcpy(value, pair + key_size + 1, value_size);
        value[value_size] = 0;
        return true;
    }
    return false;
}
