// Just enough of kernel/object/handle.h for the generated decoding.
#pragma once
#include "abi/types.h"
#include "lib/types.h"

struct object {
    u32 type;
    u32 refs;
};
struct revoker;
struct handle_info {
    struct object *object;
    u32 rights;
    u32 user;
    struct revoker *revoker;
};
status_t handle_get(handle_t handle, u32 type_mask, u32 rights, struct object **out);
status_t handle_get_info(handle_t handle, u32 type_mask, u32 rights, struct handle_info *out);
void handle_info_put(struct handle_info *info);
void object_put(struct object *object);
struct handle_table;
struct handle_table *handle_table_current(void);
status_t handles_reserve(struct handle_table *table, u32 count, handle_t *values);
void handles_unreserve(struct handle_table *table, u32 count, const handle_t *values);
void handle_fill(struct handle_table *table, handle_t value, struct handle_info *what);
void handle_fill_new(struct handle_table *table, handle_t value, struct object *object);
