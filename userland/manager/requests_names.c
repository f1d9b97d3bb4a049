// Names in the namespaces of containers and of those below them: what the root rule gives, by request.
// The manager holds OWNER; what a container has bound is opened up to its ceiling, and no further.
#include "cloister.h"

#include "abi/names.h"
#include "lib/string.h"
#include "manager/requests.h"

enum {
    ENTRIES_MAX = (PAGE_SIZE - sizeof(struct manager_reply)) / sizeof(struct cl_ns_entry),
    LOOKED_MAX = 4096, // names of one namespace
};

// What is named, or is to be: the records n of a request come in pairs.
struct place {
    handle_t ns;
    const char *path;
    const char *name;
};

static bool refused(struct request *request, const struct place *place, status_t status) {
    return problem_set(&request->problem, STATUS_PLAIN, "%.100s:%.100s: %s", place->path,
                       place->name, cl_error_name(status));
}

// The place at the next pair of records; its handle is the caller's.
static bool place_open(struct request *request, const char **record, struct place *place) {
    place->path = records_next(&request->records, 'n', *record);
    place->name = place->path ? records_next(&request->records, 'n', place->path) : NULL;
    *record = place->name;
    if (!place->name)
        return problem_set(&request->problem, STATUS_PLAIN, "the request names no place");
    return below_open(request, place->path, CL_RIGHTS_SAME, &place->ns);
}

static bool number_read(const char *text, u64 *number) {
    const char *at = text;
    *number = 0;
    for (; *at >= '0' && *at <= '9' && *number < 1ull << 60; at++)
        *number = *number * 10 + (u64)(*at - '0');
    return at != text && *at == 0;
}

static u64 option_number(const struct request *request, const char *key, u64 by_default) {
    u64 number;
    const char *text = records_value(&request->records, 'o', key);
    return text && number_read(text, &number) ? number : by_default;
}

// ---- access lists ----

static bool user_drop(struct cl_acl *access, u32 place) {
    access->count--;
    access->users[place] = access->users[access->count];
    access->rights[place] = access->rights[access->count];
    return true;
}

static bool user_set(struct cl_acl *access, u32 user, const char *rights_text) {
    u32 place = 0;
    u64 rights;
    while (place < access->count && access->users[place] != user)
        place++;
    bool is_there = place < access->count;
    if (!*rights_text) return !is_there || user_drop(access, place);
    if (!number_read(rights_text, &rights) || place == ARRAY_SIZE(access->users)) return false;
    access->users[place] = user;
    access->rights[place] = (u32)rights & RIGHT_MASK;
    access->count += !is_there;
    return true;
}

static bool everyone_set(struct cl_acl *access, const char *rights_text) {
    u64 rights = 0;
    if (*rights_text && !number_read(rights_text, &rights)) return false;
    access->everyone = (u32)rights & RIGHT_MASK;
    return true;
}

// `USER=RIGHTS` of a request, in the list that there is.
static bool access_change(struct cl_acl *access, const char *record) {
    static const char everyone[] = "everyone=";
    char digits[16] = {};
    u64 user;
    const char *equals = strchr(record, '=');
    if (strncmp(record, everyone, sizeof(everyone) - 1) == 0)
        return everyone_set(access, equals + 1);
    if (!equals || (usize)(equals - record) >= sizeof(digits)) return false;
    memcpy(digits, record, (usize)(equals - record));
    return number_read(digits, &user) && user < ~0u && user_set(access, (u32)user, equals + 1);
}

static bool access_read(struct request *request, struct cl_acl *access) {
    const char *record = NULL;
    while ((record = records_next(&request->records, 'u', record)))
        if (!access_change(access, record))
            return problem_set(&request->problem, STATUS_PLAIN,
                               "`%.64s` can't be in an access list (of %u users at most)", record,
                               (u32)ARRAY_SIZE(access->users));
    return true;
}

// ---- names ----

bool names_serve(struct request *request) {
    static struct cl_ns_entry entries[ENTRIES_MAX];
    u32 count = 0;
    u64 position = request->head->position;
    const char *path = records_next(&request->records, 'n', NULL);
    handle_t ns;
    if (!path || !*path)
        ns = manager.containers;
    else if (!below_open(request, path, RIGHT_LIST, &ns))
        return false;
    while (count < ENTRIES_MAX && ns_list(ns, position, &entries[count], &position) == OK)
        count++;
    if (ns != manager.containers) handle_close(ns);
    request_answer(request, entries, count, sizeof(entries[0]),
                   count == ENTRIES_MAX ? position : 0);
    return true;
}

