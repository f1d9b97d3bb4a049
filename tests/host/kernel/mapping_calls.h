// The system calls that change mappings, without handles.
#pragma once

#include "kernel/handlers.h"
#include "object/aspace.h"

struct aspace_map_args {
    struct memobj *object; // nullptr: anonymous
    u64 offset, address, size;
    u32 flags;
    u32 allowed_rights;
};

static inline status_t aspace_map(struct aspace *aspace, const struct aspace_map_args *args,
                                  u64 *mapped) {
    struct handle_info info = {.rights = args->allowed_rights};
    if (args->object) info.object = &args->object->base;
    return sys_aspace_map(aspace, args->object ? &info : nullptr, args->offset, args->address,
                          args->size, args->flags, mapped);
}
