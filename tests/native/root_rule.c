// Opens by name, as a table: what tests/qemu/test_rule_in_guest.py compares with the model. The tree is
// that of tests/host/test_root_rule.py, with fewer types, ceilings and rights.
//
// Output: "ROW start who end type RESULTS" for each; a result is K (opened), or the first letter of
// the error, for each ceiling, access list and right, in this order.
#include "lib/string.h"
#include "lib/test.h"

enum { SPACES = 5, USERS = 5, TYPES = 4, CEILINGS = 2, LISTS = 3, WANTED = 5, PATH_SIZE = 64 };
enum : uint32_t { LISTED = 7, FORBIDDEN = 8, UNLISTED = 9, UNKNOWN_RIGHT = 1u << 25 };

static const char *const names[SPACES] = {"parent", "self", "sibling", "child", "grandchild"};
static const int parents[SPACES] = {-1, 0, 0, 1, 3};
// 0: the handle has OWNER; else without, for this user.
static const char *const users[USERS] = {"owner", "root", "listed", "forbidden", "unlisted"};

static const struct {
    const char *name;
    uint32_t own; // a right of its own
} types[TYPES] = {
    {"event", RIGHT_SIGNAL},
    {"memobj", RIGHT_WRITE},
    {"port", RIGHT_WRITE},
    {"timer", RIGHT_WRITE},
};

static handle_t spaces[SPACES], openers[SPACES][USERS];

static handle_t object_make(handle_t ns, int type) {
    handle_t handle = 0;
    status_t status = type == 0   ? event_create(ns, &handle)
                      : type == 1 ? memobj_create(ns, CL_PAGE_SIZE, &handle)
                      : type == 2 ? port_create(ns, &handle)
                                  : timer_create(ns, &handle);
    test_ok(status, "an object of each type");
    return handle;
}

static struct cl_acl list_of(int list) {
    struct cl_acl acl = {};
    if (list == 1) acl.everyone = RIGHT_MASK;
    if (list == 2)
        acl = (struct cl_acl){
            .count = 2,
            .everyone = RIGHT_DUPLICATE | RIGHT_WAIT,
            .users = {LISTED, FORBIDDEN},
            .rights = {RIGHT_MASK & ~(uint32_t)RIGHT_WAIT, 0},
        };
    return acl;
}

// The ceiling is the rights of the handle that is bound.
static uint32_t ceiling_of(int type, int ceiling) {
    return ceiling ? RIGHT_DUPLICATE | RIGHT_WAIT | types[type].own : RIGHT_DUPLICATE;
}

static uint32_t wanted_of(int type, int wanted) {
    const uint32_t rights[WANTED] = {
        CL_RIGHTS_SAME, 0, RIGHT_WAIT, RIGHT_DUPLICATE | types[type].own, UNKNOWN_RIGHT,
    };
    return rights[wanted];
}

static void text_add(char *text, const char *more) {
    test_check(strlen(text) + strlen(more) < PATH_SIZE, "there is room for a path");
    memcpy(text + strlen(text), more, strlen(more) + 1);
}

static void name_make(char *text, int type, int ceiling, int list) {
    const char digits[] = {(char)('0' + ceiling), (char)('0' + list), 0};
    text_add(text, types[type].name);
    text_add(text, digits);
}

static void names_bind(int space, int type) {
    handle_t object = object_make(spaces[space], type);
    for (int ceiling = 0; ceiling < CEILINGS; ceiling++)
        for (int list = 0; list < LISTS; list++) {
            char text[PATH_SIZE] = "";
            handle_t copy = 0;
            struct cl_acl acl = list_of(list);
            name_make(text, type, ceiling, list);
            test_ok(handle_duplicate(object, ceiling_of(type, ceiling), &copy), "a copy");
            test_ok(ns_bind(spaces[space], text, (uint32_t)strlen(text), copy, &acl), "a name");
            handle_close(copy);
        }
    handle_close(object);
}

static void openers_make(int space) {
    const uint32_t numbers[USERS] = {0, 0, LISTED, FORBIDDEN, UNLISTED};
    test_ok(handle_duplicate(spaces[space], RIGHT_OWNER | RIGHT_OPEN, &openers[space][0]), "owner");
    for (int user = 1; user < USERS; user++)
        test_ok(ns_handle_for_user(spaces[space], numbers[user], RIGHT_OPEN, &openers[space][user]),
                "users");
}

static void space_make(int space) {
    struct cl_ns_limits limits;
    handle_t above = parents[space] < 0 ? test_namespace() : spaces[parents[space]];
    memset(&limits, 0xff, sizeof(limits)); // LIMIT_SAME
    test_ok(ns_create(above, names[space], (uint32_t)strlen(names[space]), &limits, &spaces[space]),
            "a namespace");
    for (int type = 0; type < TYPES; type++)
        names_bind(space, type);
    openers_make(space);
}

// The way down; where there is none, the name of the namespace as if it were below.
static void way_make(char *text, int start, int end) {
    int way[SPACES], count = 0, at = end;
    for (; at >= 0 && at != start; at = parents[at])
        way[count++] = at;
    if (at < 0) count = 1;
    while (count-- > 0) {
        text_add(text, names[at < 0 ? end : way[count]]);
        text_add(text, "/");
    }
}

static char result_of(handle_t opener, const char *path, uint32_t rights) {
    handle_t opened = 0;
    switch (ns_open(opener, path, (uint32_t)strlen(path), rights, &opened)) {
    case OK: handle_close(opened); return 'K';
    case ERR_ACCESS_DENIED: return 'A';
    case ERR_NOT_FOUND: return 'N';
    case ERR_INVALID_ARGUMENT: return 'I';
    default: return '?';
    }
}

static void row_print(int start, int user, int end, int type) {
    char results[CEILINGS * LISTS * WANTED + 1] = {};
    int count = 0;
    for (int ceiling = 0; ceiling < CEILINGS; ceiling++)
        for (int list = 0; list < LISTS; list++) {
            char path[PATH_SIZE] = "";
            way_make(path, start, end);
            name_make(path, type, ceiling, list);
            for (int wanted = 0; wanted < WANTED; wanted++)
                results[count++] = result_of(openers[start][user], path, wanted_of(type, wanted));
        }
    test_printf("ROW %s %s %s %s %s", names[start], users[user], names[end], types[type].name,
                results);
}

void test_run(void) {
    for (int space = 0; space < SPACES; space++)
        space_make(space);
    for (int start = 0; start < SPACES; start++)
        for (int user = 0; user < USERS; user++)
            for (int end = 0; end < SPACES; end++)
                for (int type = 0; type < TYPES; type++)
                    row_print(start, user, end, type);
    test_pass("the table is printed");
}
