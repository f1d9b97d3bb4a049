// System calls on handles and on objects in general.
#include "kernel/handlers.h"
#include "object/handle.h"
#include "object/namespace.h"

status_t sys_null(void) { return OK; }

status_t sys_object_info(const struct handle_info *handle, struct cl_object_info *info) {
    struct object *object = handle->object;
    const struct object_ops *ops = object_ops[object->type];
    info->koid = object->koid;
    info->type = object->type;
    info->rights = handle->rights;
    info->namespace_koid = object->ns ? object->ns->base.koid : 0;
    info->signals = object_signals(object);
    info->user = handle->user;
    lock_acquire(&object->handles_lock);
    info->handles = object->handle_count;
    lock_release(&object->handles_lock);
    if (ops->describe) ops->describe(object, info->detail);
    return OK;
}
