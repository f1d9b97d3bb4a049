// Namespaces: making, limits, ledger reports, the root rule.
#include "object/namespace.h"

#include "kernel/handlers.h"
#include "mm/relief.h"
#include "object/name.h"
#include "object/process.h"
#include "object/reaper.h"
#include "object/trace.h"

enum : i64 {
    DEFAULT_MEMORY_PAGES = 16384, // 64 MiB
    DEFAULT_LOG_BYTES = 64 << 10,
};

static_assert(sizeof(struct namespace) + MAX_CPUS * sizeof(struct sched_node) <= HEAP_MAX);

static struct namespace root;
struct namespace *ns_root = &root;

static void ns_setup(struct namespace *ns, struct namespace *parent) NO_THREAD_SAFETY_ANALYSIS {
    ledger_init(&ns->ledger, parent ? &parent->ledger : nullptr);
    sched_group_init(&ns->group, parent ? &parent->group : nullptr,
                     parent ? ns->sched_nodes : nullptr);
    ns->parent = parent;
    lock_init(&ns->objects_lock, LOCK_OBJECT_LIST);
    list_init(&ns->objects);
    lock_init(&ns->lock, LOCK_NAMESPACE);
    handle_holder_init(&ns->holder, &ns->base, &ns->ledger);
    list_init(&ns->names);
    ns->listed = &ns->names;
    list_init(&ns->dying_link);
    ns->log_limit = DEFAULT_LOG_BYTES;
    for (u32 i = 0; i < TURN_KINDS; i++)
        turns_init(&ns->turns[i]);
}

void ns_init_root(void) {
    object_init(&root.base, nullptr, OBJ_NAMESPACE);
    ns_setup(&root, nullptr);
}

struct namespace *ns_current(void) { return process_current()->base.ns; }

status_t ns_count_begin(struct namespace *ns, enum ledger_count what) {
    if (ledger_count_add(&ns->ledger, what, 1) != OK) return ERR_NO_RESOURCES;
    // Counted, then looked; the reaper marks, then looks at the count.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (ns_is_alive(ns)) return OK;
    ledger_count_sub(&ns->ledger, what, 1);
    ns_reap_hint(ns);
    return ERR_DEAD;
}

// ---- limits ----

// `same` is where the limit is now, of 64 bits.
static i64 limit_or(u64 asked, const void *same) {
    if (asked == CL_LIMIT_SAME) return __atomic_load_n((const i64 *)same, __ATOMIC_RELAXED);
    return (i64)min(asked, (u64)INT64_MAX);
}

// What is counted: where its limit is among those asked for, where use and limit are told, and what
// it is if none is asked for.
#define COUNTED(field) offsetof(struct cl_ns_limits, field), offsetof(struct cl_ns_info, field)
static const struct {
    enum ledger_count what;
    u32 asked, told;
    i64 by_default;
} counted[] = {
    {LEDGER_THREADS, COUNTED(threads), 512},
    {LEDGER_HANDLES, COUNTED(handles), 16384},
    {LEDGER_NAMES, COUNTED(names), 1024},
    {LEDGER_TIMERS, COUNTED(timers), 1024},
    {LEDGER_MESSAGE_BYTES, COUNTED(message_bytes), 4 << 20},
};

static void disk_limits_apply(struct namespace *ns, const struct cl_ns_limits *limits)
    REQUIRES(&ns->lock) {
    const u64 asked[TURN_KINDS][2] = {{limits->disk_read_bytes, limits->disk_read_requests},
                                      {limits->disk_write_bytes, limits->disk_write_requests}};
    for (u32 i = 0; i < TURN_KINDS; i++)
        turns_limit(&ns->turns[i], (u64)limit_or(asked[i][0], &ns->turns[i].bytes_limit),
                    (u64)limit_or(asked[i][1], &ns->turns[i].requests_limit));
}

// To be set aside, memory may have to be given back first.
static status_t memory_apply(struct ledger *ledger, i64 limit_pages, i64 reserved_pages) {
    status_t status = ledger_set_memory(ledger, limit_pages, reserved_pages);
    if (status == OK || !ledger->parent) return status;
    i64 missing = reserved_pages - (i64)__atomic_load_n(&ledger->drawn_pages, __ATOMIC_RELAXED);
    if (!relief_for(ledger->parent, missing)) return status;
    return ledger_set_memory(ledger, limit_pages, reserved_pages);
}

