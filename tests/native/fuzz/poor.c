// Handles with few rights. What the fuzzer does with one where more is asked for must be refused.
//
// They are made before the second thread is, and stay for good: nobody closes them (fuzz_keep), and
// without TRANSFER no message takes them along. So what a handle lacked when it was put into a call
// it lacked when the kernel looked: as long as this program's own memory is whole. It need not be.
// Workers find each other's address spaces, code and stacks by koid, and write there. One that
// closes a poor handle by such an accident gets its number again for a rich one; so when a call is
// done, the kernel is asked for the rights that its handle has.
#include "fuzz.h"

enum { POOR_MAX = 48 };

static struct poor {
    handle_t handle;
    uint32_t type, rights;
} poor[POOR_MAX];
static uint32_t poor_count;

// All rights but one, or any.
static uint32_t rights_some(struct fuzzer *f, uint32_t rights) {
    uint32_t chosen = fuzz_below(f, 2) ? ~(1u << fuzz_below(f, 32)) : (uint32_t)fuzz_random(f);
    return rights & chosen & ~RIGHT_TRANSFER;
}

void fuzz_poor_make(struct fuzzer *f, handle_t handle) {
    struct cl_object_info info;
    if (object_info(handle, &info) != OK) return;
    for (int i = 0; i < 2 && poor_count < POOR_MAX; i++) {
        struct poor new = {.type = info.type, .rights = rights_some(f, info.rights)};
        if (handle_duplicate(handle, new.rights, &new.handle) != OK) return;
        fuzz_keep(new.handle);
        poor[poor_count++] = new;
    }
}

static const struct poor *poor_for(struct fuzzer *f, const struct sweep_arg *arg) {
    uint32_t first = (uint32_t)fuzz_below(f, POOR_MAX);
    for (uint32_t i = 0; i < poor_count; i++) {
        const struct poor *one = &poor[(first + i) % poor_count];
        if (arg->types & OBJ_MASK(one->type) && arg->rights & ~one->rights) return one;
    }
    return nullptr;
}

bool fuzz_poor_put(struct fuzzer *f, const struct sweep_call *call, uint64_t args[FUZZ_ARGS_MAX]) {
    uint32_t first = (uint32_t)fuzz_below(f, FUZZ_ARGS_MAX);
    for (uint32_t i = 0; i < call->args_count; i++) {
        uint32_t at = (first + i) % call->args_count;
        const struct sweep_arg *arg = &call->args[at];
        const struct poor *one = arg->kind == SWEEP_HANDLE ? poor_for(f, arg) : nullptr;
        if (!one) continue;
        args[at] = one->handle;
        return true;
    }
    return false;
}

static bool has_rights(const struct sweep_arg *arg, uint64_t handle) {
    struct cl_object_info info;
    if (handle == 0) return arg->optional;
    return object_info((handle_t)handle, &info) == OK && (arg->rights & ~info.rights) == 0;
}

bool fuzz_is_rich(const struct sweep_call *call, const uint64_t args[FUZZ_ARGS_MAX]) {
    for (uint32_t i = 0; i < call->args_count; i++)
        if (call->args[i].kind == SWEEP_HANDLE && !has_rights(&call->args[i], args[i]))
            return false;
    return true;
}
