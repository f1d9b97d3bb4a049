// System calls on address spaces, their mappings, and the threads bound to them.
#include "kernel/handlers.h"
#include "object/aspace.h"
#include "object/namespace.h"
#include "object/process.h"

static struct aspace *aspace_or_own(struct aspace *aspace) {
    return aspace ? aspace : process_current()->aspace;
}

status_t sys_aspace_map(struct aspace *aspace, const struct handle_info *memobj, u64 offset,
                        u64 address, u64 size, u32 flags, u64 *mapped) {
    const struct aspace_map_args args = {
        .object = memobj ? (struct memobj *)memobj->object : nullptr,
        .revoker = memobj ? memobj->revoker : nullptr,
        .offset = offset,
        .address = address,
        .size = size,
        .flags = flags,
        .allowed_rights = memobj ? memobj->rights : 0,
    };
    return aspace_map(aspace_or_own(aspace), &args, mapped);
}

status_t sys_aspace_unmap(struct aspace *aspace, u64 address, u64 size) {
    return aspace_unmap(aspace_or_own(aspace), address, size);
}

status_t sys_aspace_protect(struct aspace *aspace, u64 address, u64 size, u32 flags) {
    return aspace_protect(aspace_or_own(aspace), address, size, flags);
}

status_t sys_aspace_move(struct aspace *aspace, u64 address, u64 size, u64 target, u64 target_size,
                         u64 *moved) {
    return aspace_move(aspace, address, size, target, target_size, moved);
}

status_t sys_aspace_discard(struct aspace *aspace, u64 address, u64 size) {
    return aspace_discard(aspace_or_own(aspace), address, size);
}

// ---- restricted ----

static bool is_own_restricted(const struct aspace *aspace) {
    return aspace->owner == process_current()->aspace;
}

status_t sys_aspace_create(handle_t *handle) {
    struct aspace *aspace;
    status_t status = aspace_create(ns_current(), process_current()->aspace, &aspace);
    return status == OK ? handle_for_new(&aspace->base, handle) : status;
}

status_t sys_aspace_fork(struct aspace *aspace, handle_t *handle) {
    if (!is_own_restricted(aspace)) return ERR_INVALID_ARGUMENT;
    struct aspace *twin;
    status_t status = aspace_fork(aspace, &twin);
    return status == OK ? handle_for_new(&twin->base, handle) : status;
}

status_t sys_thread_bind_aspace(struct aspace *aspace) {
    struct thread_object *thread = thread_object_current();
    struct aspace *before = thread->restricted;
    if (aspace && !is_own_restricted(aspace)) return ERR_INVALID_ARGUMENT;
    if (aspace) object_get(&aspace->base);
    thread->restricted = aspace;
    struct aspace *loaded = aspace ? aspace : thread->process->aspace;
    arch_thread_set_pmap(&thread->thread, &loaded->pmap);
    if (before) object_put(&before->base);
    return OK;
}
