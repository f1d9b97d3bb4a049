// System calls on restricted address spaces, and the threads bound to them.
#include "kernel/handlers.h"
#include "object/aspace.h"
#include "object/namespace.h"
#include "object/process.h"

static bool is_own_restricted(const struct aspace *aspace) {
    return aspace->owner == process_current()->aspace;
}

status_t sys_aspace_create(struct aspace **aspace) {
    return aspace_create(ns_current(), process_current()->aspace, aspace);
}

status_t sys_aspace_fork(struct aspace *aspace, struct aspace **twin) {
    if (!is_own_restricted(aspace)) return ERR_INVALID_ARGUMENT;
    return aspace_copy(aspace, aspace->base.ns, nullptr, twin);
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
