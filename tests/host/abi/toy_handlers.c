// The handlers of the toy schema: each prints what it got, and answers what the test set.
#include <stdio.h>
#include <stdlib.h>

#include "arch/arch.h"
#include "object/handle.h"
#include "syscall/syscall.h"

extern status_t handler_status;

struct object *object_new(u32 type);

static u32 type_of(const void *object) {
    return object ? ((const struct object *)object)->type : 0;
}

status_t sys_nothing(void) {
    printf(" nothing()");
    return handler_status;
}

status_t sys_values(u32 a, i32 b, u64 c, u32 clock, u32 level, u64 when, u32 *x, u64 *y, i32 *z) {
    printf(" values(%u,%d,%lu,%u,%u,%lu)", a, b, c, clock, level, when);
    *x = 11;
    *y = 22;
    *z = -33;
    return handler_status;
}

status_t sys_bits(u32 flags, u32 some, u32 rights, u32 same) {
    printf(" bits(%x,%x,%x,%x)", flags, some, rights, same);
    return handler_status;
}

status_t sys_handles(struct event *event, struct thread_object *thread,
                     const struct handle_info *either, const struct handle_info *any, handle_t gift,
                     u32 flags, struct event **made, struct handle_info *copy) {
    printf(" handles(%u,%u,%u/%x,%u,%x,%x)", type_of(event), type_of(thread),
           type_of(either->object), either->rights, any ? type_of(any->object) : 0, gift, flags);
    if (handler_status != OK) return handler_status;
    *made = (struct event *)object_new(4);
    *copy = (struct handle_info){.object = object_new(5), .rights = 3};
    return handler_status;
}

status_t sys_memory(struct event *event, const struct cl_request *request, struct cl_answer *answer,
                    struct user_out bytes) {
    printf(" memory(%u,%u,%lu,%lx/%lu)", type_of(event), request->size, answer->value,
           bytes.address, bytes.size);
    answer->value = 55;
    return handler_status;
}

status_t sys_text(const struct name_path *name, const struct cl_request *request,
                  struct cl_answer *answer, struct user_in bytes) {
    printf(" text(%u,%s,%s,%lx/%lu)", name->size, request ? "request" : "none",
           answer ? "answer" : "none", bytes.address, bytes.size);
    return handler_status;
}

status_t sys_places(u64 process, u64 low, u64 user, u64 size) {
    printf(" places(%lx,%lx,%lx,%lu)", process, low, user, size);
    return handler_status;
}

void sys_leave(struct thread_object *thread) {
    printf(" leave(%u) gone\n", type_of(thread));
    exit(0);
}

void sys_raw_entry(struct syscall_args *args) {
    printf(" entry(%lx)", args->arg[0]);
    args->status = handler_status;
}
