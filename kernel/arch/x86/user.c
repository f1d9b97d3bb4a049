// Words of user memory that threads share; copies are in arch_this.h.
#include "abi/errors.h"
#include "arch/arch.h"

// One instruction on user memory, or to `fault`.
#define USER_ACCESS(instruction)               \
    "stac\n"                                   \
    "1:\t" instruction "\n"                    \
    "2:\tclac\n\t"                             \
    ".pushsection .exception_table, \"a\"\n\t" \
    ".quad 1b, 2b, %l[fault]\n\t"              \
    ".popsection"

static bool is_word(u64 user) { return user <= ARCH_USER_END && user % sizeof(u32) == 0; }

status_t arch_user_load_u32(u64 user, u32 *value) {
    if (unlikely(!is_word(user))) return ERR_BAD_POINTER;
    asm goto(USER_ACCESS("movl (%1), %0") : "=r"(*value) : "r"(user) : "memory" : fault);
    return OK;
fault:
    asm volatile("clac");
    return ERR_BAD_POINTER;
}

status_t arch_user_cas_u32(u64 user, u32 expected, u32 desired, u32 *found) {
    if (unlikely(!is_word(user))) return ERR_BAD_POINTER;
    asm goto(USER_ACCESS("lock cmpxchgl %2, (%1)")
             : "+a"(expected)
             : "r"(user), "r"(desired)
             : "memory", "cc"
             : fault);
    *found = expected;
    return OK;
fault:
    asm volatile("clac");
    return ERR_BAD_POINTER;
}
