// Linux memory, on top of one routine that copies and survives faults (user_copy.S).
#include "linux/copy.h"

#include "abi/types.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/kernel_if.h"
#include "linux/oom.h"

static bool linux_range_is_valid(linux_ptr pointer, usize size) {
    return pointer.address < CL_LINUX_LIMIT && size <= CL_LINUX_LIMIT - pointer.address;
}

int copy_from_linux(void *target, linux_ptr source, usize size) {
    if (!linux_range_is_valid(source, size)) return -EFAULT;
    u32 tries = 0;
    do {
        if (likely(user_copy(target, (const void *)source.address, size) == 0)) return 0;
    } while (oom_explains(source, size, &tries));
    return -EFAULT;
}

int copy_to_linux(linux_ptr target, const void *source, usize size) {
    if (!linux_range_is_valid(target, size)) return -EFAULT;
    u32 tries = 0;
    do {
        if (likely(user_copy((void *)target.address, source, size) == 0)) return 0;
    } while (oom_explains(target, size, &tries));
    return -EFAULT;
}

int clear_linux(linux_ptr target, usize size) {
    if (!linux_range_is_valid(target, size)) return -EFAULT;
    u32 tries = 0;
    do {
        if (likely(user_clear((void *)target.address, size) == 0)) return 0;
    } while (oom_explains(target, size, &tries));
    return -EFAULT;
}

// In pieces that end at page ends, so that a string at the end of its mapping is no fault.
i64 copy_string_from_linux(char *target, linux_ptr source, usize size) {
    usize done = 0;
    while (done < size) {
        usize piece = PAGE_SIZE - ((source.address + done) & PAGE_MASK);
        piece = min(min(piece, size - done), (usize)64);
        if (copy_from_linux(target + done, linux_offset(source, done), piece) != 0) {
            return -EFAULT;
        }
        const char *end = memchr(target + done, 0, piece);
        if (end) {
            return end - target;
        }
        done += piece;
    }
    return -ENAMETOOLONG;
}

int load_linux_u32(linux_ptr source, u32 *value) {
    if (source.address & 3) {
        return -EINVAL;
    }
    if (!linux_range_is_valid(source, sizeof(*value)) ||
        user_load_u32((const u32 *)source.address, value) != 0) {
        return -EFAULT;
    }
    return 0;
}
