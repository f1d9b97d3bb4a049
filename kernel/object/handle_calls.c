// System calls on handles and on objects in general.
#include "kernel/handlers.h"
#include "object/handle.h"
#include "object/namespace.h"

status_t sys_null(void) { return OK; }

status_t sys_handle_close(u32 handle) { return handle_close(handle); }

status_t sys_handle_duplicate(const struct handle_info *handle, u32 rights, handle_t *copy) {
    return handle_derive(handle, rights, nullptr, copy);
}

status_t sys_object_info(const struct handle_info *handle, struct cl_object_info *info) {
    struct object *object = handle->object;
    const struct object_ops *ops = object_ops[object->type];
    info->koid = object->koid;
    info->type = object->type;
    info->rights = handle->rights;
    info->namespace_koid = object->ns ? object->ns->base.koid : 0;
    info->signals = __atomic_load_n(&object->signals, __ATOMIC_RELAXED);
    info->user = handle->user;
    lock_acquire(&object->handles_lock);
    info->handles = object->handle_count;
    lock_release(&object->handles_lock);
    if (ops->describe) ops->describe(object, info->detail);
    return OK;
}

// What a creator may do with each type: everything that has a meaning for it.
u32 handle_full_rights(u32 type) {
    enum : u32 {
        COMMON = RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_INSPECT | RIGHT_WAIT,
        RW = RIGHT_READ | RIGHT_WRITE,
    };
    static const u32 rights[OBJ_COUNT] = {
        [OBJ_NAMESPACE] = COMMON | RIGHT_MANAGE | RIGHT_KILL | RIGHT_CREATE | RIGHT_OPEN |
                          RIGHT_LIST | RIGHT_BIND | RIGHT_OWNER,
        [OBJ_PROCESS] = COMMON | RIGHT_MANAGE | RIGHT_KILL | RIGHT_CLONE,
        [OBJ_THREAD] = COMMON | RIGHT_KICK,
        [OBJ_ASPACE] = COMMON | RW,
        [OBJ_MEMOBJ] = COMMON | RW | RIGHT_EXECUTE | RIGHT_MANAGE,
        [OBJ_CHANNEL] = COMMON | RW | RIGHT_CALL,
        [OBJ_QUEUE] = COMMON | RW,
        [OBJ_PORT] = COMMON | RW,
        [OBJ_TIMER] = COMMON | RW,
        [OBJ_EVENT] = COMMON | RIGHT_SIGNAL,
        [OBJ_REVOKER] = COMMON | RIGHT_REVOKE,
        [OBJ_BLOCK] = COMMON | RW,
        [OBJ_NIC] = COMMON | RW,
        [OBJ_SERIAL] = COMMON | RW,
        [OBJ_SYSTEM] = COMMON | RIGHT_MANAGE,
    };
    return rights[type];
}
