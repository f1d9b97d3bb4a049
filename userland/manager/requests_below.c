// What is in the containers of a container: their own managers know what it is, but the namespaces are
// below ours, and OWNER on ours opens them by name (docs/decisions/nesting.md).
#include "cloister.h"

#include "abi/names.h"
#include "lib/format.h"
#include "lib/string.h"
#include "manager/limits.h"
#include "manager/requests.h"

enum { DEPTH_MAX = 32, NODES_MAX = 40 };

// A walk through the tree, each namespace before those in it.
struct walk {
    u64 skipped; // how many are still to be passed over
    u32 count;
    struct manager_node nodes[NODES_MAX];
};

static handle_t child_open(handle_t ns, const struct cl_ns_entry *entry) {
    handle_t child = CL_HANDLE_INVALID;
    if (entry->object_type == OBJ_NAMESPACE)
        ns_open(ns, (const char *)entry->name, entry->name_size,
                RIGHT_INSPECT | RIGHT_LIST | RIGHT_OPEN | RIGHT_OWNER, &child);
    return child;
}

static struct manager_node totals_of(const struct cl_ns_info *info) {
    return (struct manager_node){
        .pages = info->memory_used_pages, .objects = info->objects, .threads = (u32)info->threads};
}

// Writes the namespace down, if it is one that is asked for; NULL: it is not.
static struct manager_node *node_add(struct walk *walk, handle_t ns, u32 depth,
                                     const struct cl_ns_entry *entry) {
    struct cl_ns_info info;
    if (walk->skipped > 0) {
        walk->skipped--;
        return NULL;
    }
    if (walk->count == NODES_MAX || ns_info(ns, &info) != OK) return NULL;
    struct manager_node *node = &walk->nodes[walk->count++];
    *node = totals_of(&info);
    node->depth = depth;
    memcpy(node->name, entry->name, min((usize)entry->name_size, sizeof(node->name) - 1));
    return node;
}

// Bounded by the kernel's depth of namespaces.
static void children_walk(struct walk *walk, handle_t ns, u32 depth) {
    struct cl_ns_entry entry;
    u64 position = 0;
    while (depth < DEPTH_MAX && walk->count < NODES_MAX &&
           ns_list(ns, position, &entry, &position) == OK) {
        handle_t child = child_open(ns, &entry);
        if (!child) continue;
        node_add(walk, child, depth, &entry);
        children_walk(walk, child, depth + 1);
        handle_close(child);
    }
}

bool tree_serve(struct request *request) {
    static struct walk walk;
    walk.skipped = request->head->position;
    walk.count = 0;
    children_walk(&walk, manager.containers, 0);
    u64 next = walk.count == NODES_MAX ? request->head->position + NODES_MAX : 0;
    request_answer(request, walk.nodes, walk.count, sizeof(walk.nodes[0]), next);
    return true;
}

// `a/b/c` → `containers/b/containers/c`, below the container a. False: it is too long.
static bool path_below(const char *path, char *to, usize room) {
    usize size = 0;
    for (const char *slash = strchr(path, '/'); slash && size < room;
         slash = strchr(slash + 1, '/')) {
        const char *end = strchr(slash + 1, '/');
        usize length = end ? (usize)(end - slash) : strlen(slash);
        size += format_text(to + size, room - size, "%scontainers%.*s", size ? "/" : "",
                            (int)length, slash);
    }
    return size < room;
}

// A container, or one below one, by its path.
static status_t path_open(const char *path, u32 rights, handle_t *ns) {
    char first[MANAGER_NAME_MAX + 1] = {};
    char below[CL_NAME_MAX + 1];
    const char *slash = strchr(path, '/');
    usize size = slash ? (usize)(slash - path) : strlen(path);
    memcpy(first, path, min(size, sizeof(first) - 1));
    const struct container *container = container_find(first);
    if (!container || !container->ns) return ERR_NOT_FOUND;
    if (!slash) return handle_duplicate(container->ns, rights, ns);
    if (!path_below(path, below, sizeof(below))) return ERR_TOO_BIG;
    return ns_open(container->ns, below, (u32)strlen(below), rights, ns);
}

static bool path_refused(struct request *request, const char *path, status_t status) {
    return problem_set(&request->problem, STATUS_PLAIN,
                       "there is no container %.128s (%s; `ps --all-levels` lists them)", path,
                       cl_error_name(status));
}

bool below_kill(struct request *request, const char *path) {
    handle_t ns;
    status_t status = path_open(path, RIGHT_KILL, &ns);
    if (status != OK) return path_refused(request, path, status);
    ns_kill(ns);
    handle_close(ns);
    request_answer(request, NULL, 0, 0, 0);
    return true;
}

bool update_serve(struct request *request) {
    const char *path = records_next(&request->records, 'n', NULL);
    struct cl_ns_limits limits;
    handle_t ns;
    status_t status = path_open(path ? path : "", RIGHT_MANAGE, &ns);
    if (status != OK) return path_refused(request, path ? path : "", status);
    limits_read(&request->records, &limits);
    status = ns_set_limits(ns, &limits);
    handle_close(ns);
    if (status != OK)
        return problem_set(&request->problem, STATUS_PLAIN, "container %.128s: %s", path,
                           status == ERR_NO_RESOURCES ? "so much can't be set aside"
                                                      : cl_error_name(status));
    request_answer(request, NULL, 0, 0, 0);
    return true;
}
