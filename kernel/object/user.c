// User memory, for system calls.
#include "object/user.h"

#include "sched/thread.h"

// A compare-and-exchange of a word for itself needs the page writable and changes nothing.
static status_t probe_word(u64 address) {
    u32 value;
    status_t status = arch_user_load_u32(address, &value);
    return status == OK ? arch_user_cas_u32(address, value, value, &value) : status;
}

status_t user_probe_write(u64 address, u64 size) {
    if (!user_range_ok(address, size)) return ERR_BAD_POINTER;
    if (size == 0) return OK;
    u64 end = address + size;
    for (u64 at = align_down(address, sizeof(u32)); at < end;) {
        status_t status = probe_word(at);
        if (status != OK) return status;
        at = align_down(at, PAGE_SIZE) + PAGE_SIZE;
        if ((at >> PAGE_SHIFT) % 64 == 0) sched_preempt_point();
    }
    return OK;
}