static status_t limits_apply(struct namespace *ns, const struct cl_ns_limits *limits) {
    struct ledger *ledger = &ns->ledger;
    status_t status =
        memory_apply(ledger, limit_or(limits->memory_pages, &ledger->limit_pages),
                     limit_or(limits->memory_reserved_pages, &ledger->reserved_pages));
    if (status != OK) return status;
    for (u32 i = 0; i < ARRAY_SIZE(counted); i++) {
        i64 *limit = &ledger->counters[counted[i].what].limit;
        u64 asked = *(const u64 *)((const u8 *)limits + counted[i].asked);
        __atomic_store_n(limit, limit_or(asked, limit), __ATOMIC_RELAXED);
    }
    lock_acquire(&ns->lock);
    u64 weight = (u64)limit_or(limits->cpu_weight, &ns->group.weight);
    __atomic_store_n(&ns->group.weight, weight, __ATOMIC_RELAXED);
    sched_group_cap(&ns->group, (u64)limit_or(limits->cpu_cap, &ns->group.cap_thousandths));
    ns->log_limit = (u64)limit_or(limits->log_bytes, &ns->log_limit);
    disk_limits_apply(ns, limits);
    lock_release(&ns->lock);
    return OK;
}

status_t sys_ns_set_limits(struct namespace *ns, const struct cl_ns_limits *limits) {
    // Held back from its end: what a namespace that is gone sets aside would never come back.
    status_t status = ns_count_begin(ns, LEDGER_OBJECTS);
    if (status != OK) return status;
    status = limits_apply(ns, limits);
    ledger_count_sub(&ns->ledger, LEDGER_OBJECTS, 1);
    ns_reap_hint(ns);
    return status;
}

static void limits_default(struct ledger *ledger) {
    ledger->limit_pages = DEFAULT_MEMORY_PAGES;
    for (u32 i = 0; i < ARRAY_SIZE(counted); i++)
        ledger->counters[counted[i].what].limit = counted[i].by_default;
}

// ---- making ----

status_t sys_ns_create(struct namespace *parent, const struct name_path *name,
                       const struct cl_ns_limits *limits, struct namespace **out) {
    for (u32 i = 0; i < name->size; i++)
        if (name->text[i] == '/') return ERR_INVALID_ARGUMENT;
    if (parent->ledger.depth + 1 >= LEDGER_DEPTH_MAX) return ERR_LIMIT;
    usize size = sizeof(struct namespace) + arch_cpu_count() * sizeof(struct sched_node);
    struct namespace *ns = object_alloc(parent, OBJ_NAMESPACE, size);
    if (!ns) return ERR_NO_RESOURCES;
    object_get(&parent->base);
    ns_setup(ns, parent);
    limits_default(&ns->ledger);
    status_t status = limits_apply(ns, limits);
    struct handle_info all = {.object = &ns->base, .rights = object_rights[OBJ_NAMESPACE]};
    if (status == OK) status = sys_ns_bind(parent, name, &all, nullptr);
    if (status != OK) {
        object_put(&ns->base);
        return status;
    }
    object_publish(&ns->base);
    *out = ns;
    return OK;
}

status_t sys_ns_kill(struct namespace *ns) {
    if (!ns->parent) return ERR_ACCESS_DENIED;
    ns_kill(ns);
    return OK;
}

status_t sys_ns_handle_for_user(const struct handle_info *ns, u32 user, u32 rights,
                                struct handle_info *copy) {
    if (rights != CL_RIGHTS_SAME && (rights & RIGHT_OWNER)) return ERR_INVALID_ARGUMENT;
    status_t status = sys_handle_duplicate(ns, rights, copy);
    copy->rights &= ~(u32)RIGHT_OWNER;
    copy->user = user;
    return status;
}

// ---- the root rule by koid ----

// The next object on a namespace's account after `last` (nullptr: the first), referenced; drops `last`.
// Preemptible: an account has as many objects as its owner likes.
static struct object *object_after(struct namespace *ns, struct object *last) {
    struct object *next = nullptr;
    sched_preempt_point();
    lock_acquire(&ns->objects_lock);
    struct list *at = last ? &last->ns_link : &ns->objects;
    while (!next && (at = at->next) != &ns->objects) {
        struct object *object = list_entry(at, struct object, ns_link);
        if (object_tryget(object)) next = object;
    }
    lock_release(&ns->objects_lock);
    if (last) object_put(last);
    return next;
}

