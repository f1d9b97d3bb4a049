// A line of /etc/passwd is name:password:uid:gid:comment:home:shell, of /etc/group
// name:password:gid:member,member. A file that is not there is an empty one.
#include "linux/users.h"

#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/thread.h"
#include "linux/vfs.h"
#include "linux/walk.h"

enum { FILE_BYTES_MAX = 64 << 10, NAME_BYTES_MAX = 64, FIELDS = 7 };

struct field {
    const char *text;
    u32 size;
};

// A whole file as a string of the heap's.
static int file_load(struct thread *thread, const char *path, char **out) {
    struct path found;
    struct file *file = NULL;
    i64 size = 0;
    char *text = heap_alloc(FILE_BYTES_MAX + 1);
    int result = text ? path_resolve_text(thread, path, &found) : -ENOMEM;
    if (result == 0) {
        result = file_open_path(thread, found, O_RDONLY, &file);
        path_put(found);
    }
    if (result == 0) {
        size = file_read(thread, file, text, FILE_BYTES_MAX, 0);
        file_put(file);
    }
    if (result == -ENOENT) result = 0;
    if (size < 0) result = (int)size;
    if (result != 0) {
        heap_free(text);
        return result;
    }
    text[size] = 0;
    *out = text;
    return 0;
}

// Cuts the line at *at into fields, and moves on; false: there are no more.
static bool line_cut(const char **at, struct field fields[FIELDS]) {
    const char *text = *at;
    if (!*text) return false;
    memset(fields, 0, FIELDS * sizeof(*fields));
    fields[0].text = text;
    for (u32 field = 0; *text && *text != '\n'; text++) {
        if (*text != ':')
            fields[field].size++;
        else if (++field < FIELDS)
            fields[field].text = text + 1;
        else
            break;
    }
    while (*text && *text != '\n')
        text++;
    *at = *text ? text + 1 : text;
    return true;
}

static bool field_is(const struct field *field, const char *text) {
    return strlen(text) == field->size && memcmp(field->text, text, field->size) == 0;
}

static bool number_read(const char *text, u32 size, u32 *out) {
    u64 number = 0;
    for (u32 i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9' || number > ~0U) return false;
        number = number * 10 + (u32)(text[i] - '0');
    }
    *out = (u32)number;
    return size > 0 && number < ~0U;
}

static bool field_number(const struct field *field, u32 *out) {
    return field->text && number_read(field->text, field->size, out);
}

// Fills in what the file says of the user: by its number where the text is one, else by name.
static int passwd_look(const char *at, const char *wanted, struct user *out, char *name) {
    struct field fields[FIELDS];
    bool is_number = number_read(wanted, (u32)strlen(wanted), &out->uid);
    while (line_cut(&at, fields)) {
        u32 uid, gid;
        bool is_whole = field_number(&fields[2], &uid) && field_number(&fields[3], &gid);
        if (!is_whole || !(is_number ? uid == out->uid : field_is(&fields[0], wanted))) continue;
        out->uid = uid;
        out->gid = gid;
        memcpy(name, fields[0].text, min(fields[0].size, (u32)NAME_BYTES_MAX));
        memcpy(out->home, fields[5].text, min(fields[5].size, (u32)USER_HOME_MAX));
        return 0;
    }
    return is_number ? 0 : -ENOENT;
}

static bool members_have(const struct field *members, const char *name) {
    usize size = strlen(name);
    const char *at = members->text;
    const char *end = at + members->size;
    while (size > 0 && at && at < end) {
        const char *comma = memchr(at, ',', (usize)(end - at));
        const char *stop = comma ? comma : end;
        if ((usize)(stop - at) == size && memcmp(at, name, size) == 0) return true;
        at = stop + 1;
    }
    return false;
}

// The groups that the user is named in; or, where one was asked for, that one alone.
static int group_look(const char *at, const char *wanted, const char *name, struct user *out) {
    struct field fields[FIELDS];
    bool is_number = wanted && number_read(wanted, (u32)strlen(wanted), &out->gid);
    if (is_number) return 0;
    while (line_cut(&at, fields)) {
        u32 gid;
        if (!field_number(&fields[2], &gid)) continue;
        if (wanted && field_is(&fields[0], wanted)) {
            out->gid = gid;
            return 0;
        }
        if (!wanted && members_have(&fields[3], name) && out->groups_count < USER_GROUPS_MAX)
            out->groups[out->groups_count++] = gid;
    }
    return wanted ? -ENOENT : 0;
}

int user_find(struct thread *thread, const char *text, struct user *out) {
    char wanted[NAME_BYTES_MAX + 1] = {};
    char name[NAME_BYTES_MAX + 1] = {};
    char *content = NULL;
    const char *colon = strchr(text, ':');
    usize size = colon ? (usize)(colon - text) : strlen(text);
    *out = (struct user){};
    if (size > NAME_BYTES_MAX) return -ENOENT;
    memcpy(wanted, text, size);
    int result = file_load(thread, "/etc/passwd", &content);
    if (result == 0) result = passwd_look(content, wanted, out, name);
    heap_free(content);
    content = NULL;
    if (result == 0) result = file_load(thread, "/etc/group", &content);
    if (result == 0) result = group_look(content, colon ? colon + 1 : NULL, name, out);
    heap_free(content);
    return result;
}
