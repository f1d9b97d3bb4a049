// Access to user memory; what is known at compile time is inline in arch_this.h.
#include "abi/errors.h"
#include "arch/arch.h"

status_t user_copy(void *to, const void *from, usize size) {
    usize words = size / 8;
    u64 through;
    if (size == sizeof(u64)) { // not worth starting the microcode
        asm goto(USER_ACCESS("movq (%2), %0\n\tmovq %0, (%1)")
                 : "=&r"(through)
                 : "r"(to), "r"(from)
                 : "memory"
                 : fault);
        return OK;
    }
    asm goto(USER_ACCESS("rep movsq\n\tmovl %k3, %%ecx\n\trep movsb")
             : "+D"(to), "+S"(from), "+c"(words)
             : "r"(size % 8)
             : "memory"
             : fault);
    return OK;
fault:
    return ERR_BAD_POINTER;
}

static bool is_word(u64 user) { return user <= ARCH_USER_END && user % sizeof(u32) == 0; }

status_t arch_user_load_u32(u64 user, u32 *value) {
    if (unlikely(!is_word(user))) return ERR_BAD_POINTER;
    asm goto(USER_ACCESS("movl (%1), %0") : "=r"(*value) : "r"(user) : "memory" : fault);
    return OK;
fault:
    return ERR_BAD_POINTER;
}

status_t arch_user_probe_write(u64 user) {
    if (unlikely(!is_word(user))) return ERR_BAD_POINTER;
    asm goto(USER_ACCESS("lock orl $0, (%0)")::"r"(user) : "memory", "cc" : fault);
    return OK;
fault:
    return ERR_BAD_POINTER;
}
