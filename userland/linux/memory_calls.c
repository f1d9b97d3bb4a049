// System calls about memory that is mapped already; the break.
#include "linux/calls.h"
#include "linux/credentials.h"
#include "linux/kernel_if.h"
#include "linux/memory.h"
#include "linux/system.h"
#include "linux/thread.h"

// What all there is costs a call, so what is small is not compared.
bool memory_is_beyond_all(u64 size) {
    enum : u64 { SMALL_BYTES = 64 << 20 };
    struct system_memory memory;
    if (size <= SMALL_BYTES) {
        return false;
    }
    system_memory(&memory);
    return size > memory.total_bytes;
}

static i64 break_grow(struct process *process, u64 old_end, u64 new_end) {
    if (memory_is_beyond_all(new_end - old_end)) {
        return -ENOMEM;
    }
    struct map_request request = {
        .address = old_end,
        .size = new_end - old_end,
        .access = CL_MAP_READ | CL_MAP_WRITE,
        .placement = CL_MAP_EXACT,
        .traits = REGION_HEAP,
    };
    return memory_map(process->memory, process, &request);
}

// The break as it is then: moved, or not. Only the process's own thread moves it.
i64 linux_brk(struct thread *thread, u64 address) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct memory *memory = thread->process->memory;
    if (address < memory->break_start || address >= CL_LINUX_LIMIT) {
        return (i64)memory->break_end;
    }
    u64 old_end = page_round_up(memory->break_end);
    u64 new_end = page_round_up(address);
    i64 result = new_end > old_end   ? break_grow(thread->process, old_end, new_end)
                 : new_end < old_end ? memory_unmap(memory, new_end, old_end - new_end)
                                     : 0;
    if (result >= 0) {
        memory->break_end = address;
    }
    return (i64)memory->break_end;
}

i64 linux_munmap(struct thread *thread, u64 address, u64 size) {
    int result = memory_range_check(address, &size);
    if (result != 0 || size == 0) {
        return -EINVAL;
    }
    return memory_unmap(thread->process->memory, address, size);
}

i64 linux_mprotect(struct thread *thread, u64 address, u64 size, u32 protection) {
    enum : u32 { PROT_GROWS = 0x03000000, PROT_KNOWN = PROT_READ | PROT_WRITE | PROT_EXEC | 8 };
    int result = memory_range_check(address, &size);
    if (result != 0 || size == 0) {
        return result;
    }
    if (protection & ~(PROT_KNOWN | PROT_GROWS)) {
        return -EINVAL;
    }
    return memory_protect(thread->process->memory, address, size, memory_access_of(protection));
}

// What changes nothing that a program could see; what would is not there.
static bool advice_is_known(i32 advice) {
    enum { MADV_LAST_OLD = 4, MADV_MERGEABLE = 12, MADV_LAST = 23 };
    enum { MADV_DOFORK = 11, MADV_WIPEONFORK = 18, MADV_KEEPONFORK = 19 };
    return (advice >= 0 && advice <= MADV_LAST_OLD) || advice == MADV_FREE ||
           advice == MADV_DOFORK || advice == MADV_KEEPONFORK ||
           (advice >= MADV_MERGEABLE && advice <= MADV_LAST && advice != MADV_WIPEONFORK);
}

i64 linux_madvise(struct thread *thread, u64 address, u64 size, i32 advice) {
    struct memory *memory = thread->process->memory;
    if (!advice_is_known(advice)) {
        return -EINVAL;
    }
    int result = memory_range_check(address, &size);
    if (result != 0 || size == 0) {
        return result;
    }
    if (advice == MADV_DONTNEED || advice == MADV_FREE) {
        result = kernel_discard(memory->aspace, address, size);
    }
    return result != 0 || memory_is_mapped(memory, address, size) ? result : -ENOMEM;
}

// How far the region that a range begins in goes; 0: the range is not within one.
static u64 region_end(struct memory *memory, u64 address, u64 size) {
    mutex_lock(&memory->lock);
    const struct region *region = regions_find(memory->regions, address);
    bool holds = region && region->start <= address && address + size <= region->end;
    u64 end = holds ? region->end : 0;
    mutex_unlock(&memory->lock);
    return end;
}

// Anonymous memory grows where it is, if there is room behind it.
static i64 grow_in_place(struct process *process, u64 address, u64 size, u64 new_size) {
    struct memory *memory = process->memory;
    struct map_request request = {
        .address = address + size, .size = new_size - size, .placement = CL_MAP_EXACT};
    mutex_lock(&memory->lock);
    const struct region *region = regions_find(memory->regions, address);
    bool is_plain = region && !region->file && !(region->traits & REGION_SHARED);
    request.access = is_plain ? region->access : 0;
    request.traits = is_plain ? region->traits : 0;
    mutex_unlock(&memory->lock);
    i64 mapped = is_plain ? memory_map(memory, process, &request) : -ENOMEM;
    return mapped < 0 ? mapped : (i64)address;
}

