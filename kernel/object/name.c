// Names. A namespace keeps its own names in one list, whole paths, in order of creation. A child
// namespace stands in its parent's list under its own name, of one part; what lies below it is
// reached through it. Both are under the namespace's lock.
#include "object/name.h"

#include "object/handle.h"
#include "object/revoker.h"

// True if one is the other, or its first parts: "a" of "a/b".
static bool is_start(const char *start, u32 start_size, const char *text, u32 size) {
    bool ends_at_part = start_size == size || (start_size < size && text[start_size] == '/');
    return ends_at_part && memcmp(start, text, start_size) == 0;
}

// The name that a path is, leads through, or begins. No two are: a name can't be both a thing and a
// way to things.
static struct name *name_meeting(struct namespace *ns, const char *text, u32 size)
    REQUIRES(&ns->lock) {
    struct name *name;
    list_for_each(name, &ns->names, link)
        if (is_start(name->text, name->size, text, size) ||
            is_start(text, size, name->text, name->size))
            return name;
    return nullptr;
}

static struct name *name_new(struct namespace *ns, const char *text, u32 size) {
    if (ns_count_begin(ns, LEDGER_NAMES) != OK) return nullptr;
    struct name *name = heap_alloc(&ns->ledger, sizeof(*name) + size);
    if (!name) {
        ledger_count_sub(&ns->ledger, LEDGER_NAMES, 1);
        return nullptr;
    }
    list_init(&name->link);
    name->size = size;
    memcpy(name->text, text, size);
    return name;
}

static void name_free(struct namespace *ns, struct name *name) {
    if (name->slot.holder) handle_slot_close(&name->slot);
    heap_free(name);
    ledger_count_sub(&ns->ledger, LEDGER_NAMES, 1);
    ns_reap_hint(ns);
}

static status_t name_insert(struct namespace *ns, struct name *name) {
    status_t status = OK;
    lock_acquire(&ns->lock);
    if (!ns_is_alive(ns))
        status = ERR_DEAD;
    else if (name_meeting(ns, name->text, name->size))
        status = ERR_ALREADY_EXISTS;
    else {
        name->position = ++ns->name_position_next;
        list_insert_tail(&ns->names, &name->link);
    }
    lock_release(&ns->lock);
    if (status != OK) name_free(ns, name);
    return status;
}

static void name_unlink_locked(struct namespace *ns, struct name *name) REQUIRES(&ns->lock) {
    if (ns->listed == &name->link) ns->listed = name->link.prev;
    list_remove(&name->link);
}

// Without an access list it is a child namespace.
status_t sys_ns_bind(struct namespace *ns, const struct name_path *path,
                     const struct handle_info *object, const struct cl_acl *access) {
    struct name *name = name_new(ns, path->text, path->size);
    if (!name) return ERR_NO_RESOURCES;
    if (ledger_count_add(&ns->ledger, LEDGER_HANDLES, 1) != OK) {
        name_free(ns, name);
        return ERR_NO_RESOURCES;
    }
    handle_slot_fill(&name->slot, &ns->holder, object);
    name->koid = object->object->koid;
    name->object_type = object->object->type;
    name->ceiling = object->rights;
    name->is_child = !access;
    if (access) name->access = *access;
    return name_insert(ns, name);
}

void name_unbind_child(struct namespace *parent, struct namespace *child) {
    struct name *name, *found = nullptr;
    lock_acquire(&parent->lock);
    list_for_each(name, &parent->names, link)
        if (name->koid == child->base.koid && name->is_child) found = name;
    if (found) name_unlink_locked(parent, found);
    lock_release(&parent->lock);
    if (found) name_free(parent, found);
}

// A name that somebody has bound, to be changed or taken away.
static status_t name_bound(struct namespace *ns, const struct name_path *path, struct name **name)
    REQUIRES(&ns->lock) {
    *name = name_meeting(ns, path->text, path->size);
    if (!*name || (*name)->size != path->size) return ERR_NOT_FOUND;
    return (*name)->is_child ? ERR_ACCESS_DENIED : OK;
}

