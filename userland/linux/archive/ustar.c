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

enum : u64 { NUMBER_MAX = 1UL << 40, SECONDS_MAX = ~0ull / 1000000000 };

// Octal digits, all but the last byte of the field.
static bool number_fits(usize size, u64 number) { return number >> (3 * (size - 1)) == 0; }

static void number_write(char *field, usize size, u64 number) {
    if (!number_fits(size, number)) number = 0;
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
    entry->mtime_seconds = min(entry->mtime_seconds, (u64)SECONDS_MAX);
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

// A record `LENGTH KEY=VALUE\n`; the length counts itself.
static usize record_write(char *to, const char *key, const char *value) {
    usize rest = strlen(key) + strlen(value) + 3; // a blank, `=` and a newline
    usize digits = 1;
    for (usize limit = 10; rest + digits >= limit; limit *= 10)
        digits++;
    usize size = rest + digits;
    format_text(to, size + 1, "%lu %s=%s\n", size, key, value);
    return size;
}

static usize number_record_write(char *to, const char *key, usize field_size, u64 number) {
    char text[24];
    if (number_fits(field_size, number)) return 0;
    format_text(text, sizeof(text), "%lu", number);
    return record_write(to, key, text);
}

usize pax_write(char to[PAX_BYTES_MAX], const struct ustar_entry *entry) {
    struct ustar_header *header = NULL;
    usize size = 0;
    if (strlen(entry->path) > USTAR_NAME_MAX) size += record_write(to, "path", entry->path);
    if (strlen(entry->link) > USTAR_NAME_MAX)
        size += record_write(to + size, "linkpath", entry->link);
    size += number_record_write(to + size, "size", sizeof(header->size), entry->size_bytes);
    size += number_record_write(to + size, "uid", sizeof(header->uid), entry->uid);
    size += number_record_write(to + size, "gid", sizeof(header->gid), entry->gid);
    return size +
           number_record_write(to + size, "mtime", sizeof(header->mtime), entry->mtime_seconds);
}

// A key and its value, in a record.
struct pair {
    const char *key;
    usize key_size;
    const char *value;
    usize value_size;
};

// The size of the record that begins at `at`. 0: there is none.
static usize record_read(const char *at, usize room, struct pair *pair) {
    usize size = 0;
    usize digits = 0;
    while (digits < room && digits < 6 && at[digits] >= '0' && at[digits] <= '9')
        size = size * 10 + (usize)(at[digits++] - '0');
    usize head = digits + 1;
    bool is_fine = digits > 0 && digits < room && at[digits] == ' ' && size > head && size <= room;
    if (!is_fine || at[size - 1] != '\n') return 0;
    const char *equals = memchr(at + head, '=', size - head);
    if (!equals) return 0;
    *pair = (struct pair){at + head, (usize)(equals - at) - head, equals + 1,
                          (usize)(at + size - 1 - (equals + 1))};
    return size;
}

static bool text_take(const struct pair *pair, char to[USTAR_PATH_MAX + 1]) {
    if (pair->value_size > USTAR_PATH_MAX || memchr(pair->value, 0, pair->value_size)) return false;
    memcpy(to, pair->value, pair->value_size);
    to[pair->value_size] = 0;
    return true;
}

// Decimal digits; of a time a fraction, which is left out.
static bool number_take(const struct pair *pair, u64 max, u64 *number) {
    usize at = 0;
    *number = 0;
    for (; at < pair->value_size && pair->value[at] >= '0' && pair->value[at] <= '9'; at++) {
        *number = *number * 10 + (u64)(pair->value[at] - '0');
        if (*number > max) return false;
    }
    return at > 0 && (at == pair->value_size || pair->value[at] == '.');
}

static bool pair_is(const struct pair *pair, const char *key) {
    return pair->key_size == strlen(key) && memcmp(pair->key, key, pair->key_size) == 0;
}

static bool pair_take(const struct pair *pair, struct pax *pax) {
    const struct {
        const char *key;
        enum pax_field field;
        char *text;
        u64 *number;
        u64 max;
    } known[] = {
        {"path", PAX_PATH, pax->path, NULL, 0},
        {"linkpath", PAX_LINK, pax->link, NULL, 0},
        {"size", PAX_SIZE, NULL, &pax->size_bytes, ~0ull >> 1},
        {"uid", PAX_UID, NULL, &pax->uid, ~0u - 1},
        {"gid", PAX_GID, NULL, &pax->gid, ~0u - 1},
        {"mtime", PAX_MTIME, NULL, &pax->mtime_seconds, SECONDS_MAX},
    };
    for (usize i = 0; i < ARRAY_SIZE(known); i++) {
        if (!pair_is(pair, known[i].key)) continue;
        pax->fields |= known[i].field;
        return known[i].text ? text_take(pair, known[i].text)
                             : number_take(pair, known[i].max, known[i].number);
    }
    return true;
}

bool pax_read(const char *records, usize size, struct pax *pax) {
    pax->fields = 0;
    for (usize at = 0; at < size;) {
        struct pair pair;
        usize length = record_read(records + at, size - at, &pair);
        if (length == 0 || !pair_take(&pair, pax)) return false;
        at += length;
    }
    return true;
}

void pax_apply(struct pax *pax, struct ustar_entry *entry) {
    if (pax->fields & PAX_PATH) entry->path = pax->path;
    if (pax->fields & PAX_LINK) entry->link = pax->link;
    if (pax->fields & PAX_SIZE) entry->size_bytes = pax->size_bytes;
    if (pax->fields & PAX_UID) entry->uid = (u32)pax->uid;
    if (pax->fields & PAX_GID) entry->gid = (u32)pax->gid;
    if (pax->fields & PAX_MTIME) entry->mtime_seconds = pax->mtime_seconds;
    pax->fields = 0;
}
