// User memory, for system calls.
#include "object/user.h"

#include "sched/thread.h"

status_t user_probe_write(u64 address, u64 size) {
    if (!user_range_ok(address, size)) return ERR_BAD_POINTER;
    if (size == 0) return OK;
    u64 end = address + size;
    for (u64 at = align_down(address, sizeof(u32)); at < end;) {
        status_t status = arch_user_probe_write(at);
        if (status != OK) return status;
        at = align_down(at, PAGE_SIZE) + PAGE_SIZE;
        if ((at >> PAGE_SHIFT) % 64 == 0) sched_preempt_point();
    }
    return OK;
}
