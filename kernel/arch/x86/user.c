// Access to user memory: range checks; the accesses themselves are in entry.S, between stac and
// clac and in the exception table.
#include "abi/errors.h"
#include "cpu.h"
#include "lib/print.h"

i64 user_copy(void *to, const void *from, usize size);
i64 user_load_u32(const u32 *from, u32 *value);
i64 user_cas_u32(u32 *at, u32 expected, u32 desired, u32 *found);

// Callers check ranges (generated code does); this is the second lock on the same door. Where the
// access begins is enough: it goes upwards, and the last page below the end is never mapped.
static bool user_range(u64 user) { return user <= ARCH_USER_END; }

status_t arch_copy_from_user(void *to, u64 user, usize size) {
    if (unlikely(!user_range(user))) return ERR_BAD_POINTER;
    return user_copy(to, (const void *)user, size);
}

status_t arch_copy_to_user(u64 user, const void *from, usize size) {
    if (unlikely(!user_range(user))) return ERR_BAD_POINTER;
    return user_copy((void *)user, from, size);
}

status_t arch_user_load_u32(u64 user, u32 *value) {
    if (unlikely(!user_range(user) || user % sizeof(u32))) return ERR_BAD_POINTER;
    return user_load_u32((const u32 *)user, value);
}

status_t arch_user_cas_u32(u64 user, u32 expected, u32 desired, u32 *found) {
    if (unlikely(!user_range(user) || user % sizeof(u32))) return ERR_BAD_POINTER;
    return user_cas_u32((u32 *)user, expected, desired, found);
}
