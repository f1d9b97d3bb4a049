// What is in the containers of a container: their own managers know what it is, but the namespaces are
// below ours, and OWNER on ours opens them by name (docs/decisions/nesting.md).
#include "cloister.h"

#include "abi/names.h"
#include "lib/format.h"
#include "lib/string.h"
#include "manager/requests.h"

// What is looked at of one container, and of one namespace of it: the manager does nothing else
// meanwhile, and the kernel lists a name in the time that those before it take.
enum {
    LOOKED_MAX = 4096,
    LOOKED_EACH_MAX = 1024,
    NODES_MAX = 40,
    PASSED_BITS = 16,
    LEVELS_MAX = 32, // the kernel nests no deeper
};
static_assert(LOOKED_MAX < 1 << PASSED_BITS);

// A walk through one container after the other, each namespace before those in it. Between two answers it
// stays where it is, so that the next one need not come from the container's beginning.
static struct walk {
    u64 following; // the position that goes on from here; 0: there is none
    u64 place;     // of the container
    u32 skipped;   // how many nodes of it were told before
    u32 passed;    // how many there were until now
    u32 looked;    // at how many names
    u32 depth;     // how many levels there are: the container's, and those on the way
    struct level {
        handle_t ns;
        u64 position;
        u32 looked;
    } levels[LEVELS_MAX];
    u32 count;
    struct manager_node nodes[NODES_MAX];
} walk;

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

// NULL: it was told before.
static struct manager_node *node_next(void) {
    return walk.passed++ < walk.skipped ? NULL : &walk.nodes[walk.count++];
}

static void node_add(handle_t ns, u32 depth, const struct cl_ns_entry *entry) {
    struct cl_ns_info info = {};
    struct manager_node *node = node_next();
    if (!node) return;
    ns_info(ns, &info);
    *node = totals_of(&info);
    node->depth = depth;
    memcpy(node->name, entry->name, min((usize)entry->name_size, sizeof(node->name) - 1));
}

static void node_add_cut(u32 depth) {
    struct manager_node *node = node_next();
    if (node) *node = (struct manager_node){.depth = depth, .objects = MANAGER_NODE_CUT};
}

// Tells a namespace, and goes on in it.
static void level_enter(handle_t parent, const struct cl_ns_entry *entry) {
    handle_t ns = child_open(parent, entry);
    if (!ns) return;
    node_add(ns, walk.depth, entry);
    if (walk.depth < LEVELS_MAX)
        walk.levels[walk.depth++] = (struct level){.ns = ns};
    else
        handle_close(ns);
}

static void level_leave(void) { handle_close(walk.levels[--walk.depth].ns); }

// The next name of the namespace that the walk is in.
static void level_step(void) {
    struct cl_ns_entry entry;
    struct level *level = &walk.levels[walk.depth - 1];
    if (ns_list(level->ns, level->position, &entry, &level->position) != OK) {
        level_leave();
    } else if (level->looked++ == LOOKED_EACH_MAX || walk.looked++ >= LOOKED_MAX) {
        node_add_cut(walk.depth);
        level_leave();
    } else {
        level_enter(level->ns, &entry);
    }
}

// The next container. `first` is the place of the one that was told in part. False: there are no more.
static bool container_step(u64 first, u32 skipped) {
    struct cl_ns_entry entry;
    if (ns_list(manager.containers, walk.place, &entry, &walk.place) != OK) return false;
    walk.skipped = walk.place == first ? skipped : 0;
    walk.passed = walk.looked = 0;
    level_enter(manager.containers, &entry);
    return true;
}

// A position is that of a container, and how many nodes of it were told. Each step tells one node at most.
bool tree_serve(struct request *request) {
    u64 position = request->head->position;
    u64 first = position >> PASSED_BITS;
    if (position == 0 || position != walk.following) {
        while (walk.depth > 0)
            level_leave();
        walk.place = first > 0 ? first - 1 : 0;
    }
    bool is_over = false;
    walk.count = 0;
    while (walk.count < NODES_MAX && !is_over) {
        if (walk.depth > 0)
            level_step();
        else
            is_over = !container_step(first, (u32)(position % (1 << PASSED_BITS)));
    }
    walk.following = is_over ? 0 : walk.place << PASSED_BITS | walk.passed;
    request_answer(request, walk.nodes, walk.count, sizeof(walk.nodes[0]), walk.following);
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
