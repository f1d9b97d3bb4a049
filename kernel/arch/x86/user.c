// Access to user memory: range checks; the accesses themselves are in entry.S, between stac and
// clac and in the exception table.
#include "abi/errors.h"
#include "cpu.h"
#include "lib/print.h"

i64 user_load_u32(const u32 *from, u32 *value);
i64 user_cas_u32(u32 *at, u32 expected, u32 desired, u32 *found);

status_t arch_user_load_u32(u64 user, u32 *value) {
    if (unlikely(user > ARCH_USER_END || user % sizeof(u32))) return ERR_BAD_POINTER;
    return user_load_u32((const u32 *)user, value);
}

status_t arch_user_cas_u32(u64 user, u32 expected, u32 desired, u32 *found) {
    if (unlikely(user > ARCH_USER_END || user % sizeof(u32))) return ERR_BAD_POINTER;
    return user_cas_u32((u32 *)user, expected, desired, found);
}