static i64 move_to(struct process *process, u64 address, u64 size, u64 new_address, u64 new_size) {
    struct memory *memory = process->memory;
    if (new_address < address + size && address < new_address + new_size) {
        return -EINVAL;
    }
    int result = memory_unmap(memory, new_address, new_size);
    if (result == 0 && new_size < size) {
        result = memory_unmap(memory, address + new_size, size - new_size);
        size = new_size;
    }
    return result != 0 ? result : memory_move(memory, address, size, new_address, new_size);
}

static i64 resize(struct process *process, u64 address, u64 size, u64 new_size, u32 flags) {
    struct memory *memory = process->memory;
    if (new_size < size) {
        int result = memory_unmap(memory, address + new_size, size - new_size);
        return result != 0 ? result : (i64)address;
    }
    i64 result = new_size == size ? (i64)address : -ENOMEM;
    if (result < 0 && region_end(memory, address, size) == address + size) {
        result = grow_in_place(process, address, size, new_size);
    }
    if (result < 0 && (flags & MREMAP_MAYMOVE)) {
        result = memory_move(memory, address, size, 0, new_size);
    }
    return result < 0 ? -ENOMEM : result;
}

i64 linux_mremap(struct thread *thread, u64 address, u64 size, u64 new_size, u32 flags,
                 u64 new_address) {
    bool is_fixed = flags & MREMAP_FIXED;
    if ((flags & ~(u32)(MREMAP_MAYMOVE | MREMAP_FIXED)) || new_size == 0 || size == 0 ||
        (is_fixed && !(flags & MREMAP_MAYMOVE)) || memory_range_check(address, &size) != 0) {
        return -EINVAL;
    }
    if (memory_range_check(is_fixed ? new_address : 0, &new_size) != 0) {
        return is_fixed || new_size <= CL_LINUX_LIMIT ? -EINVAL : -ENOMEM;
    }
    if (region_end(thread->process->memory, address, min(size, new_size)) == 0) {
        return -EFAULT;
    }
    return is_fixed ? move_to(thread->process, address, size, new_address, new_size)
                    : resize(thread->process, address, size, new_size, flags);
}

// Shared mappings are the memory itself, and nothing is ever paged out.
i64 linux_msync(struct thread *thread, u64 address, u64 size, i32 flags) {
    enum { MS_ASYNC = 1, MS_INVALIDATE = 2, MS_SYNC = 4 };
    if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) ||
        (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC)) {
        return -EINVAL;
    }
    int result = memory_range_check(address, &size);
    return result != 0 || memory_is_mapped(thread->process->memory, address, size) ? result
                                                                                   : -ENOMEM;
}

// Everything stays in memory anyway.
static i64 lock_range(struct thread *thread, u64 address, u64 size) {
    struct process *process = thread->process;
    u64 start = page_round_down(address);
    u64 bytes = size + (address - start);
    int result = memory_range_check(start, &bytes);
    if (result != 0) {
        return result;
    }
    return memory_is_mapped(process->memory, start, bytes) ? 0 : -ENOMEM;
}

i64 linux_mlock(struct thread *thread, u64 address, u64 size) {
    u64 limit = thread->process->limits[RLIMIT_MEMLOCK].current;
    if (size > limit && !credentials_have(thread->process->credentials, CAP_IPC_LOCK)) {
        return limit == 0 ? -EPERM : -ENOMEM;
    }
    return lock_range(thread, address, size);
}

i64 linux_mlock2(struct thread *thread, u64 address, u64 size, u32 flags) {
    enum { MLOCK_ONFAULT = 1 };
    return flags & ~(u32)MLOCK_ONFAULT ? -EINVAL : linux_mlock(thread, address, size);
}

i64 linux_munlock(struct thread *thread, u64 address, u64 size) {
    return lock_range(thread, address, size);
}

i64 linux_mlockall(struct thread *thread, u32 flags) {
    enum { MCL_CURRENT = 1, MCL_FUTURE = 2, MCL_ONFAULT = 4 };
    if (flags == 0 || flags == MCL_ONFAULT ||
        (flags & ~(u32)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))) {
        return -EINVAL;
    }
    bool may = thread->process->limits[RLIMIT_MEMLOCK].current > 0 ||
               credentials_have(thread->process->credentials, CAP_IPC_LOCK);
    return may ? 0 : -EPERM;
}

i64 linux_munlockall(struct thread *) { return 0; }

// All that is mapped counts as being in memory.
i64 linux_mincore(struct thread *thread, u64 address, u64 size, linux_ptr vector) {
    u8 pages[256];
    int result = memory_range_check(address, &size);
    if (result != 0) {
        return result;
    }
    if (!memory_is_mapped(thread->process->memory, address, size)) {
        return -ENOMEM;
    }
    for (usize i = 0; i < sizeof(pages); i++) {
        pages[i] = 1;
    }
    for (u64 done = 0; done < size / PAGE_SIZE; done += sizeof(pages)) {
        usize piece = min(size / PAGE_SIZE - done, sizeof(pages));
        if (copy_to_linux(linux_offset(vector, done), pages, piece) != 0) {
            return -EFAULT;
        }
    }
    return 0;
}