status_t sys_ns_set_access(struct namespace *ns, const struct name_path *path,
                           const struct cl_acl *access) {
    struct name *name;
    lock_acquire(&ns->lock);
    status_t status = name_bound(ns, path, &name);
    if (status == OK) name->access = *access;
    lock_release(&ns->lock);
    return status;
}

status_t sys_ns_unbind(struct namespace *ns, const struct name_path *path) {
    struct name *name;
    lock_acquire(&ns->lock);
    status_t status = name_bound(ns, path, &name);
    if (status == OK) name_unlink_locked(ns, name);
    lock_release(&ns->lock);
    if (status == OK) name_free(ns, name);
    return status;
}

void names_drop(struct namespace *ns) {
    for (;; sched_preempt_point()) {
        lock_acquire(&ns->lock);
        ns->listed = &ns->names;
        struct name *name = list_take_first(&ns->names, struct name, link);
        lock_release(&ns->lock);
        if (!name) return;
        name_free(ns, name);
    }
}

// ---- opening ----

static u32 access_rights(const struct name *name, u32 user, bool is_owner) {
    if (is_owner) return name->ceiling;
    if (name->is_child) return 0;
    for (u32 i = 0; i < name->access.count; i++)
        if (name->access.users[i] == user) return name->ceiling & name->access.rights[i];
    return name->ceiling & name->access.everyone;
}

// What the first name on a path gives, referenced, and its size: the whole path, or the name of a child
// namespace that it leads into. The user of a namespace bound under a name goes along.
static status_t name_open(struct namespace *ns, const char *text, u32 size,
                          const struct handle_info *by, struct handle_info *out, u32 *used) {
    bool is_owner = (by->rights & RIGHT_OWNER) != 0;
    lock_acquire(&ns->lock);
    struct name *name = name_meeting(ns, text, size);
    bool is_way = name && name->is_child && name->size < size;
    status_t status = ERR_NOT_FOUND;
    if (is_way && !is_owner)
        status = ERR_ACCESS_DENIED;
    else if (is_way || (name && name->size == size))
        status = handle_slot_info(&name->slot, out);
    if (status == OK) {
        out->rights = access_rights(name, by->user, is_owner);
        *used = name->size;
    }
    lock_release(&ns->lock);
    return status;
}

status_t sys_ns_open(const struct handle_info *ns, const struct name_path *path, u32 rights,
                     struct handle_info *out) {
    struct handle_info found;
    u32 used, at = 0;
    status_t status =
        name_open((struct namespace *)ns->object, path->text, path->size, ns, &found, &used);
    while (status == OK && at + used < path->size) {
        struct namespace *child = (struct namespace *)found.object;
        at += used + 1;
        status = name_open(child, path->text + at, path->size - at, ns, &found, &used);
        object_put(&child->base);
    }
    if (status != OK) return status;
    // The revokers of what was bound and of what it is opened through count both: a handle has one
    // chain, so one of them must be part of the other.
    struct handle_info through = found;
    if (!revoker_is_below(found.revoker, ns->revoker)) through.revoker = ns->revoker;
    status = ERR_LIMIT;
    if (revoker_is_below(through.revoker, found.revoker))
        status = sys_handle_duplicate(&through, rights, out);
    handle_info_put(&found);
    return status;
}

status_t sys_ns_list(struct namespace *ns, u64 position, struct cl_ns_entry *entry,
                     u64 *next_position) {
    status_t status = ERR_NOT_FOUND;
    lock_acquire(&ns->lock);
    // On from where the last listing was, if that is not beyond.
    struct list *at = ns->listed;
    if (at != &ns->names && list_entry(at, struct name, link)->position > position) at = &ns->names;
    while ((at = at->next) != &ns->names) {
        const struct name *name = list_entry(at, struct name, link);
        if (name->position <= position) continue;
        ns->listed = at;
        entry->koid = name->koid;
        entry->object_type = name->object_type;
        entry->ceiling = name->ceiling;
        entry->name_size = name->size;
        entry->is_child = name->is_child;
        if (!name->is_child) memcpy(&entry->access_count, &name->access, sizeof(name->access));
        memcpy(entry->name, name->text, name->size);
        *next_position = name->position;
        status = OK;
        break;
    }
    lock_release(&ns->lock);
    return status;
}
