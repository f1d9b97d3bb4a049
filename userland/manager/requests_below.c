// What is in the containers of a container: their own managers know what it is, but the namespaces are
// below ours, and OWNER on ours opens them by name (docs/decisions/nesting.md).
#include "cloister.h"

#include "abi/names.h"
#include "lib/format.h"
#include "lib/string.h"
#include "manager/requests.h"

// What is looked at of one container, and of one namespace of it: the manager does nothing else
// meanwhile, and the kernel lists a name in the time that those before it take.
enum { LOOKED_MAX = 4096, LOOKED_EACH_MAX = 1024, NODES_MAX = 40, PASSED_BITS = 16 };
static_assert(LOOKED_MAX < 1 << PASSED_BITS);

// A walk through one container after the other, each namespace before those in it.
struct walk {
    u32 skipped; // how many nodes of the container were told before
    u32 passed;  // how many there were until now
    u32 looked;  // at how many names
    u32 count;
    struct manager_node nodes[NODES_MAX];
};

// Only what was made there: what is bound may be bound often, and in itself.
static handle_t child_open(handle_t ns, const struct cl_ns_entry *entry) {
    handle_t child = CL_HANDLE_INVALID;
    if (entry->is_child)
        ns_open(ns, (const char *)entry->name, entry->name_size,
                RIGHT_INSPECT | RIGHT_LIST | RIGHT_OPEN | RIGHT_OWNER, &child);
    return child;
}

static struct manager_node totals_of(const struct cl_ns_info *info) {
    return (struct manager_node){
        .pages = info->memory_used_pages, .objects = info->objects, .threads = (u32)info->threads};
}

// NULL: it was told before, or is the next answer's.
static struct manager_node *node_next(struct walk *walk) {
    if (walk->count == NODES_MAX || walk->passed++ < walk->skipped) return NULL;
    return &walk->nodes[walk->count++];
}

static void node_add(struct walk *walk, handle_t ns, u32 depth, const struct cl_ns_entry *entry) {
    struct cl_ns_info info = {};
    struct manager_node *node = node_next(walk);
    if (!node) return;
    ns_info(ns, &info);
    *node = totals_of(&info);
    node->depth = depth;
    memcpy(node->name, entry->name, min((usize)entry->name_size, sizeof(node->name) - 1));
}

static void node_add_cut(struct walk *walk, u32 depth) {
    struct manager_node *node = node_next(walk);
    if (node) *node = (struct manager_node){.depth = depth, .objects = MANAGER_NODE_CUT};
}

// Bounded by the kernel's depth of namespaces.
static void children_walk(struct walk *walk, handle_t ns, u32 depth) {
    struct cl_ns_entry entry;
    u64 position = 0;
    for (u32 i = 0; walk->count < NODES_MAX && ns_list(ns, position, &entry, &position) == OK;
         i++) {
        if (i == LOOKED_EACH_MAX || walk->looked >= LOOKED_MAX) {
            node_add_cut(walk, depth);
            return;
        }
        walk->looked++;
        handle_t child = child_open(ns, &entry);
        if (!child) continue;
        node_add(walk, child, depth, &entry);
        children_walk(walk, child, depth + 1);
        handle_close(child);
    }
}

static void container_walk(struct walk *walk, const struct cl_ns_entry *entry) {
    handle_t ns = child_open(manager.containers, entry);
    walk->passed = walk->looked = 0;
    if (!ns) return;
    node_add(walk, ns, 0, entry);
    children_walk(walk, ns, 1);
    handle_close(ns);
}

// A position is that of a container, and how many nodes of it were told.
bool tree_serve(struct request *request) {
    static struct walk walk;
    struct cl_ns_entry entry;
    u64 first = request->head->position >> PASSED_BITS;
    u64 place = first > 0 ? first - 1 : 0;
    walk.count = 0;
    while (walk.count < NODES_MAX && ns_list(manager.containers, place, &entry, &place) == OK) {
        walk.skipped = place == first ? request->head->position % (1 << PASSED_BITS) : 0;
        container_walk(&walk, &entry);
    }
    u64 next = walk.count == NODES_MAX ? place << PASSED_BITS | walk.passed : 0;
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
    if (size >= sizeof(first)) return ERR_NOT_FOUND;
    memcpy(first, path, size);
    const struct container *container = container_find(first);
    if (!container || !container->ns) return ERR_NOT_FOUND;
    if (!slash) return handle_duplicate(container->ns, rights, ns);
    if (!path_below(path, below, sizeof(below))) return ERR_TOO_BIG;
    return ns_open(container->ns, below, (u32)strlen(below), rights, ns);
}

bool below_open(struct request *request, const char *path, u32 rights, handle_t *ns) {
    status_t status = path_open(path, rights, ns);
    return status == OK ||
           problem_set(&request->problem, STATUS_PLAIN,
                       "there is no container %.128s (%s; `ps --all-levels` lists them)", path,
                       cl_error_name(status));
}

bool below_kill(struct request *request, const char *path) {
    handle_t ns;
    if (!below_open(request, path, RIGHT_KILL, &ns)) return false;
    ns_kill(ns);
    handle_close(ns);
    request_answer(request, NULL, 0, 0, 0);
    return true;
}