static struct object *find_here(struct namespace *ns, u64 koid) {
    struct object *object = nullptr;
    while ((object = object_after(ns, object)) && object->koid != koid) {
    }
    return object;
}

struct namespace *ns_child_after(struct namespace *ns, struct namespace *last) {
    struct object *object = last ? &last->base : nullptr;
    while ((object = object_after(ns, object)) &&
           (object->type != OBJ_NAMESPACE || ns_is_gone((struct namespace *)object))) {
    }
    return (struct namespace *)object;
}

// Depth is bounded by LEDGER_DEPTH_MAX, and so is the recursion.
static struct object *find_below(struct namespace *ns, u64 koid) {
    struct object *found = find_here(ns, koid);
    struct namespace *child = nullptr;
    while (!found && (child = ns_child_after(ns, child)) != nullptr)
        found = find_below(child, koid);
    if (found && child) object_put(&child->base);
    return found;
}

status_t sys_ns_open_koid(const struct handle_info *ns, u64 koid, struct handle_info *out) {
    struct object *object = find_below((struct namespace *)ns->object, koid);
    if (!object) return ERR_NOT_FOUND;
    struct handle_info found = {
        .object = object, .rights = object_rights[object->type], .revoker = ns->revoker};
    status_t status =
        object_is_dead(object) ? ERR_NOT_FOUND : sys_handle_duplicate(&found, CL_RIGHTS_SAME, out);
    object_put(object);
    return status;
}

// ---- the report ----

// Others change it meanwhile.
static u64 now(const i64 *at) { return (u64)__atomic_load_n(at, __ATOMIC_RELAXED); }

static void children_count(struct namespace *ns, struct cl_ns_info *info) {
    struct namespace *child = nullptr;
    while ((child = ns_child_after(ns, child)) != nullptr) {
        info->children++;
        if (!ns_is_alive(child)) info->dying_pages += now(&child->ledger.drawn_pages);
    }
}

static void disk_report(struct namespace *ns, struct cl_ns_info *info) REQUIRES(&ns->lock) {
    const struct turns *read = &ns->turns[TURN_READ], *write = &ns->turns[TURN_WRITE];
    info->disk_read_bytes = read->bytes;
    info->disk_read_bytes_limit = read->bytes_limit;
    info->disk_read_requests = read->requests;
    info->disk_read_requests_limit = read->requests_limit;
    info->disk_write_bytes = write->bytes;
    info->disk_write_bytes_limit = write->bytes_limit;
    info->disk_write_requests = write->requests;
    info->disk_write_requests_limit = write->requests_limit;
}

status_t sys_ns_info(struct namespace *ns, struct cl_ns_info *info) {
    struct ledger *ledger = &ns->ledger;
    ledger_recall(ledger);
    // Before the figures, so that those of a child that is not counted are not in them.
    children_count(ns, info);
    info->koid = ns->base.koid;
    info->parent_koid = ns->parent ? ns->parent->base.koid : 0;
    info->memory_limit_pages = min(now(&ledger->limit_pages), now(&ns_root->ledger.drawn_pages));
    info->memory_reserved_pages = now(&ledger->reserved_pages);
    info->memory_drawn_pages = now(&ledger->drawn_pages);
    info->memory_idle_pages = now(&ledger->idle_pages);
    info->memory_children_pages = now(&ledger->children_pages);
    info->memory_used_pages = (u64)ledger_used_pages(ledger);
    info->kernel_pages = now(&ledger->kernel_pages);
    info->objects = ns_counted(ns, LEDGER_OBJECTS);
    for (u32 i = 0; i < ARRAY_SIZE(counted); i++) {
        u64 *told = (u64 *)((u8 *)info + counted[i].told);
        told[0] = ns_counted(ns, counted[i].what);
        told[1] = (u64)__atomic_load_n(&ledger->counters[counted[i].what].limit, __ATOMIC_RELAXED);
    }
    info->cpu_ns = sched_group_run_ns(&ns->group);
    info->cpu_weight = __atomic_load_n(&ns->group.weight, __ATOMIC_RELAXED);
    lock_acquire(&ns->lock);
    info->cpu_cap = ns->group.cap_thousandths;
    info->log_bytes_limit = ns->log_limit;
    disk_report(ns, info);
    lock_release(&ns->lock);
    info->is_dying = !ns_is_alive(ns);
    return OK;
}