static bool entry_find(struct request *request, const struct place *place,
                       struct cl_ns_entry *entry) {
    u64 position = 0;
    usize size = strlen(place->name);
    for (u32 i = 0; i < LOOKED_MAX && ns_list(place->ns, position, entry, &position) == OK; i++)
        if (entry->name_size == size && memcmp(entry->name, place->name, size) == 0) return true;
    return refused(request, place, ERR_NOT_FOUND);
}

static bool access_apply(struct request *request, const struct place *place,
                         struct cl_ns_entry *entry) {
    struct cl_acl access;
    if (!entry_find(request, place, entry)) return false;
    memcpy(&access, &entry->access_count, sizeof(access));
    if (!records_next(&request->records, 'u', NULL)) return true;
    if (entry->is_child)
        return problem_set(&request->problem, STATUS_PLAIN,
                           "%.100s:%.100s is a namespace made there, which only OWNER opens",
                           place->path, place->name);
    if (!access_read(request, &access)) return false;
    status_t status = ns_set_access(place->ns, place->name, (u32)strlen(place->name), &access);
    if (status != OK) return refused(request, place, status);
    memcpy(&entry->access_count, &access, sizeof(access));
    return true;
}

bool access_serve(struct request *request) {
    struct place place;
    struct cl_ns_entry entry;
    const char *record = NULL;
    if (!place_open(request, &record, &place)) return false;
    bool is_done = access_apply(request, &place, &entry);
    handle_close(place.ns);
    if (is_done) request_answer(request, &entry, 1, sizeof(entry), 0);
    return is_done;
}

bool unbind_serve(struct request *request) {
    struct place place;
    const char *record = NULL;
    if (!place_open(request, &record, &place)) return false;
    status_t status = ns_unbind(place.ns, place.name, (u32)strlen(place.name));
    handle_close(place.ns);
    if (status != OK) return refused(request, &place, status);
    request_answer(request, NULL, 0, 0, 0);
    return true;
}

// ---- bind ----

// A namespace itself is given to its user; with OWNER it is for nobody in particular.
static status_t namespace_copy(handle_t ns, u32 user, u32 ceiling, handle_t *object) {
    enum : u32 {
        GIVEN = RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_INSPECT | RIGHT_OPEN | RIGHT_LIST
    };
    if (ceiling == CL_RIGHTS_SAME) ceiling = GIVEN;
    if (ceiling & RIGHT_OWNER) return handle_duplicate(ns, ceiling, object);
    return ns_handle_for_user(ns, user, ceiling, object);
}

// What is to be bound, with the rights that are its ceiling.
static status_t object_open(const struct request *request, const struct place *from, u32 ceiling,
                            handle_t *object) {
    handle_t whole;
    u64 koid = option_number(request, "koid", 0);
    if (!*from->name && koid == 0)
        return namespace_copy(from->ns, (u32)option_number(request, "user", CL_USER_ROOT), ceiling,
                              object);
    if (*from->name) return ns_open(from->ns, from->name, (u32)strlen(from->name), ceiling, object);
    status_t status = ns_open_koid(from->ns, koid, &whole);
    if (status != OK) return status;
    status = handle_duplicate(whole, ceiling, object);
    handle_close(whole);
    return status;
}

static bool object_bind(struct request *request, const struct place *to, const struct place *from) {
    handle_t object;
    struct cl_acl access = {};
    u64 ceiling = option_number(request, "ceiling", CL_RIGHTS_SAME);
    if (!access_read(request, &access)) return false;
    if (ceiling != CL_RIGHTS_SAME) ceiling = (ceiling & RIGHT_MASK) | RIGHT_DUPLICATE;
    status_t status = object_open(request, from, (u32)ceiling, &object);
    if (status != OK) return refused(request, from, status);
    status = ns_bind(to->ns, to->name, (u32)strlen(to->name), object, &access);
    handle_close(object);
    return status == OK || refused(request, to, status);
}

bool bind_serve(struct request *request) {
    struct place to, from;
    const char *record = NULL;
    if (!place_open(request, &record, &to)) return false;
    bool is_done = place_open(request, &record, &from);
    if (is_done) {
        is_done = object_bind(request, &to, &from);
        handle_close(from.ns);
    }
    handle_close(to.ns);
    if (is_done) request_answer(request, NULL, 0, 0, 0);
    return is_done;
}
